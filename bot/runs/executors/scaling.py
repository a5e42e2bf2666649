"""Sets a service's replicas: absolute, and with every region kept."""

from __future__ import annotations

from collections.abc import Mapping

from bot.runs.tools import Act, Tools
from bot.runs.verdicts import Before, Differs, Done, Json, NotThere, ReadBack, Ready, Unseen
from playbooks._steps import ScaleService
from services.domain.deployments import ServiceState
from services.domain.errors import SourceError, Unavailable
from services.domain.words import counted


class Scale(Act):
    """The step carries `from_` and `to`; how `to` is spread over the regions is decided from what is there."""

    def __init__(self, tools: Tools, step: ScaleService) -> None:
        self._tools = tools
        self._step = step

    async def before(self) -> Before:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unseen(str(state))
        now = _configured(state)
        if now == self._step.to:
            return Done(f"{self._step.service.short} has {counted(now, 'replica')} already")
        if now != self._step.from_:
            return Differs(
                f"{self._step.service.short} has {_count(now)} now, and the step starts from {self._step.from_}"
            )
        if not state.regions:
            return Differs("Railway does not say in which regions the service runs")
        wanted = spread(state.regions, self._step.to)
        if wanted is None:
            return Differs(f"{self._step.to} replicas cannot keep its {len(state.regions)} regions")
        return Ready({"regions": wanted, "was": dict(state.regions)})

    async def send(self, intent: Json, deadline: float) -> None:
        await self._tools.mutations.scale(self._step.service, intent["regions"], deadline=deadline)

    async def read_back(self, intent: Json) -> ReadBack:
        state = await self._tools.state_of(self._step.service)
        if isinstance(state, Unavailable):
            return Unseen(str(state))
        now = dict(state.regions)
        if now == intent["regions"]:
            note = f"{self._step.service.short} is set to {counted(self._step.to, 'replica')}"
            return Done(note, {"regions": now})
        if now == intent["was"]:
            return NotThere(f"{self._step.service.short} still has {_count(_configured(state))}")
        return Unseen(f"{self._step.service.short} has {_count(_configured(state))}, which somebody else must have set")


def spread(regions: Mapping[str, int], to: int) -> dict[str, int] | None:
    """`to` replicas over the same regions: added where there are fewest, taken where there are most, one at least each.

    None when there are more regions than replicas: none is ever removed.
    """
    if to < len(regions) or not regions:
        return None
    counts = {region: max(count, 1) for region, count in regions.items()}
    while sum(counts.values()) < to:
        counts[min(sorted(counts), key=lambda region: counts[region])] += 1
    while sum(counts.values()) > to:
        counts[max(sorted(counts), key=lambda region: counts[region])] -= 1
    return counts


async def set_replicas(tools: Tools, step: ScaleService, deadline: float) -> None:
    """Configure `to` replicas, unless they are configured already. Raises SourceError."""
    state = await tools.state_of(step.service)
    if isinstance(state, Unavailable):
        raise SourceError(state.source, state.why, retryable=True)
    wanted = spread(state.regions, step.to)
    if wanted is not None and wanted != dict(state.regions):
        await tools.mutations.scale(step.service, wanted, deadline=deadline)


def _configured(state: ServiceState) -> int | None:
    """A stopped service has none, whatever is configured."""
    return state.replicas_wanted


def _count(number: int | None) -> str:
    return "an unknown number of replicas" if number is None else counted(number, "replica")
