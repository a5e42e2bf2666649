"""The image, the files that its build gets, and the files that start it: on Railway, and on one machine by Compose.

Docker is not needed: the files are read as Docker, Compose and Railway document them.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.web.app import create_app
from bot.web.metrics import Health, Metrics
from services.api.app import build_app
from services.api.settings import ApiSettings
from services.job_queue.worker import WorkerSettings
from tests.procfile import START_COMMANDS
from tests.settings import variables

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RAILWAY = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "ops/railway").glob("*.json"))}
NEEDED = {"ENVIRONMENT", "SUPABASE_DB_URL"}  # by each of our processes
# Keys of railway.json that Railway documents (docs.railway.com/config-as-code/reference) and that we may use. Replicas
# are left out on purpose: a file would undo `/dragonfly scale` at the next deployment.
RAILWAY_KEYS: dict[str, dict[str, type]] = {
    "build": {"builder": str, "dockerfilePath": str, "watchPatterns": list},
    "deploy": {
        "startCommand": str,
        "preDeployCommand": list,
        "healthcheckPath": str,
        "healthcheckTimeout": int,
        "drainingSeconds": int,  # the parser refuses text, although the reference shows it
        "overlapSeconds": int,
        "restartPolicyType": str,
        "restartPolicyMaxRetries": int,
    },
}


def _instructions() -> list[tuple[str, str]]:
    """`[(instruction, arguments)]` of the Dockerfile, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1].strip()) for line in text.splitlines() if line]


def _last_stage() -> list[tuple[str, str]]:
    own = _instructions()
    return own[max(number for number, (name, _) in enumerate(own) if name == "FROM") :]


def _arguments(name: str, instructions: list[tuple[str, str]]) -> list[str]:
    return [arguments for found, arguments in instructions if found == name]


def test_the_image_is_built_from_slim_images_of_one_named_release() -> None:
    images = [arguments.split()[0] for arguments in _arguments("FROM", _instructions())]

    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", images[0])


def test_the_image_installs_only_what_is_locked() -> None:
    installs = [arguments for arguments in _arguments("RUN", _instructions()) if "pip install" in arguments]

    assert all("--require-hashes" in one or "--no-deps" in one for one in installs)
    assert len(installs) == 2


def test_the_image_runs_as_no_one_s_account() -> None:
    last = _last_stage()
    user = _arguments("USER", last)[-1]

    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert [name for name, _ in last[last.index(("USER", user)) :] if name in {"RUN", "COPY", "ADD"}] == []


def test_the_image_carries_no_tools_of_the_build() -> None:
    names = [name for name, _ in _last_stage()]

    assert "RUN" not in names
    assert "ADD" not in [name for name, _ in _instructions()]
    assert _arguments("COPY", _last_stage()) == ["--from=build /opt/dragonfly /opt/dragonfly", "*.toml ./"]


def test_the_image_starts_no_shell_between_docker_and_the_process() -> None:
    """A shell would not pass on SIGTERM."""
    commands = _arguments("CMD", _instructions()) + _arguments("ENTRYPOINT", _instructions())

    assert [json.loads(command)[0] for command in commands] == ["dragonfly"]


def test_the_image_runs_the_locked_versions_and_can_trace() -> None:
    product, image = (_versions(ROOT / name) for name in ("requirements.txt", "requirements-otel.txt"))

    assert product.items() <= image.items()
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= image.keys()


