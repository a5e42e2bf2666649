"""Modules that the terminal leaves out to start fast, and those that the bot imports before the first press.

It counts modules, not seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys

from bot.commands.registry import REGISTRY

NEVER = {"aiohttp", "aiosmtplib", "apscheduler", "fastapi", "openai", "prometheus_client", "pydantic_settings"}
NEVER |= {"slack_bolt", "slack_sdk", "starlette", "uvicorn"}
FOR_HELP = NEVER | {"asyncio", "httpx", "psycopg", "pydantic", "playbooks", "bot.config", "bot.world", "bot.wiring"}
FOR_A_READ = NEVER | {"bot.wiring", "bot.runs.engine", "rich"}
# The modules of bot.commands that help needs.
DECLARING = {"arguments", "command", "help", "parsing", "registry", "terminal_verbs", "verbs"}
MODULES_OF_HEALTH = 122  # our own; one of new code costs 2 to 3 ms, one that is split off another file nothing
CLOSED = "127.0.0.1:9"  # nothing listens on the discard port
CONFIGURED = {
    "SLACK_BOT_TOKEN": "xoxb-made-up",
    "SLACK_APP_TOKEN": "xapp-made-up",
    "SLACK_API_URL": f"http://{CLOSED}/",
    "SUPABASE_DB_URL": f"postgresql://u:p@{CLOSED}/d",
    "RAILWAY_TOKEN": "made-up",
    "RAILWAY_PROJECT_ID": "p",
    "RAILWAY_ENVIRONMENT_ID": "e",
    "RAILWAY_API_URL": f"http://{CLOSED}/",
    "DRAGONFLY_API_BASE": f"http://{CLOSED}/",
    "ENVIRONMENT": "dev",
    "SUPABASE_MODE": "dev",
    "OPENAI_API_KEY": "sk-made-up",
}
PROGRAM = """
import json, sys
from bot.cli import main
for line in sys.argv[1:]:
    sys.argv[1:] = line.split()
    try:
        main()
    except SystemExit:
        pass
print(json.dumps(sorted(sys.modules)))
"""
BOT = """
import json, os, sys
from bot import tracing
from bot.app import Bot
from bot.config.environment import Settings
Bot(Settings.from_environment(os.environ))
tracing.start(None, environment="dev")
with tracing.span("command", surface="slash"):
    assert tracing.traceparent() is None
print(json.dumps(sorted(sys.modules)))
"""
WORKER = """
import json, sys
import services.enforcement_worker.__main__
print(json.dumps(sorted(sys.modules)))
"""


def imported(*lines: str, program: str = PROGRAM) -> set[str]:
    """The modules that are loaded after these lines ran, one after another, in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", program, *lines], capture_output=True, text=True, check=True, env=CONFIGURED
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def within(modules: set[str], names: set[str]) -> set[str]:
    """Those modules that are one of these names, or inside a package of that name."""
    return {module for module in modules if any(f"{module}.".startswith(f"{name}.") for name in names)}


def test_help_imports_only_what_declares_the_commands() -> None:
    modules = imported("--help", "help", "help changes", "help jobs")

    assert "bot.commands.registry" in modules
    assert within(modules, FOR_HELP) == set()
    assert within(modules, {"bot.commands"}) == {"bot.commands", *(f"bot.commands.{name}" for name in DECLARING)}


def test_help_of_a_command_imports_its_procedure_only() -> None:
    modules = imported("help queue")

    assert "playbooks.queue" in modules
    assert within(modules, {"playbooks.logs", "playbooks.rollback", "psycopg", "httpx", "asyncio"}) == set()


def test_a_read_imports_nothing_of_the_bot_that_serves_slack() -> None:
    modules = imported("health --json", "queue", "scale ingest 2 --dry-run")

    assert {"bot.commands.dispatch", "playbooks.health", "playbooks.queue", "playbooks.scale"} <= modules
    assert within(modules, FOR_A_READ) == set()


def test_health_imports_its_own_command_and_playbook_only() -> None:
    others = {"bot.commands.logs", "bot.commands.rollback", "bot.commands.incident"}
    changes = {"bot.facts.plan", "playbooks.plan", "playbooks.steps", "playbooks.change_parts"}
    changes |= {"bot.config.policy", "bot.config.policy_file", "bot.slack_directory", "bot.people"}
    reads = {"playbooks.doctor", "playbooks.log_patterns", "playbooks.preflight", "playbooks.prod_gate"}
    reads |= {"playbooks.verify", "services.clients.pagers", "services.domain.notifications"}

    oncall = {"bot.config.oncall_file", "services.domain.oncall", "services.domain.rotations", "tomllib"}
    stored = {"incidents", "runs", "audit", "intake", "history", "todos"}
    words = {f"{layer}.{name}" for layer in ("services.domain", "services.clients.postgres") for name in stored}

    modules = imported("health")
    assert within(modules, others | changes | reads | oncall | words) == set()
    assert len(within(modules, {"bot", "playbooks", "services"})) < MODULES_OF_HEALTH


def test_the_bot_imports_every_command_before_a_person_presses_a_button() -> None:
    places = {place.place.partition(":")[0] for verb in REGISTRY.values() for place in verb.places}

    modules = imported(program=BOT)
    assert places <= modules
    assert not within(modules, {"openai"}), "the SDK is imported with the first question: an idle bot needs no model"
    # FastAPI imports its API by itself where it is installed.
    assert not within(modules, {"opentelemetry.sdk", "opentelemetry.exporter"}), "there is no endpoint for traces"


def test_the_worker_that_writes_memos_imports_the_sdk_with_the_first_memo() -> None:
    assert not within(imported(program=WORKER), {"openai"})
