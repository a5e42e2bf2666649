"""Asks Slack about people and groups, and keeps its last answers: members, accounts, names.

Every decision asks again, unless an answer is a few seconds old, so that a person who was removed from a group can't
decide any more. While Slack does not answer, what is kept is given with its age; how old it may be is not decided here.
Names are for text that notifies no one, since a mention notifies and an id is unreadable: no call waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from bot.people import Account, Members, People
from bot.wake_ups import WakeUp, drive
from services.domain.errors import SourceError, Unavailable
from services.domain.oncall import NOT_KNOWN, is_group
from services.domain.people import Profile, outside_name
from services.domain.slack_refusals import SlackRefusedError

if TYPE_CHECKING:
    from services.clients.slack import SlackClient


logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0  # a person waits for the answer

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """What Slack answered `age` ago."""

    value: T
    age: timedelta


class Lookups(Generic[T]):
    """One kind of look-up. `what` is for the log, `gone`: the refusals after which an old answer is dropped.

    clock: monotonic seconds.
    """

    def __init__(
        self,
        what: str,
        read: Callable[[str], Awaitable[T]],
        *,
        gone: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._read = read
        self._gone = gone
        self._clock = clock
        self._answers: dict[str, tuple[T, float]] = {}
        self._problems: dict[str, str] = {}
        self._not_known: set[str] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def ask(self, ids: Iterable[str], *, fresh_s: float, timeout_s: float = TIMEOUT_S) -> None:
        """Ask about each id whose answer is `fresh_s` old or older. Never longer than the limit, never raises."""
        asked = self.begin(ids, fresh_s=fresh_s)
        if asked:
            await asyncio.wait(asked, timeout=timeout_s)

    def begin(self, ids: Iterable[str], *, fresh_s: float) -> list[asyncio.Task[None]]:
        """The same without waiting: the requests under way."""
        return [self._ask(one) for one in dict.fromkeys(ids) if not self._is_fresh(one, fresh_s)]

    def recall(self, slack_id: str) -> Known[T] | Unavailable:
        """The last answer, however old, or why there is none. Never asks."""
        if slack_id not in self._answers:
            return Unavailable("Slack", self._problems.get(slack_id, "no answer yet"))
        value, read_at = self._answers[slack_id]
        return Known(value, timedelta(seconds=self._clock() - read_at))

    def is_not_known(self, slack_id: str) -> bool:
        """Whether Slack said last that there is no such id."""
        return slack_id in self._not_known

    @property
    def ids(self) -> frozenset[str]:
        """Everything that was asked for and answered or refused."""
        return frozenset({*self._answers, *self._problems})

    async def aclose(self) -> None:
        """Give up the requests under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_fresh(self, slack_id: str, fresh_s: float) -> bool:
        return slack_id in self._answers and self._clock() - self._answers[slack_id][1] < fresh_s

    def _ask(self, slack_id: str) -> asyncio.Task[None]:
        if slack_id not in self._asking:
            task = self._asking[slack_id] = asyncio.create_task(self._keep(slack_id))
            task.add_done_callback(lambda _: self._asking.pop(slack_id, None))
        return self._asking[slack_id]

    async def _keep(self, slack_id: str) -> None:
        asked_at = self._clock()  # before the request: a right lost during it is not kept for longer
        try:
            self._answers[slack_id] = await self._read(slack_id), asked_at
            self._not_known.discard(slack_id)
        except SourceError as error:
            logger.warning("%s %s not read: %s", self._what, slack_id, error.why)
            self._problems[slack_id] = error.why
            if isinstance(error, SlackRefusedError) and error.code in self._gone:
                self._answers.pop(slack_id, None)
                self._not_known.add(slack_id)


FRESH_S = 5.0  # a storm of clicks asks once: Slack lets us list members about 20 times per minute
KEEP_EVERY_S = 600.0  # of the hour that answers may be old, fifty minutes are left when Slack falls silent

