"""Named wake-ups for loops that would otherwise notice a change only at their next poll."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

POLL_WITH_NOTICES_S, POLL_WITHOUT_NOTICES_S = 30.0, 5.0


class WakeUp:
    """A signal to any number of listening loops. `set` never waits, and is free while no loop listens."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []

    def set(self) -> None:
        """Wake all listeners. Call it after the commit of the change."""
        for on_set in tuple(self._listeners):
            on_set()

    @contextlib.contextmanager
    def listen(self, on_set: Callable[[], None]) -> Iterator[None]:
        """Call `on_set`, which must not block, at each `set` during this block."""
        self._listeners.append(on_set)
        try:
            yield
        finally:
            self._listeners.remove(on_set)


async def drive(tick: Callable[[], Awaitable[float | None]], *wake_ups: WakeUp) -> None:
    """Call `tick` until cancelled: now, at each wake-up, and after the seconds that the last tick returned (None: at a
    wake-up only). A wake-up during a tick causes another tick."""
    woken = asyncio.Event()
    with contextlib.ExitStack() as stack:
        for wake_up in wake_ups:
            stack.enter_context(wake_up.listen(woken.set))
        while True:
            woken.clear()
            wait_s = await tick()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await woken.wait()


class WakeUps:
    """All wake-ups of one process, set after a commit, and by the LISTEN listener for commits of other processes.

    `has_notices` returns True if Postgres delivers notices to this process. If not (a transaction pooler), loops poll
    more often. `poll_s` replaces both intervals.
    """

    def __init__(self, *, has_notices: Callable[[], bool] = lambda: False, poll_s: float | None = None) -> None:
        self._has_notices = has_notices
        self._poll_s = poll_s
        self.outbox = WakeUp()  # a message may be due
        self.notifications = WakeUp()  # a page may be due at a pager or by e-mail
        self.runs = WakeUp()  # a run was requested, decided on, or changed
        self.incidents = WakeUp()  # an incident was opened or changed
        self.refresh = WakeUp()  # Railway or a drill may have changed: read again
        self.webhook = WakeUp()  # Railway called this process
        self.channel = WakeUp()  # Slack refused a post in a channel

    @property
    def has_notices(self) -> bool:
        return self._has_notices()

    @property
    def poll_s(self) -> float:
        """Seconds between polls for changes that no wake-up announced."""
        if self._poll_s is not None:
            return self._poll_s
        return POLL_WITH_NOTICES_S if self._has_notices() else POLL_WITHOUT_NOTICES_S
