"""Looks up people and groups in Slack, and caches the last answers: members, accounts, names.

Each decision asks again unless the answer is a few seconds old, so that a person who was removed from a group can't
decide any more. While Slack does not answer, cached answers are returned with their age; the caller limits the age.
Names are for text that must not notify (a mention notifies, an id is unreadable); no call waits for them.
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
    """An answer of Slack, `age` old."""

    value: T
    age: timedelta


class Lookups(Generic[T]):
    """Cache of one kind of look-up. `what`: for the log. `gone`: Slack error codes that drop the old answer.

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
        """Ask about each id whose answer is `fresh_s` old or older. Waits `timeout_s` at most, never raises."""
        asked = self.begin(ids, fresh_s=fresh_s)
        if asked:
            await asyncio.wait(asked, timeout=timeout_s)

    def begin(self, ids: Iterable[str], *, fresh_s: float) -> list[asyncio.Task[None]]:
        """Like `ask` without waiting. Returns the pending requests."""
        return [self._ask(one) for one in dict.fromkeys(ids) if not self._is_fresh(one, fresh_s)]

    def recall(self, slack_id: str) -> Known[T] | Unavailable:
        """The last answer, of any age, or the reason why there is none. Never sends a request."""
        if slack_id not in self._answers:
            return Unavailable("Slack", self._problems.get(slack_id, "no answer yet"))
        value, read_at = self._answers[slack_id]
        return Known(value, timedelta(seconds=self._clock() - read_at))

    def is_not_known(self, slack_id: str) -> bool:
        """True if Slack's last answer was that the id does not exist."""
        return slack_id in self._not_known

    @property
    def ids(self) -> frozenset[str]:
        """All ids for which Slack answered or refused a look-up."""
        return frozenset({*self._answers, *self._problems})

    async def aclose(self) -> None:
        """Cancel the pending requests."""
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
        asked_at = self._clock()  # before the request, so that a right lost during it is not kept for longer
        try:
            self._answers[slack_id] = await self._read(slack_id), asked_at
            self._not_known.discard(slack_id)
        except SourceError as error:
            logger.warning("%s %s not read: %s", self._what, slack_id, error.why)
            self._problems[slack_id] = error.why
            if isinstance(error, SlackRefusedError) and error.code in self._gone:
                self._answers.pop(slack_id, None)
                self._not_known.add(slack_id)


FRESH_S = 5.0  # many clicks ask once: Slack allows about 20 member lists per minute
KEEP_EVERY_S = 600.0  # answers may be 1 h old, so 50 minutes are left if Slack stops answering

_GONE = frozenset({"no_such_subteam", "subteam_not_found"})
_NO_USER = frozenset({"user_not_found", "user_not_visible"})

Profiles = Lookups[Profile]


def make_profiles(slack: SlackClient, *, clock: Callable[[], float] = time.monotonic) -> Profiles:
    """Make the cache of profiles, one per process: concurrent look-ups of the same user share one request."""
    return Lookups("user", slack.read_profile, gone=_NO_USER, clock=clock)


