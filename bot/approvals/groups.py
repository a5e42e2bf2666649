"""Asks Slack who people are: the members of the policy's groups, and who is a bot. What it told is kept.

Every decision asks anew, unless an answer is a few seconds old, so that somebody who was taken out of a group cannot
decide any more. While Slack does not answer, what is kept is given with its age; how old it may be is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any

from bot.approvals.people import Members, People
from services.domain.errors import SourceError, Unavailable
from services.slack.client import SlackClient
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

FRESH_S = 5.0  # a storm of clicks asks once: Slack lets us list members some 20 times a minute
TIMEOUT_S = 2.0  # a person waits behind this
KEEP_EVERY_S = 600.0  # of the hour that members may be old, fifty minutes are left when Slack falls silent

_GONE = frozenset({"no_such_subteam", "subteam_not_found"})


class Groups:
    """One for the process. `workspace` gives our team id, None while Slack has not told it."""

    def __init__(
        self,
        slack: SlackClient,
        groups: Iterable[str],
        *,
        workspace: Callable[[], str | None],
        clock: Callable[[], float] = time.monotonic,
        fresh_s: float = FRESH_S,
        timeout_s: float = TIMEOUT_S,
        keep_every_s: float = KEEP_EVERY_S,
    ) -> None:
        self._slack = slack
        self._workspace = workspace
        self._clock = clock
        self._fresh_s = fresh_s
        self._timeout_s = timeout_s
        self._keep_every_s = keep_every_s
        self._members: dict[str, tuple[frozenset[str], float]] = {}
        self._problems: dict[str, str] = dict.fromkeys(groups, "they were never read")
        self._is_bot: dict[str, bool] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    @property
    def workspace(self) -> str | None:
        """Our team id, once Slack has told it."""
        return self._workspace()

    async def people(self, user_id: str | None = None) -> People:
        """Who is in each group, and whether `user_id` is a bot. Takes no longer than the time limit; never raises."""
        asked = [self._ask(group, self._read_members(group)) for group in self._problems if not self._is_fresh(group)]
        if user_id is not None and user_id not in self._is_bot:
            asked.append(self._ask(user_id, self._read_bot(user_id)))
        if asked:
            await asyncio.wait(asked, timeout=self._timeout_s)
        return self._known()

    async def keep(self) -> None:
        """Ask now and then, until cancelled, so that what is kept is young when Slack falls silent."""
        while True:
            await self.people()
            await asyncio.sleep(self._keep_every_s)

    async def aclose(self) -> None:
        """Give up what is still being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _known(self) -> People:
        bots = frozenset(user for user, is_bot in self._is_bot.items() if is_bot)
        return People(self._workspace(), {group: self._recall(group) for group in self._problems}, bots)

    def _recall(self, group: str) -> Members | Unavailable:
        if group not in self._members:
            return Unavailable("Slack", self._problems[group])
        users, read_at = self._members[group]
        return Members(users, timedelta(seconds=self._clock() - read_at))

    def _is_fresh(self, group: str) -> bool:
        return group in self._members and self._clock() - self._members[group][1] < self._fresh_s

    def _ask(self, key: str, call: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """One question at a time about each id; whoever asks the same meanwhile waits for the same answer."""
        if key in self._asking:
            call.close()
            return self._asking[key]
        task = self._asking[key] = asyncio.create_task(call)
        task.add_done_callback(lambda _: self._asking.pop(key, None))
        return task

    async def _read_members(self, group: str) -> None:
        asked_at = self._clock()  # before the question: whoever leaves during it is not a member for longer
        try:
            self._members[group] = frozenset(await self._slack.list_group_members(group)), asked_at
        except SourceError as error:
            logger.warning("members of %s not read: %s", group, error.why)
            self._problems[group] = error.why
            if isinstance(error, SlackRefusedError) and error.code in _GONE:
                self._members.pop(group, None)

    async def _read_bot(self, user_id: str) -> None:
        try:
            self._is_bot[user_id] = await self._slack.is_bot(user_id)
        except SourceError as error:  # a listed id needs no look-up, so this stops nobody
            logger.warning("a user was not looked up: %s", error.why)
