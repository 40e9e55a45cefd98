"""The container's recipe and the compose example, held to rules that need no engine."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import yaml

from app.cli import cli

ROOT = Path(__file__).parents[1]


def steps():
    """(Instruction, its text) of the recipe; continued lines are joined, comments left out."""
    lines = [line for line in (ROOT / "Containerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def last_stage():
    found = steps()
    first = max(k for k, (name, _) in enumerate(found) if name == "FROM")
    return found[first:]


def of(name, among):
    return [text for step, text in among if step == name]


def check_command(words):
    """A command line of ours as click reads it: every command and option is there."""
    context = click.Context(cli, info_name="zonewise")
    command = cli
    while isinstance(command, click.Group):
        name, words = words[0], words[1:]
        command = command.get_command(context, name)
        assert command is not None, f"no command {name!r}"
    command.make_parser(context).parse_args(list(words))


def test_the_base_is_a_slim_debian_of_a_named_release():
    bases = of("FROM", steps())
    assert len(bases) == 2 and all(re.match(r"debian:\d+-slim( AS \w+)?$", base) for base in bases)


def test_it_runs_as_nobody_special_and_owns_its_volume_alone():
    final = last_stage()
    (user,) = of("USER", final)
    assert re.fullmatch(r"\d{4,}:\d{4,}", user)
    (volume,) = of("VOLUME", final)
    home = dict(re.findall(r"(\w+)=(\S+)", of("ENV", final)[0]))["ZONEWISE_HOME"]
    assert json.loads(volume) == [home] == of("WORKDIR", final)
    names = [name for name, _ in final]
    assert names.index("USER") > max(k for k, name in enumerate(names) if name in ("RUN", "COPY"))


def test_its_health_is_asked_of_healthz_on_the_port_that_it_exposes():
    (health,), (port,) = of("HEALTHCHECK", last_stage()), of("EXPOSE", last_stage())
    assert f"127.0.0.1:{port}/healthz" in health and "--interval=" in health and "--timeout=" in health
    command = json.loads(health[health.index("[") :])
    compile(command[-1], "health", "exec")
    from app.serving.door import DOOR

    assert "/healthz" in DOOR


def test_every_path_that_is_copied_exists_and_is_not_ignored():
    let = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for text in of("COPY", steps()):
        words = shlex.split(text)
        if words[0].startswith("--from="):
            continue
        for path in words[:-1]:
            assert (ROOT / path).exists() and path in let, path
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    assert packages <= {word for text in of("COPY", steps()) for word in shlex.split(text)}


def test_layers_are_made_as_linters_ask():
    """As hadolint's DL3008's cousins: lists removed, nothing recommended, no cache, no latest, no ADD, no secrets."""
    for text in of("RUN", steps()):
        if "apt-get install" in text:
            assert (
                "apt-get update" in text and "--no-install-recommends" in text and "rm -rf /var/lib/apt/lists" in text
            )
            assert "-y" in text
        if "pip install" in text:
            assert "--no-cache-dir" in text
        assert "sudo" not in text and "curl" not in text
    assert not of("ADD", steps()) and ":latest" not in (ROOT / "Containerfile").read_text()
    assert not re.search(r"password|secret|token", (ROOT / "Containerfile").read_text(), re.IGNORECASE)
    for name in ("CMD", "ENTRYPOINT"):
        assert all(isinstance(json.loads(text), list) for text in of(name, last_stage()))


def test_its_command_is_one_of_ours():
    assert json.loads(of("ENTRYPOINT", last_stage())[0]) == ["zonewise"]
    check_command(json.loads(of("CMD", last_stage())[0]))


def test_every_service_of_the_example_is_shut_off_and_runs_a_command_that_exists():
    told = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = told["services"]
    assert {"broker", "app", "watch"} <= set(services)
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"] and ":latest" not in service["image"]
        assert "privileged" not in service and set(service["networks"]) <= set(told["networks"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in told["volumes"]
        if service["image"] == "zonewise" and "entrypoint" not in service:
            check_command(service["command"])
    assert "--users" in services["app"]["command"]  # elsewhere than loopback only with sign-in
