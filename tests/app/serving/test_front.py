"""What every request meets: headers, ids, hosts, sites, probes, figures, the log, and paths that lead nowhere."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from app.serving.access_log import JsonLines, log
from app.serving.metrics import newest_reading_age_s
from app.serving.origin import client_address, cross_site_fault, is_direct_local
from app.serving.probes import readiness
from app.serving.settings import Settings, check_settings
from app.serving.users import Users
from data.errors import InputError
from data.store.runs import RunStore
from data.store.workspace import Workspace

ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.mark.parametrize(
    "path", ["/", "/models", "/healthz", "/_dash-layout", "/nothing/here.json", "/w/none/", "/api/x/geo.json"]
)
def test_every_answer_has_the_headers_that_keep_it_to_itself(opened, path):
    headers = opened.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]
    assert re.fullmatch("[0-9a-f]{16}", headers["X-Request-ID"])


def test_a_pages_scripts_have_its_nonce_and_the_policy_allows_no_other(opened):
    first, second = opened.client.get("/"), opened.client.get("/")
    policy = first.headers["Content-Security-Policy"]
    nonce = re.search("'nonce-([^']+)'", policy)[1]
    scripts = re.findall("<script[^>]*>", first.get_data(as_text=True))
    assert all(f'nonce="{nonce}"' in script for script in scripts if "application/json" not in script)
    assert nonce not in second.headers["Content-Security-Policy"]
    rules = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert rules["script-src"] == f"'self' 'nonce-{nonce}'"
    assert "http" not in policy and "unsafe-eval" not in policy


@pytest.mark.parametrize(("given", "kept"), [
    ("abc-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("<script>", False), ("", False),
])  # fmt: skip
def test_a_request_id_is_kept_where_it_is_a_plain_one(opened, given, kept):
    told = opened.client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert (told == given) is kept


def test_where_nobody_signs_in_another_host_name_is_refused(opened):
    """A page elsewhere whose name was made to point here (DNS rebinding) asks under its own name."""
    assert opened.client.get("/", headers={"Host": "evil.test"}).status_code == 421
    assert opened.client.get("/", headers={"Host": "127.0.0.1:8050"}).status_code == 200


@pytest.mark.parametrize(("headers", "fine"), [
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://town.test"}, True),
    ({"Origin": "http://town.test"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, False), ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Origin": "http://evil.test"}, False), ({"Origin": "null"}, False),
    ({"Origin": "http://town.test.evil.test"}, False),
    ({"Origin": "http://[bad"}, False), ({"Cookie": "zonewise=x"}, False), ({}, True),
])  # fmt: skip
def test_a_change_is_taken_from_our_own_pages_alone(headers, fine, people):
    environ = {"REQUEST_METHOD": "POST", "HTTP_HOST": "town.test", "REMOTE_ADDR": "203.0.113.9"}
    environ |= {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
    assert (cross_site_fault(environ, Settings(users=people)) == "") is fine


def test_addresses_that_are_forwarded_count_only_from_a_proxy_that_is_trusted():
    """The last that is no proxy of ours: what stands before it, anybody can write."""
    settings = Settings(trust_from=("10.0.0.0/8",))
    told = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.2.3.4, 198.51.100.7, 10.0.0.2"}
    assert client_address(told, settings) == "198.51.100.7"
    assert client_address({**told, "REMOTE_ADDR": "203.0.113.9"}, settings) == "203.0.113.9"
    local = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8050"}
    assert is_direct_local(local) and not is_direct_local({**local, "HTTP_X_FORWARDED_FOR": "1.2.3.4"})


def test_serving_elsewhere_without_sign_in_is_refused_with_the_cure(people):
    with pytest.raises(InputError, match="--users FILE"):
        check_settings(Settings(), "0.0.0.0")
    check_settings(Settings(), "::1")
    check_settings(Settings(users=people), "0.0.0.0")


def test_all_faults_of_the_settings_are_told_at_once(tmp_path):
    wrong = Settings(users=tmp_path / "none", role_header="X Role", trust_from=("nowhere",), session_hours=0)
    with pytest.raises(InputError) as told:
        check_settings(wrong, "127.0.0.1")
    for words in ("no such file", "no header's name", "needs --trust-header", "'nowhere'", "--session-hours"):
        assert words in str(told.value)


def test_a_workspace_that_lost_a_run_or_its_job_table_is_not_ready(space, tmp_path):
    assert readiness(space)["ready"]
    empty = Workspace(tmp_path / "none")
    assert readiness(empty)["checks"]["workspace"] == "there is no workspace.json"
    other = Workspace(tmp_path / "other")
    other.update(runs={"city": "city-000000000000"})
    assert "city" in readiness(other)["checks"]["workspace"]
    other.jobs_path.write_bytes(b"this is no database, however long it may be" * 10)
    assert "job table" in readiness(other)["checks"]["jobs"]


def test_the_probes_answer_without_sign_in(signed):
    client = signed().client
    assert client.get("/healthz", environ_base=ELSEWHERE).json == {"alive": True}
    assert client.get("/readyz", environ_base=ELSEWHERE).json["ready"] is True


def test_figures_are_for_an_admin_or_a_program_on_this_machine(signed):
    assert signed().client.get("/metrics").status_code == 200
    assert signed().client.get("/metrics", environ_base=ELSEWHERE).status_code == 401
    assert signed().client.get("/metrics", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 401
    assert signed("vera").client.get("/metrics", environ_base=ELSEWHERE).status_code == 403
    assert signed("ada").client.get("/metrics", environ_base=ELSEWHERE).status_code == 200


def test_figures_count_requests_by_route_and_tell_of_jobs_and_models(opened):
    for name in ("abc", "def"):
        opened.client.get(f"/api/{name}/geo.json", buffered=True)
    text = opened.client.get("/metrics").get_data(as_text=True)
    line = 'zonewise_http_requests_total{method="GET",route="/api/<run>/geo.json",status="404"} '
    assert float(text.split(line)[1].split("\n")[0]) >= 2.0
    assert 'zonewise_http_request_seconds_bucket{le="0.5",route="/api/<run>/geo.json"}' in text
    assert "zonewise_models " in text and "zonewise_newest_reading_age_seconds " in text
    assert "abc" not in text


def test_the_age_of_the_newest_reading_is_now_less_its_time(tmp_path):
    """12:00 UTC is 50 400 s after 22:00 UTC of the day before."""
    space = Workspace(tmp_path)
    assert newest_reading_age_s(space) is None
    space.update(now="1970-01-01T22:00:00+00:00")
    assert newest_reading_age_s(space, now=86_400 + 43_200.0) == 50_400.0


def test_a_request_is_a_line_of_json_whatever_its_path_holds(opened):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log.addHandler(handler)
    before, log.propagate = log.level, False
    log.setLevel(logging.INFO)
    try:
        opened.client.get('/x%0a{"level":"forged"}', headers={"X-Request-ID": "mine"}, buffered=True)
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        log.propagate = True
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    told = json.loads(lines[0])
    assert told["method"] == "GET" and told["id"] == "mine" and told["status"] == 404 and told["ms"] >= 0
    assert told["path"].startswith("/x\n")


@pytest.mark.parametrize("path", [
    "/w/../", "/w/..%2f..%2f/", "/w/%2e%2e/", "/w/.hidden/", "/api/../geo.json", "/api/%2e%2e/geo.json",
    "/api/..%5c..%5c/geo.json", "/api/city-1%00/geo.json", "/assets/../server.py", "/assets/%2e%2e/server.py",
    "/assets/..%2fserver.py", "/assets//etc/passwd", "/static/..%2fserver.py",
    "/_dash-component-suites/dash/..%2f..%2f..%2fetc/passwd", "/api/v1/effects?study=../../workspace",
    "/api/v1/effects?study=%00", "/api/v1/forecasts?zone=../..",
])  # fmt: skip
def test_no_path_of_a_request_leads_out_of_what_is_served(opened, path):
    answer = opened.client.get(path)
    assert answer.status_code in (200, 308, 400, 404)
    assert b"root:" not in answer.data and b"create_app" not in answer.data
    if answer.status_code == 200:  # the pages' own frame, or a table without rows
        assert answer.mimetype == "text/html" or answer.json["total"] == 0


@pytest.mark.parametrize("run", ["", "..", "../x", "a/b", ".aside-x", "a\\b", "a\0b"])
def test_a_store_has_no_run_of_a_name_that_leads_elsewhere(tmp_path, run):
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "runs").mkdir()
    assert not RunStore(tmp_path / "runs").has(run)


def test_an_error_of_a_callback_is_an_answer_without_a_trace(signed, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret of the machine")

    monkeypatch.setattr("app.shell.content", broken)
    answer = signed("vera").call("url.pathname > page", url="/")
    assert answer.status_code == 500
    assert b"secret" not in answer.data and answer.headers["X-Request-ID"] in answer.json["error"]


def test_a_damaged_file_of_people_lets_nobody_in_and_says_no_path(space, tmp_path):
    from app.server import create_app

    path = tmp_path / "users.json"
    Users(path).add("ada", "admin", None)
    client = create_app(space, settings=Settings(users=path, trust_header="X-User")).server.test_client()
    assert client.get("/", headers={"X-User": "ada"}).status_code == 200
    path.write_text("{")
    answer = client.get("/", headers={"X-User": "ada"})
    assert answer.status_code == 503 and str(tmp_path).encode() not in answer.data
