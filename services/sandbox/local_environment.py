"""One environment on this machine: its local Railway, which runs the operated system, and its bot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from services.clients.dragonfly_api.client import DragonflyApi
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from services.sandbox import environment
from services.sandbox.database import has_batches
from services.sandbox.environment import Addresses, BotProcess, BotReplicas, Identity, Timing
from services.sandbox.postgres.server import SandboxDatabase
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import newest_good
from services.sandbox.slack.workspace import Workspace
from services.sandbox.web_server import find_free_port

ROOT = Path(__file__).resolve().parents[2]  # the folder of our packages: the checkout, or site-packages for a wheel
DEMO_CSV = Path(__file__).parent / "data" / "demo_batch.csv"
BOT_CONNECTIONS = 2  # the bot opens two Socket Mode connections
READY_WITHIN_S = 60.0


class LocalEnvironment:
    """One environment. `workspace`: as its app sees it; its `base_url` is the URL of the stand-ins.

    `directory`: for logs and state.
    """

    def __init__(
        self, identity: Identity, workspace: Workspace, urls: SandboxDatabase, *, directory: Path, timing: Timing
    ) -> None:
        self.identity = identity
        self.workspace = workspace
        self.urls = urls
        self.replicas = BotReplicas(self.write_terminal)
        self.railway = LocalRailway(
            environment.service_specs(urls, timing, page=workspace.base_url, environment=identity.environment),
            directory=directory,
            working_directory=ROOT,
            token=environment.RAILWAY_TOKEN,
            environment_name=identity.environment,
        )
        self._directory = directory
        self._timing = timing
        self._cleanup = AsyncExitStack()

    async def start_railway(self) -> None:
        """Start the local Railway; does not wait for its services."""
        self._cleanup.push_async_callback(self.railway.stop)
        await self.railway.start()

    def bot_variables(self, sql_directory: Path) -> dict[str, str]:
        """The variables of one replica of the bot, with its own port."""
        place = self.railway.place
        default = (ROOT / "bot" / "config" / "policy.toml").read_text(encoding="utf-8")
        variables = environment.bot_variables(
            self.urls,
            Addresses(page=self.workspace.base_url, api=self.railway.edge_url),
            project_id=place.project_id,
            environment_id=place.environment_id,
            git_sha=newest_good(self.railway.commits).sha,
            port=find_free_port(),
            timing=self._timing,
            sql_directory=sql_directory,
            identity=self.identity,
        )
        return variables | {
            "DRAGONFLY_POLICY": str(environment.write_policy(self._directory, default).resolve()),
            "MACHINE_TOKENS": f"{environment.MACHINE}={environment.MACHINE_TOKEN}",
        }

    def write_terminal(self, variables: Mapping[str, str]) -> None:
        """Write the terminal client of the bot into the environment's folder."""
        own = {
            "DRAGONFLY_ADMIN_DB_URL": self.urls.owner.reveal(),  # for `migrate`; not for the bot
            "DRAGONFLY_URL": variables["BOT_PUBLIC_URL"],  # for `mcp`
            "DRAGONFLY_MACHINE_TOKEN": environment.MACHINE_TOKEN,
        }
        environment.write_terminal(self._directory, {**variables, **own}, working_directory=ROOT)

    async def start_bot(self, variables: Mapping[str, str]) -> None:
        """Start one more replica of the bot; does not wait until it is connected."""
        log_file = self._directory / "logs" / f"bot-{len(self.replicas.all) + 1}.log"
        bot = BotProcess(variables, working_directory=ROOT, log_file=log_file)
        self.replicas.all.append(bot)
        self._cleanup.push_async_callback(bot.stop)
        await bot.start()

    async def wait_until_ready(self) -> None:
        """Wait until the services serve and every bot has its connections. Raises OperatorError."""
        waiting = asyncio.create_task(self.railway.wait_until_serving(READY_WITHIN_S))
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while self.workspace.sockets.count < BOT_CONNECTIONS * len(self.replicas.all):
                    self._check_bots()
                    await asyncio.sleep(0.05)
                await waiting
        except TimeoutError:
            raise OperatorError(
                f"{self.identity.environment} did not get ready",
                why=f"after {READY_WITHIN_S:.0f} s the bot holds {self.workspace.sockets.count} connections "
                f"and Railway shows {_summary(self.railway)}",
                what_next=f"Read the logs in {self._directory / 'logs'}, then start again.",
            ) from None
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def send_demo_file(self) -> str | None:
        """Upload the demo file through the API, if no file was ever uploaded.

        Returns None, or why the API did not accept it.
        """
        if await has_batches(self.urls):
            return None
        api = DragonflyApi(self.railway.edge_url, Secret(environment.API_KEY), system=RUNBOOK.name)
        try:
            await api.upload_csv(DEMO_CSV.name, DEMO_CSV.read_bytes())
        except SourceError as exc:
            return exc.why
        finally:
            await api.aclose()
        return None

    async def stop(self) -> None:
        """Stop everything that was started, last started first."""
        await self._cleanup.aclose()

    def _check_bots(self) -> None:
        for bot in self.replicas.all:
            if not bot.is_running:
                raise OperatorError(
                    "The bot did not start", why=f"its process ended:\n{bot.last_words()}", what_next="Fix that first."
                )


def _summary(railway: LocalRailway) -> str:
    services = railway.snapshot().services
    return ", ".join(f"{s.name} {s.active.status if s.active else 'without a deployment'}" for s in services)
