"""The environment variables of all processes that the sandbox starts: the runbook's, with made-up secrets."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.domain.services import Service
from services.sandbox import openai
from services.sandbox.phone import phones
from services.sandbox.postgres.server import SandboxDatabase
from services.sandbox.railway.model import ServiceSpec
from services.sandbox.railway.replica import signal_group, spawn
from services.sandbox.slack import model

ENVIRONMENT = "dev"
PROJECT_REF = "dragonflysandboxdemo"  # as long as a Supabase project's reference
API_KEY = "df_dev_sandbox_key"
RAILWAY_TOKEN = "sandbox-railway-token"  # noqa: S105 - opens nothing but the local Railway
SLACK_BOT_TOKEN = "xoxb-sandbox"  # noqa: S105 - opens nothing but the local Slack
SLACK_APP_TOKEN = "xapp-sandbox"  # noqa: S105 - the same
PROMOTION_SECRET = "sandbox-promotion-secret"  # noqa: S105 - the same for all environments of the sandbox
MACHINE = "ci"
MACHINE_TOKEN = "sandbox-machine-token-for-no-other-bot"  # noqa: S105 - opens nothing but the sandbox's bots
MACHINE_RULE = f"""
# The demo's machine: docs/machines.md.
[[allow]]
may = "request"
who = ["machine:{MACHINE}"]
verbs = ["read", "ask", "deploy"]
"""


@dataclass(frozen=True)
class Identity:
    """The differences between one environment, with its bot, and the others of the workspace.

    `channel`: the one in which its bot posts. `prefix`: of the URLs of its stand-ins and its page ("" or "/staging").
    `mark`: the start of each of its bot's messages.
    """

    environment: str = ENVIRONMENT
    app: model.App = model.DRAGONFLY
    channel: str = "dragonfly-incidents"
    prefix: str = ""
    mark: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The bot's variables."""
        return {
            "ENVIRONMENT": self.environment,
            "SUPABASE_MODE": self.environment,
            "ENVIRONMENT_MARK": self.mark,
            "SLACK_COMMAND": self.app.command,
            "SLACK_INCIDENTS_CHANNEL": self.channel,
            "PROMOTION_SECRET": PROMOTION_SECRET,
        }


PROD = Identity("prod", mark="🟥 prod")
STAGING = Identity("staging", model.STAGING, "dragonfly-staging", "/staging", "🟦 staging")


@dataclass(frozen=True)
class Timing:
    """Times in seconds, shorter than in production (30, 300, 120), so that a person sees the end before they leave."""

    heartbeat_every_s: float = 10.0
    heartbeat_stale_after_s: float = 45.0
    soak_s: int = 20  # how long each added replica is watched; 2 min in the runbook
    alone_after_s: int = 30  # for approvers to answer in an incident, before self-approval; 3 min in production
    alone_countdown_s: int = 20  # for a veto after that; 1 min in production
    sign_after_s: float = 0.7  # as in production; tests that read the first answer wait for it


@dataclass(frozen=True)
class Addresses:
    """The URLs of the stand-ins. `page` is `http://host:port`; `api` is the local Railway's edge."""

    page: str
    api: str

    @property
    def slack_api(self) -> str:
        return f"{self.page}/slack/api/"

    @property
    def railway_api(self) -> str:
        return f"{self.page}/railway/graphql/v2"


