"""Lets a push deploy, or keeps it from deploying. Best effort: it never blocks a rollback."""

from __future__ import annotations

from bot.runs.tools import Act, Tools
from bot.runs.verdicts import Before, Done, Json, NotThere, ReadBack, Ready, Unseen
from services.domain.errors import Unavailable
from services.domain.services import Service


class SetAutoDeploy(Act):
    """Absolute, and Railway tells what is set."""

    best_effort = True

    def __init__(self, tools: Tools, service: Service, *, enabled: bool) -> None:
        self._tools = tools
        self._service = service
        self._enabled = enabled
        self.consequence = (
            f"switch auto-deploy of {service.short} on again in Railway"
            if enabled
            else "a push to main will overwrite this rollback"
        )

    async def before(self) -> Before:
        """What is set now does not matter, and that it cannot be read does not stop the attempt."""
        return Ready({"enabled": self._enabled})

    async def send(self, _intent: Json, deadline: float) -> Done:
        """Railway's answer is what is set now."""
        await self._tools.mutations.set_auto_deploy(self._service, enabled=self._enabled, deadline=deadline)
        return self._done()

    async def read_back(self, _intent: Json) -> ReadBack:
        enabled = await self._tools.world.auto_deploy(self._service)
        if isinstance(enabled, Unavailable):
            return Unseen(str(enabled))
        return self._done() if enabled is self._enabled else NotThere("auto-deploy is not switched")

    def _done(self) -> Done:
        return Done(f"a push to main {'deploys' if self._enabled else 'does not deploy'} {self._service.short}")