_GONE = frozenset({"no_such_subteam", "subteam_not_found"})
_NO_USER = frozenset({"user_not_found", "user_not_visible"})

Profiles = Lookups[Profile]


def make_profiles(slack: SlackClient, *, clock: Callable[[], float] = time.monotonic) -> Profiles:
    """One for the process: concurrent lookups of the same user share one answer."""
    return Lookups("user", slack.read_profile, gone=_NO_USER, clock=clock)


class Groups:
    """One for the process. `workspace` gives our team id, None while Slack has not returned it.

    `users`: those who are kept in mind besides the groups' members, such as the people on call.
    """

    def __init__(
        self,
        slack: SlackClient,
        groups: Iterable[str],
        *,
        workspace: Callable[[], str | None],
        profiles: Profiles | None = None,
        users: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
        fresh_s: float = FRESH_S,
        timeout_s: float = TIMEOUT_S,
        keep_every_s: float = KEEP_EVERY_S,
    ) -> None:
        self._workspace = workspace
        self._groups = tuple(dict.fromkeys(groups))
        self._users = frozenset(users)
        self._members = Lookups("members of", lambda group: _members(slack, group), gone=_GONE, clock=clock)
        self._profiles = profiles or make_profiles(slack, clock=clock)
        self._fresh_s = fresh_s
        self._timeout_s = timeout_s
        self._keep_every_s = keep_every_s

    @property
    def workspace(self) -> str | None:
        """Our team id, once Slack has reported it."""
        return self._workspace()

    async def people(self, user_id: str | None = None) -> People:
        """Who is in each group, and whose account `user_id` is. Takes no longer than the time limit; never raises."""
        asked = self._members.begin(self._groups, fresh_s=self._fresh_s)
        is_account = user_id is not None and outside_name(user_id) is None
        asked += self._profiles.begin([user_id] if user_id and is_account else [], fresh_s=self._fresh_s)
        if asked:
            await asyncio.wait(asked, timeout=self._timeout_s)
        return self.known()

    def known(self) -> People:
        """The same as last reported. Never sends a request."""
        groups = {group: self._recall(group) for group in self._groups}
        return People(self._workspace(), groups, {user: self._account(user) for user in self._profiles.ids})

    def absent(self, slack_id: str) -> str | None:
        """Why this id reaches no one, as Slack reported within the hour: "is deactivated in Slack". Never asks.

        None for whom Slack did not report: calling in vain is better than not calling.
        """
        people = self.known()
        if is_group(slack_id):
            members = people.members(slack_id)
            if isinstance(members, Unavailable) or any(not people.is_deactivated(one) for one in members.users):
                return None
            return "has no active members in Slack" if members.users else "has no members in Slack"
        return "is deactivated in Slack" if people.is_deactivated(slack_id) else None

    def unreachable(self, slack_id: str) -> str | None:
        """The same, and `NOT_KNOWN`: announced, but still paged, because their pager may work."""
        lookups = self._members if is_group(slack_id) else self._profiles
        return self.absent(slack_id) or (NOT_KNOWN if lookups.is_not_known(slack_id) else None)

    async def keep(self) -> None:
        """Ask now and then, until cancelled, so that what is kept is young when Slack falls silent."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._keep_every_s)

    async def refresh(self) -> None:
        """Ask for all groups, their members' accounts and those of `users`."""
        people = await self.people()
        members = [one.users for one in people.groups.values() if isinstance(one, Members)]
        await self._profiles.ask(sorted(self._users.union(*members)), fresh_s=self._fresh_s, timeout_s=self._timeout_s)

    def watch(self, slack_ids: Iterable[str]) -> None:
        """Keep these in mind too: groups and people."""
        ids = set(slack_ids)
        self._groups = tuple(dict.fromkeys([*self._groups, *sorted(filter(is_group, ids))]))
        self._users |= {one for one in ids if not is_group(one)}

    async def aclose(self) -> None:
        """Give up what is still being asked."""
        await self._members.aclose()
        await self._profiles.aclose()

    def _recall(self, group: str) -> Members | Unavailable:
        known = self._members.recall(group)
        return known if isinstance(known, Unavailable) else Members(known.value, known.age)

    def _account(self, user_id: str) -> Account | Unavailable:
        known = self._profiles.recall(user_id)
        return known if isinstance(known, Unavailable) else Account(known.value, known.age)


