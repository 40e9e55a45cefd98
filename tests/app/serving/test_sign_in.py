"""Signing in: passwords, sessions, waits after failures, and who a proxy says that somebody is."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner

from app.cli import cli
from app.server import create_app
from app.serving.gate import Gate
from app.serving.people import Person
from app.serving.sessions import Sessions
from app.serving.settings import Settings
from app.serving.sign_in_page import inner_address
from app.serving.users import Users
from data.errors import InputError, StoreError

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HTML = {"Accept": "text/html"}


def cookie(client):
    found = client.get_cookie("zonewise")
    return found.value if found else ""


def test_who_has_not_signed_in_is_sent_to_the_page_and_a_program_is_told(signed):
    caller = signed()
    answer = caller.client.get("/models?zone=Z01", headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/models%3Fzone%3DZ01")
    for path in ("/_dash-layout", "/_dash-dependencies", "/api/x/geo.json", "/api/v1/zones", "/w/town/", "/metrics"):
        assert caller.client.get(path, environ_base={"REMOTE_ADDR": "10.1.1.1"}).status_code == 401
    assert caller.client.get("/assets/zonewise.css").status_code == 200


def test_a_sign_in_leads_back_and_its_cookie_is_hidden_from_scripts(signed):
    caller = signed()
    answer = caller.sign_in("vera", after="/models")
    assert (answer.status_code, answer.location) == (303, "/models")
    held = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("zonewise="))
    assert "HttpOnly" in held and "SameSite=Lax" in held and "Path=/" in held and "Secure" not in held
    assert caller.client.get("/_dash-layout").status_code == 200


def test_behind_tls_the_cookie_is_secure_and_bound_to_the_host(signed):
    caller = signed()
    tls = {"X-Forwarded-Proto": "https"}
    page = caller.client.get("/sign-in", headers=tls)
    assert all("Secure" in c for c in page.headers.getlist("Set-Cookie"))
    token = page.get_data(as_text=True).split('name="token" value="')[1].split('"')[0]
    form = {"token": token, "name": "vera", "password": "correct horse", "next": "/"}
    answer = caller.client.post(
        "/sign-in", data=form, headers={**tls, "Origin": "https://localhost"}, base_url="https://localhost"
    )
    assert answer.status_code in (303, 400)  # the test client may not send a Secure cookie back over http
    if answer.status_code == 303:
        assert any(c.startswith("__Host-zonewise=") and "Secure" in c for c in answer.headers.getlist("Set-Cookie"))


def test_a_planted_session_is_worth_nothing_after_somebody_signs_in(signed):
    """Fixation: the attacker's token stands in the victim's browser; signing in makes another and ends that one."""
    attacker = signed("paul")
    planted = cookie(attacker.client)
    victim = signed()
    victim.client.set_cookie("zonewise", planted)
    victim.client.get("/sign-out")
    page = victim.client.get("/sign-in").status_code
    assert page == 303  # the planted session is somebody's: there is nothing to sign in to
    own = signed()
    own.client.set_cookie("zonewise", "made-up-by-somebody")
    own.sign_in("ada")
    assert cookie(own.client) not in ("", "made-up-by-somebody")
    assert signed().client.get("/_dash-layout", headers={"Cookie": "zonewise=made-up-by-somebody"}).status_code == 401


def test_each_sign_in_makes_another_session_and_ends_the_one_before(people, tmp_path):
    gate = Gate(Settings(users=people))
    environ = {"REMOTE_ADDR": "127.0.0.1", "PATH_INFO": "/"}
    first, _ = gate.sign_in(environ, "vera", "correct horse")
    second, _ = gate.sign_in({**environ, "HTTP_COOKIE": f"zonewise={first}"}, "vera", "correct horse")
    assert first != second
    assert gate.person({**environ, "HTTP_COOKIE": f"zonewise={first}"}) is None
    assert gate.person({**environ, "HTTP_COOKIE": f"zonewise={second}"}) == Person("vera", "viewer", leaves=True)


def test_signing_out_ends_the_session_for_a_copy_of_its_cookie_too(signed):
    caller = signed("vera")
    token = cookie(caller.client)
    assert caller.client.post("/sign-out", headers={"Origin": "http://localhost"}).status_code == 303
    assert signed().client.get("/_dash-layout", headers={"Cookie": f"zonewise={token}"}).status_code == 401


def test_another_password_role_or_no_user_at_all_ends_or_changes_sessions_at_once(tmp_path):
    path = tmp_path / "users.json"
    users = Users(path, CHEAP)
    users.add("vera", "viewer", "correct horse")
    gate = Gate(Settings(users=path), users)
    environ = {"REMOTE_ADDR": "127.0.0.1", "PATH_INFO": "/"}
    token, _ = gate.sign_in(environ, "vera", "correct horse")
    environ["HTTP_COOKIE"] = f"zonewise={token}"
    rows = path.read_text().replace('"viewer"', '"planner"')
    path.write_text(rows)
    assert gate.person(environ) == Person("vera", "planner", leaves=True)
    users.add("vera", "viewer", "another secret")
    assert gate.person(environ) is None


def test_a_session_ends_after_its_time(tmp_path):
    clock = [1000.0]
    sessions = Sessions(tmp_path / "s", hours=2, now=lambda: clock[0])
    token = sessions.begin("vera", "x")
    clock[0] += 7199
    assert sessions.read(token) == ("vera", "x")
    clock[0] += 2
    assert sessions.read(token) is None


def test_the_file_of_sessions_does_not_hold_what_the_browser_holds(tmp_path):
    sessions = Sessions(tmp_path / "s")
    token = sessions.begin("vera", "x")
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert token.encode() not in held
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0


def test_after_five_failures_a_name_waits_longer_each_time(tmp_path):
    """2 s after the sixth, doubled by each; another name from that address may try on, up to twenty failures."""
    clock = [0.0]
    sessions = Sessions(tmp_path / "s", now=lambda: clock[0])
    for _ in range(5):
        assert sessions.wait_s("vera", "10.0.0.1") == 0.0
        sessions.failed("vera", "10.0.0.1")
    assert sessions.wait_s("vera", "10.0.0.2") == pytest.approx(2.0)
    sessions.failed("vera", "10.0.0.1")
    assert sessions.wait_s("vera", "10.0.0.2") == pytest.approx(4.0)
    assert sessions.wait_s("paul", "10.0.0.1") == 0.0
    for k in range(14):
        sessions.failed(f"guess{k}", "10.0.0.1")
    assert sessions.wait_s("paul", "10.0.0.1") > 0.0
    clock[0] += 301
    assert sessions.wait_s("vera", "10.0.0.1") == 0.0


def test_too_many_tries_are_told_when_to_come_back(signed, people):
    caller = signed()
    answers = [caller.sign_in("nobody-here", "wrong password") for _ in range(6)]
    assert [a.status_code for a in answers] == [401] * 4 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_form_without_its_token_or_from_another_site_is_refused(signed):
    caller = signed()
    form = {"name": "vera", "password": "correct horse", "token": "x"}
    assert caller.client.post("/sign-in", data=form, headers={"Origin": "http://localhost"}).status_code == 400
    assert caller.client.post("/sign-in", data=form, headers={"Origin": "http://evil.test"}).status_code == 403


@pytest.mark.parametrize(
    "address", ["//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "", "/a b\n"]
)
def test_a_sign_in_never_leads_to_another_site(address):
    assert inner_address(address) == "/"


def test_a_name_is_text_on_the_page_whatever_it_holds(signed):
    caller = signed()
    page = caller.sign_in('"><script>alert(1)</script>', "wrong password").get_data(as_text=True)
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_a_proxy_that_is_trusted_says_who_asks_and_nobody_else_does(space):
    app = create_app(space, settings=Settings(trust_header="X-Forwarded-User", role_header="X-Role"))
    told = {"X-Forwarded-User": "vera", "X-Role": "planner"}
    client = app.server.test_client()
    assert client.get("/_dash-layout", headers=told).status_code == 200
    assert client.get("/_dash-layout").status_code == 401
    assert client.get("/_dash-layout", headers=told, environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 401


def test_a_role_from_a_proxy_that_there_is_not_is_the_least(people):
    gate = Gate(Settings(trust_header="X-Forwarded-User", role_header="X-Role"))
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_USER": "vera", "HTTP_X_ROLE": "root"}
    assert gate.person(environ) == Person("vera", "viewer")
    by_file = Gate(Settings(trust_header="X-Forwarded-User", users=people))
    assert by_file.person({**environ, "HTTP_X_FORWARDED_USER": "ada"}) == Person("ada", "admin")
    assert by_file.person({**environ, "HTTP_X_FORWARDED_USER": "stranger"}) is None


def test_programs_give_name_and_password_where_they_only_read(signed):
    client = signed().client
    assert client.get("/api/v1/zones", auth=("vera", "correct horse")).status_code == 200
    assert client.get("/api/v1/zones", auth=("vera", "wrong")).status_code == 401
    assert client.get("/_dash-layout", auth=("vera", "correct horse")).status_code == 401


def test_people_are_added_from_standard_input_and_the_file_is_the_owners_alone(tmp_path):
    path = tmp_path / "users.json"
    run = CliRunner()
    told = run.invoke(
        cli, ["users", "add", "ada", "--role", "admin", "--stdin", "--file", str(path)], input="a long one\n"
    )
    assert told.exit_code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert "a long one" not in path.read_text() and "$argon2id$" in path.read_text()
    assert Users(path).check("ada", "a long one") is not None and Users(path).check("ada", "another one") is None
    assert run.invoke(cli, ["users", "list", "--file", str(path)]).output.split() == ["ada", "admin"]
    run.invoke(cli, ["users", "remove", "ada", "--file", str(path)])
    assert Users(path).all() == {}


def test_all_faults_of_a_new_user_are_told_at_once(tmp_path):
    with pytest.raises(InputError, match=r"name '\.\.'.*role 'root'.*10 to 256"):
        Users(tmp_path / "u").add("..", "root", "short")
    assert not (tmp_path / "u").exists()


def test_a_file_that_others_may_write_or_that_is_damaged_lets_nobody_in(tmp_path):
    path = tmp_path / "users.json"
    Users(path, CHEAP).add("ada", "admin", "a long one")
    path.chmod(0o666)
    with pytest.raises(StoreError, match="chmod 600"):
        Users(path).all()
    path.chmod(0o600)
    path.write_text("{}")
    with pytest.raises(StoreError, match="damaged"):
        Users(path).all()