def _versions(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", path.read_text(), re.M))


def test_the_image_holds_no_secret() -> None:
    kept = " ".join(_arguments("ARG", _instructions()) + _arguments("ENV", _instructions()))

    assert re.findall(r"\w*(?:TOKEN|KEY|SECRET|PASSWORD|DB_URL)\w*", kept) == []


def _rules() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _is_sent(name: str) -> bool:
    """True if Docker sends the file to the build: the last rule that matches it or a folder above it decides."""
    parts = name.split("/")
    places = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    sent = True
    for rule in _rules():
        pattern = rule.removeprefix("!")
        if any(_matches(place, pattern) for place in places):
            sent = rule.startswith("!")
    return sent


def _matches(place: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(place.rsplit("/", 1)[-1], pattern[3:])
    return place.count("/") == pattern.count("/") and fnmatch.fnmatchcase(place, pattern)


def _tracked() -> Iterator[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    yield from listed.stdout.splitlines()


def test_the_build_is_sent_the_sources_of_the_wheel_and_nothing_else() -> None:
    folders = ("backend/", "bot/", "data_in/", "playbooks/", "services/", "sql/", "tools/")
    files = {"pyproject.toml", "README.md", "requirements-otel.txt"}
    wanted = {
        name
        for name in _tracked()
        if name in files or (name.startswith(folders) and not name.startswith("services/sandbox/"))
    }

    assert {name for name in _tracked() if _is_sent(name)} == wanted


@pytest.mark.parametrize(
    "name", [".env", ".git/config", "bot/__pycache__/app.pyc", ".venv/bin/python", "tests/wire.py"]
)
def test_the_build_is_not_sent_secrets_or_leftovers(name: str) -> None:
    assert not _is_sent(name)


def test_the_build_is_sent_files_of_one_s_own() -> None:
    assert _is_sent("oncall.toml")


def test_compose_starts_the_processes_of_the_procfile() -> None:
    commands = {name: shlex.join(one["command"]) for name, one in SERVICES.items() if "command" in one}

    assert commands == {**START_COMMANDS, "migrate": "python -m bot.cli migrate"}


@pytest.mark.parametrize("name", [*START_COMMANDS, "migrate"])
def test_compose_keeps_a_process_small(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"][0].startswith("/tmp:")  # noqa: S108 - inside the container
    assert service["build"]["context"] == "."


@pytest.mark.parametrize("name", [*START_COMMANDS, "migrate"])
def test_compose_sets_variables_that_the_settings_know(name: str) -> None:
    given = SERVICES[name]["environment"]

    assert set(given) <= set(variables())
    assert set(given) >= NEEDED


@pytest.mark.parametrize("name", START_COMMANDS)
def test_compose_gives_no_process_the_owner_s_password(name: str) -> None:
    own = {"bot": "BOT_PASSWORD"}.get(name, "APP_PASSWORD")
    given = json.dumps(SERVICES[name]["environment"])

    assert set(re.findall(r"\w+_PASSWORD", given)) == {own}


def test_compose_publishes_to_this_machine_only() -> None:
    published = [port for one in SERVICES.values() for port in one.get("ports", [])]

    assert published == ["127.0.0.1:8080:8080"]


def test_compose_and_railway_drain_equally_long_and_longer_than_a_job() -> None:
    grace_s = WorkerSettings.model_fields["stop_grace_s"].default
    railway = {name: one["deploy"]["drainingSeconds"] for name, one in RAILWAY.items()}

    assert {name: f"{seconds}s" for name, seconds in railway.items()} == {
        name: SERVICES[name]["stop_grace_period"] for name in START_COMMANDS
    }
    assert min(seconds for name, seconds in railway.items() if name != "bot") >= grace_s + 15  # docs/railway.md


def test_railway_starts_the_processes_of_the_procfile() -> None:
    assert {name: one["deploy"]["startCommand"] for name, one in RAILWAY.items()} == START_COMMANDS


@pytest.mark.parametrize("name", RAILWAY)
def test_railway_is_given_what_it_documents(name: str) -> None:
    sections = {key: value for key, value in RAILWAY[name].items() if key != "$schema"}

    assert set(sections) <= set(RAILWAY_KEYS)
    for section, values in sections.items():
        assert {key: type(value) for key, value in values.items()}.items() <= RAILWAY_KEYS[section].items()
    assert sections["build"] == {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}


def test_railway_migrates_before_the_api_and_nowhere_else() -> None:
    commands = {name: one["deploy"].get("preDeployCommand") for name, one in RAILWAY.items()}

    assert commands.pop("api") == ["python -m bot.cli migrate"]
    assert set(commands.values()) == {None}


def test_railway_checks_a_path_that_the_process_serves() -> None:
    paths = {name: one["deploy"].get("healthcheckPath") for name, one in RAILWAY.items()}

    async def healthy() -> Health:
        return Health(slack_connections=1, slack_expected=1, database=None, leader=False)

    api = build_app(ApiSettings(environment="dev", supabase_db_url="postgresql://u@h/d"))
    served = {
        "api": api.openapi()["paths"],
        "bot": create_app(health=healthy, metrics=Metrics()).openapi()["paths"],
    }

    assert paths["worker-ingest"] is paths["worker-enforcement"] is None
    assert all(paths[name] in served[name] for name in served)


@pytest.mark.parametrize("name", RAILWAY)
def test_the_page_about_railway_reports_what_its_files_report(name: str) -> None:
    deploy = RAILWAY[name]["deploy"]
    line = next(
        line for line in (ROOT / "docs/railway.md").read_text().splitlines() if f"`{deploy['startCommand']}`" in line
    )

    assert f"ops/railway/{name}.json" in line
    assert f"{deploy['drainingSeconds']} s" in line
    assert deploy.get("healthcheckPath", "none") in line
    assert ("migrate" in line) is ("preDeployCommand" in deploy)