class Groups:
    """Cache of the groups' members and of accounts; one per process.

    `workspace` returns the bot's team id, None until Slack has returned it. `users`: ids that are refreshed besides the
    groups' members, such as the people on call.
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
        """The bot's team id; None until Slack has reported it."""
        return self._workspace()

    async def people(self, user_id: str | None = None) -> People:
        """Look up each group's members and the account of `user_id`, within the time limit. Never raises."""
        asked = self._members.begin(self._groups, fresh_s=self._fresh_s)
        is_account = user_id is not None and outside_name(user_id) is None
        asked += self._profiles.begin([user_id] if user_id and is_account else [], fresh_s=self._fresh_s)
        if asked:
            await asyncio.wait(asked, timeout=self._timeout_s)
        return self.known()

    def known(self) -> People:
        """The last known groups and accounts. Never sends a request."""
        groups = {group: self._recall(group) for group in self._groups}
        return People(self._workspace(), groups, {user: self._account(user) for user in self._profiles.ids})

    def absent(self, slack_id: str) -> str | None:
        """Why this id reaches no one, as Slack reported within the last hour: "is deactivated in Slack".

        None if unknown, because a page in vain is better than none. Never sends a request.
        """
        people = self.known()
        if is_group(slack_id):
            members = people.members(slack_id)
            if isinstance(members, Unavailable) or any(not people.is_deactivated(one) for one in members.users):
                return None
            return "has no active members in Slack" if members.users else "has no members in Slack"
        return "is deactivated in Slack" if people.is_deactivated(slack_id) else None

    def unreachable(self, slack_id: str) -> str | None:
        """Like `absent`; also `NOT_KNOWN` for ids that Slack does not know, which are paged, as a pager may work."""
        lookups = self._members if is_group(slack_id) else self._profiles
        return self.absent(slack_id) or (NOT_KNOWN if lookups.is_not_known(slack_id) else None)

    async def keep(self) -> None:
        """Refresh every `keep_every_s` until cancelled, so that the cache is recent if Slack stops answering."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._keep_every_s)

    async def refresh(self) -> None:
        """Look up all groups, their members' accounts and the accounts of `users`."""
        people = await self.people()
        members = [one.users for one in people.groups.values() if isinstance(one, Members)]
        await self._profiles.ask(sorted(self._users.union(*members)), fresh_s=self._fresh_s, timeout_s=self._timeout_s)

    def watch(self, slack_ids: Iterable[str]) -> None:
        """Include these groups and people in each refresh."""
        ids = set(slack_ids)
        self._groups = tuple(dict.fromkeys([*self._groups, *sorted(filter(is_group, ids))]))
        self._users |= {one for one in ids if not is_group(one)}

    async def aclose(self) -> None:
        """Cancel the pending requests."""
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
PATIENCE_S = 2.0  # a person waits for the names


_SLACK_ID = re.compile(r"[USW][A-Z0-9]{2,}")


def nameless(slack_id: str) -> str:
    """A word for a person or group whose name is unknown."""
    return "a user group" if is_group(slack_id) else "somebody"


def readable_name(slack_id: str, otherwise: str) -> str:
    """`otherwise`, or a general word if it is only the bare id."""
    is_bare = otherwise == slack_id and _SLACK_ID.fullmatch(slack_id) is not None
    return nameless(slack_id) if is_bare else otherwise


class SlackNames:
    """Cache of names; one per process. `slack_ids`: looked up from the start; others once they are needed."""

    def __init__(self, slack: SlackClient, slack_ids: Iterable[str]) -> None:
        self._slack = slack
        self._wanted = set(slack_ids)
        self._names: dict[str, str] = {}
        self._asked = WakeUp()

    def of(self, slack_id: str) -> str:
        """ "@dragonfly-approvers", "Ann Keller"; a general word while the name is unknown. Never sends a request."""
        return self.known(slack_id) or nameless(slack_id)

    def known(self, slack_id: str) -> str:
        """The name, or "" while it is unknown; then it is looked up in the background."""
        outside = outside_name(slack_id)
        if outside is not None:
            return outside
        if slack_id not in self._wanted:
            self._wanted.add(slack_id)
            self._asked.set()
        return self._names.get(slack_id, "")

    async def look_up(self, slack_ids: Iterable[str]) -> dict[str, str]:
        """Return `{id: name}`; asks Slack for unknown names, for 2 s at most."""
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
        """Look up names for `within_s` at most (a dialog must open within 3 s of the click), then return `known`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.look_up(slack_ids)
        return self.known

    async def run(self) -> None:
        """Refresh the names until cancelled."""
        await drive(self.read, self._asked)

    async def read(self) -> float:
        """Look up all names. Returns the seconds until the next time. A failed look-up keeps the old name."""
        groups = set(filter(is_group, self._wanted))
        results = [await self._read_groups()] if groups else []
        results.append(await self._read_users(self._wanted - groups))
        return EVERY_S if all(results) else RETRY_S

    async def _read_groups(self) -> bool:
        """Read the groups' handles. False if a retry soon can help."""
        try:
            handles = await self._slack.list_group_handles()
        except SourceError as error:
            logger.warning("group names were not read: %s", error.why)
            return not error.retryable
        self._names |= {group: f"@{handle}" for group, handle in handles.items()}
        return True

    async def _read_users(self, user_ids: Iterable[str]) -> bool:
        """Read the users' names. False if a retry soon can help; unknown users do not delay others."""
        read = True
        for user_id in sorted(user_ids):
            try:
                self._names[user_id] = await self._slack.read_user_name(user_id)
            except SourceError as error:
                logger.warning("a user's name was not read: %s", error.why)
                read = read and not error.retryable
        return read
