"""Lets a Slack user group (`@oncall`) follow a rotation; leader only. No page depends on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta

from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.oncall_groups import refused_group_message
from bot.wake_ups import WakeUps
from services.clients.postgres import messages, oncall, oncall_changes
from services.clients.postgres.oncall_changes import OnCallGroup
from services.clients.postgres.pool import Database
from services.clients.postgres.queries import read_clock
from services.clients.slack import SlackClient
from services.domain.errors import SourceError
from services.domain.oncall import Schedule, holder
from services.domain.slack_refusals import SlackRefusedError

logger = logging.getLogger(__name__)

EVERY_S = 60.0
AGAIN_AFTER = timedelta(hours=1)  # between attempts that Slack refuses for good: a scope may have been granted
HAS_RIGHTS = (
    "it grants rights (policy, DRAGONFLY_OPERATORS or DRAGONFLY_APPROVERS), which being on call must not grant; "
    "check its members"
)
_WHAT_NEXT = {
    "missing_scope": "the app lacks the scope usergroups:write; grant it and install the app again",
    "permission_denied": "the workspace's settings let only some people change user groups",
    "no_such_subteam": "there is no such user group",
    "subteam_disabled": "the user group is switched off",
}


class OnCallGroups(PeriodicTask):
    """Sets the group's only member with one call per change. While no one is on call the group stays as it is.

    `with_rights`: user groups that give rights; None while that is not known. They follow no rotation: a person who may
    change the schedule could give themselves these rights. A group that gets rights later is announced, because its
    member has them.
    """

    name = "on-call user groups"
    interval_s = retry_s = EVERY_S

    def __init__(
        self,
        database: Database,
        slack: SlackClient,
        schedule: Callable[[], Schedule | None],
        with_rights: Callable[[], Collection[str] | None],
        wake_ups: WakeUps,
        *,
        channel: str,
    ) -> None:
        super().__init__()
        self._database = database
        self._slack = slack
        self._schedule = schedule
        self._with_rights = with_rights
        self._wake_ups = wake_ups
        self._channel = channel

    async def tick(self, fence: Fence) -> None:
        schedule, with_rights = self._schedule(), self._with_rights()
        if schedule is None or not schedule.user_groups:
            return
        if with_rights is None:
            logger.warning("no user group follows its rotation: which groups grant rights is unknown")
            return
        async with self._database.read() as conn:
            now, known = await read_clock(conn), await oncall.list_overrides(conn)
            stored = {one.group_id: one for one in await oncall_changes.list_oncall_groups(conn)}
        failed: SourceError | None = None
        for group, rotation in schedule.user_groups.items():
            person, last = holder(schedule, rotation, now, known), stored.get(group)
            has_rights = group in with_rights
            member = person.slack if person else last.user_id if last and has_rights else None
            if member is None or (last and not _is_due(last, member, now - last.tried_at, has_rights=has_rights)):
                continue
            try:
                problem = HAS_RIGHTS if has_rights else await self._set_members(group, member)
                await self._store(fence, schedule, OnCallGroup(group, member, problem, now), last)
            except SourceError as error:  # one group that Slack can't set keeps no other from following
                failed = error
        if failed is not None:
            raise failed

    async def _store(self, fence: Fence, schedule: Schedule, tried: OnCallGroup, last: OnCallGroup | None) -> None:
        group, problem = tried.group_id, tried.problem
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await oncall_changes.store_oncall_group(conn, group_id=group, user_id=tried.user_id, problem=problem)
            if problem is not None and (last is None or _is_news(last.problem, problem)):
                text, blocks = refused_group_message(group, schedule.user_groups[group], problem)
                key = f"oncall:group:{group}:{await read_clock(conn):%Y%m%dT%H%M%S}"
                await messages.store_message(conn, key=key, channel=self._channel, text=text, blocks=blocks)
        self._wake_ups.outbox.set()

    async def _set_members(self, group: str, user_id: str) -> str | None:
        """Set the member; return why Slack refused it for good, else None. Raises SourceError for what may pass."""
        try:
            await self._slack.set_group_members(group, [user_id])
        except SlackRefusedError as refused:
            if refused.retryable:
                raise
            return _WHAT_NEXT.get(refused.code, f"Slack refused it ({refused.code})")
        logger.info("%s follows its rotation", group)
        return None


def _is_due(last: OnCallGroup, user_id: str, ago: timedelta, *, has_rights: bool) -> bool:
    """True for another person, a change of the group's rights, or an hour after a refusal."""
    if last.user_id != user_id or has_rights != (last.problem == HAS_RIGHTS):
        return True
    return last.problem is not None and ago >= AGAIN_AFTER


def _is_news(before: str | None, problem: str) -> bool:
    """True if the problem is to be announced: the first one, or one of the other kind (rights, Slack's refusal)."""
    return before is None or (before == HAS_RIGHTS) != (problem == HAS_RIGHTS)
