"""Tells an open page which of its parts to fetch again (Server-Sent Events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from services.sandbox.phone.phones import Phones
from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack.changes import ChangeKind
from services.sandbox.slack.workspace import Workspace

KEEP_ALIVE_S = 15.0  # a comment line this often shows that the connection lives
GATHER_S = 0.03  # several changes within this time are one refresh

PARTS: dict[ChangeKind, tuple[str, ...]] = {
    ChangeKind.MESSAGE_POSTED: ("timeline", "sidebar"),
    ChangeKind.MESSAGE_CHANGED: ("timeline",),
    ChangeKind.MESSAGE_DELETED: ("timeline", "sidebar"),
    ChangeKind.VIEW: ("modal",),
    ChangeKind.HOME: ("home",),
    ChangeKind.CHANNEL: ("sidebar",),
    ChangeKind.REFUSED: ("timeline",),
    ChangeKind.CONNECTION: ("sidebar", "panel"),
    ChangeKind.MISSED: ("timeline", "sidebar", "home", "modal"),
}


class ChangedParts:
    """The parts that changed since they were last taken."""

    def __init__(self) -> None:
        self._parts: set[str] = set()
        self._something = asyncio.Event()

    def add(self, parts: Iterable[str]) -> None:
        self._parts.update(parts)
        self._something.set()

    async def take(self, timeout_s: float) -> list[str]:
        """The parts, as soon as there is one; empty after `timeout_s` seconds without any."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._something.wait()
        except TimeoutError:
            return []
        await asyncio.sleep(GATHER_S)
        self._something.clear()
        taken, self._parts = sorted(self._parts), set()
        return taken


async def live_events(
    workspace: Workspace, railway: LocalRailway, phones: Phones, viewer: str
) -> AsyncGenerator[str, None]:
    """The names of the parts that changed for this person, as events, until the browser goes away.

    It begins with all of them: the page may have missed changes while it loaded or while its tab slept.
    """
    changed = ChangedParts()
    changed.add(PARTS[ChangeKind.MISSED])
    watchers = [
        asyncio.create_task(_watch_slack(workspace, viewer, changed)),
        asyncio.create_task(_watch(railway.subscribe(), "panel", changed)),
        asyncio.create_task(_watch(phones.subscribe(), "phones", changed)),
    ]
    try:
        while True:
            parts = await changed.take(KEEP_ALIVE_S)
            yield "".join(f"event: {part}\ndata: changed\n\n" for part in parts) or ": still here\n\n"
    finally:
        for watcher in watchers:
            watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)


async def _watch_slack(workspace: Workspace, viewer: str, changed: ChangedParts) -> None:
    with workspace.subscribe() as changes:
        async for change in changes:
            if change.user in (None, viewer):
                changed.add(PARTS[change.kind])


async def _watch(changes: AsyncIterator[int], part: str, changed: ChangedParts) -> None:
    async for _ in changes:
        changed.add([part])