def service_specs(
    database: SandboxDatabase, timing: Timing, *, page: str, environment: str = ENVIRONMENT
) -> tuple[ServiceSpec, ...]:
    """The three services of the runbook, with the Procfile's commands. `page`: the URL of the stand-ins."""
    common = {
        "SUPABASE_MODE": environment,
        "ENVIRONMENT": environment,
        "SUPABASE_URL": f"https://{PROJECT_REF}.supabase.co",
        "SUPABASE_SERVICE_ROLE_KEY": _made_up_jwt(),
        "SUPABASE_DB_URL": database.app.reveal(),
        "HEARTBEAT_EVERY_S": str(timing.heartbeat_every_s),
    }
    return (
        ServiceSpec(
            Service.API,
            ("python", "-m", "services.api"),
            {**common, "DRAGONFLY_API_KEY": API_KEY, "LISTEN_ADDRESS": "127.0.0.1"},
            healthcheck_path="/api/live",
            is_public=True,
        ),
        ServiceSpec(Service.INGEST, ("python", "-m", "services.ingest_worker"), common),
        ServiceSpec(
            Service.ENFORCEMENT,
            ("python", "-m", "services.enforcement_worker"),
            {**common, "OPENAI_API_KEY": openai.KEY, "OPENAI_BASE_URL": f"{page}{openai.PATH}"},
        ),
    )


def bot_variables(
    database: SandboxDatabase,
    addresses: Addresses,
    *,
    project_id: str,
    environment_id: str,
    git_sha: str,
    port: int,
    timing: Timing,
    sql_directory: Path,
    identity: Identity | None = None,
) -> dict[str, str]:
    """The bot's environment variables, which point only at the sandbox."""
    return {
        **(identity or Identity()).variables,
        "SUPABASE_URL": f"https://{PROJECT_REF}.supabase.co",
        "SUPABASE_DB_URL": database.bot.reveal(),
        "DRAGONFLY_ROLLBACK_DB_URL": database.owner.reveal(),
        "SLACK_BOT_TOKEN": SLACK_BOT_TOKEN,
        "SLACK_APP_TOKEN": SLACK_APP_TOKEN,
        "SLACK_API_URL": addresses.slack_api,
        "RAILWAY_API_URL": addresses.railway_api,
        "RAILWAY_TOKEN": RAILWAY_TOKEN,
        "RAILWAY_PROJECT_ID": project_id,
        "RAILWAY_ENVIRONMENT_ID": environment_id,
        "RAILWAY_GIT_COMMIT_SHA": git_sha,
        "DRAGONFLY_API_BASE": addresses.api,
        "DRAGONFLY_API_KEY": API_KEY,
        "DRAGONFLY_OPERATORS": model.OPERATORS.id,
        "DRAGONFLY_APPROVERS": model.APPROVERS.id,
        "DRAGONFLY_ONCALL": "bot/config/oncall.example.toml",
        "HEARTBEAT_STALE_AFTER_S": str(timing.heartbeat_stale_after_s),
        "SOAK_SECONDS": str(timing.soak_s),
        "SIGN_AFTER_SECONDS": str(timing.sign_after_s),
        "ALONE_AFTER_SECONDS": str(timing.alone_after_s),
        "ALONE_COUNTDOWN_SECONDS": str(timing.alone_countdown_s),
        "DRAGONFLY_SQL": str(sql_directory.resolve()),
        "PORT": str(port),
        "BOT_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }


def phone_variables(*, page: str, mail: str) -> dict[str, str]:
    """Variables that give each person who may be on call a phone and a mailbox.

    `page`: the URL of the stand-ins; `mail`: SMTP_URL.
    """
    variables = {
        "SMTP_URL": mail,
        "SMTP_FROM": phones.SENDER,
        "PAGERDUTY_WEBHOOK_SECRET": phones.WEBHOOK_SECRET,
        "PAGERDUTY_API_TOKEN": "sandbox-pagerduty-token",
        "PAGERDUTY_API_URL": f"{page}/phone",
    }
    for user in (model.OLIVIA, model.ANN, model.BEN):
        name = user.name.upper()
        variables |= {
            f"PAGER_WEBHOOK_URL_{name}": f"{page}{phones.PATH}",
            f"PAGER_ROUTING_KEY_{name}": phones.routing_key(user.name),
            f"PAGER_EMAIL_{name}": phones.address(user.name),
        }
    return variables


def _made_up_jwt() -> str:
    """A key in the format of Supabase's service-role key, without a real signature."""
    parts = (
        {"alg": "HS256", "typ": "JWT"},
        {"iss": "supabase", "ref": PROJECT_REF, "role": "service_role", "iat": 1764547200, "exp": 2080123200},
    )
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "sandbox-signature-that-opens-nothing-at-all"])