async def _members(slack: SlackClient, group: str) -> frozenset[str]:
    return frozenset(await slack.list_group_members(group))


EVERY_S = 3600.0  # names hardly change
RETRY_S = 60.0
PATIENCE_S = 2.0  # a person waits behind this


_SLACK_ID = re.compile(r"[USW][A-Z0-9]{2,}")


def nameless(slack_id: str) -> str:
    """A word for a person whose name is unknown."""
    return "a user group" if is_group(slack_id) else "somebody"


def readable_name(slack_id: str, otherwise: str) -> str:
    """What else a person is called, unless that is the bare id."""
    is_bare = otherwise == slack_id and _SLACK_ID.fullmatch(slack_id) is not None
    return nameless(slack_id) if is_bare else otherwise


class SlackNames:
    """One for the process. `slack_ids`: those that will be asked for; others are looked up when they are needed."""

    def __init__(self, slack: SlackClient, slack_ids: Iterable[str]) -> None:
        self._slack = slack
        self._wanted = set(slack_ids)
        self._names: dict[str, str] = {}
        self._asked = WakeUp()

    def of(self, slack_id: str) -> str:
        """ "@dragonfly-approvers", "Ann Keller"; a word that fits while the name is not known. Never asks Slack."""
        return self.known(slack_id) or nameless(slack_id)

    def known(self, slack_id: str) -> str:
        """The same, and "" while the name is not known."""
        outside = outside_name(slack_id)
        if outside is not None:
            return outside
        if slack_id not in self._wanted:
            self._wanted.add(slack_id)
            self._asked.set()
        return self._names.get(slack_id, "")

    async def look_up(self, slack_ids: Iterable[str]) -> dict[str, str]:
        """What they are called; asks Slack for unknown names, a moment at most."""
        wanted = set(slack_ids)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                unknown = {one for one in wanted if outside_name(one) is None} - self._names.keys()
                groups = set(filter(is_group, unknown))
                if groups:
                    await self._read_groups()
                await self._read_users(unknown - groups)
        return {slack_id: self.of(slack_id) for slack_id in wanted}

    async def soon_known(self, slack_ids: Iterable[str], within_s: float) -> Callable[[str], str]:
        """`known`, after at most so long: a dialog has to open within 3 s of the click."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.look_up(slack_ids)
        return self.known

    async def run(self) -> None:
        """Keep the names known, until cancelled."""
        await drive(self.read, self._asked)

    async def read(self) -> float:
        """Ask Slack for all of them; seconds until the next time. A missing one keeps its old name."""
        groups = set(filter(is_group, self._wanted))
        results = [await self._read_groups()] if groups else []
        results.append(await self._read_users(self._wanted - groups))
        return EVERY_S if all(results) else RETRY_S

    async def _read_groups(self) -> bool:
        """False when it is worth to ask again soon."""
        try:
            handles = await self._slack.list_group_handles()
        except SourceError as error:
            logger.warning("what groups are called was not read: %s", error.why)
            return not error.retryable
        self._names |= {group: f"@{handle}" for group, handle in handles.items()}
        return True

    async def _read_users(self, user_ids: Iterable[str]) -> bool:
        """False as above; a person whom Slack does not know delays no other."""
        read = True
        for user_id in sorted(user_ids):
            try:
                self._names[user_id] = await self._slack.read_user_name(user_id)
            except SourceError as error:
                logger.warning("what a user is called was not read: %s", error.why)
                read = read and not error.retryable
        return read