STOP_WITHIN_S = 12.0  # time for the bot to send its last messages


class BotProcess:
    """The process of one replica of the bot."""

    def __init__(self, variables: Mapping[str, str], *, working_directory: Path, log_file: Path) -> None:
        self.variables = dict(variables)
        self._directory = working_directory
        self._log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._copying: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process; does not wait until it is connected."""
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        self._process = await spawn((sys.executable, "-m", "bot"), self.variables, self._directory)
        self._copying = asyncio.create_task(self._copy_output(self._process))

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after `STOP_WITHIN_S`."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Send SIGKILL, to simulate a crash."""
        await self._end(signal.SIGKILL)

    def last_words(self, lines: int = 15) -> str:
        """The last lines of its output, for the error when it does not start."""
        try:
            return "\n".join(self._log_file.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    async def _end(self, wanted: signal.Signals) -> None:
        if self._process is None:
            return
        signal_group(self._process.pid, wanted)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        if self._copying:
            await self._copying

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        with self._log_file.open("ab", buffering=0) as log:
            streams = [stream for stream in (process.stdout, process.stderr) if stream]
            await asyncio.gather(*(_copy(stream, log.write) for stream in streams))


class BotReplicas:
    """All replicas of one sandbox's bot. Implements the page's `BotFaults`."""

    def __init__(self, write_terminal: Callable[[Mapping[str, str]], object]) -> None:
        """`write_terminal` is called with a replica's variables, to update the terminal client."""
        self.all: list[BotProcess] = []
        self._write_terminal = write_terminal

    async def switch_script(self, variables: Mapping[str, str]) -> None:
        """Restart every replica with these variables of a language model; with none, the bot has no model."""
        for bot in self.all:
            await bot.stop()
            for name in (*openai.SCRIPT_VARIABLES, "OPENAI_BASE_URL"):
                bot.variables.pop(name, None)
            bot.variables.update(variables)
            self._write_terminal(bot.variables)
            await bot.start()

    def model(self) -> str:
        """The language model that answers questions; empty if the bot answers by rules alone."""
        variables = self.all[0].variables if self.all else {}
        return variables.get("OPENAI_MODEL", "a real model") if "OPENAI_API_KEY" in variables else ""

    def bot_running(self) -> bool:
        return any(bot.is_running for bot in self.all)

    async def kill_bot(self) -> None:
        await asyncio.gather(*(bot.kill() for bot in self.all if bot.is_running))

    async def start_bot(self) -> None:
        for bot in self.all:
            if not bot.is_running:
                await bot.start()


async def _copy(stream: asyncio.StreamReader, write: Callable[[bytes], object]) -> None:
    while chunk := await stream.read(65_536):
        write(chunk)


def write_policy(directory: Path, default: str) -> Path:
    """Write `policy.toml`: the default, and the rights of the sandbox's machine. An existing file stays."""
    path = directory / "policy.toml"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(default + MACHINE_RULE, encoding="utf-8")
    return path


NAME = "dragonfly"


def write_terminal(directory: Path, variables: Mapping[str, str], *, working_directory: Path) -> Path:
    """Write `dragonfly` into the sandbox's folder: the CLI with the bot's variables and none of the caller's.

    Only the owner may read it, because outside the sandbox these variables are secrets.
    """
    path = directory / NAME
    path.unlink(missing_ok=True)
    path.touch(mode=0o700)
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
    path.write_text(
        "#!/bin/sh\n"
        "# Made at each start of the sandbox: the terminal's side of its bot.\n"
        f"cd {shlex.quote(str(working_directory))} || exit 1\n"
        f'exec env -i HOME="$HOME" PATH="$PATH" LANG="${{LANG:-C.UTF-8}}" {given} '
        f'{shlex.quote(sys.executable)} -m bot.cli "$@"\n'
    )
    return path
