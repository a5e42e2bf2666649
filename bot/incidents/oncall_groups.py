"""Lets a Slack user group (`@oncall`) follow a rotation; leader only. No page depends on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import timedelta

from bot.incidents.store import IncidentStore
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.oncall_groups import refused_group_message
from services.clients.postgres import incidents, messages, oncall_changes
from services.clients.postgres.oncall_changes import OnCallGroup
from services.clients.postgres.pool import Database
from services.clients.postgres.queries import read_clock
from services.clients.slack import SlackClient
from services.domain.messages import SlackRefusedError
from services.domain.oncall import Schedule, holder

logger = logging.getLogger(__name__)

EVERY_S = 60.0
AGAIN_AFTER = timedelta(hours=1)  # what was refused for good is tried so often: a scope may have been granted
HAS_RIGHTS = "it has rights (policy, DRAGONFLY_OPERATORS or DRAGONFLY_APPROVERS), and who is on call must not get them"
_WHAT_NEXT = {
    "missing_scope": "the app lacks the scope usergroups:write; grant it and install the app again",
    "permission_denied": "the workspace's settings let only some people change user groups",
    "no_such_subteam": "there is no such user group",
    "subteam_disabled": "the user group is switched off",
}


class OnCallGroups(PeriodicTask):
    """One call per change of the person on call. While no one is on call the group stays as it is.

    `with_rights`: user groups that give rights. They follow no rotation: who may change the schedule would give
    themselves these rights.
    """

    name = "on-call user groups"
    interval_s = EVERY_S

    def __init__(
        self,
        database: Database,
        slack: SlackClient,
        incident_store: IncidentStore,
        with_rights: Callable[[], Collection[str]],
    ) -> None:
        super().__init__()
        self._database = database
        self._slack = slack
        self._incident_store = incident_store
        self._with_rights = with_rights

    async def tick(self, fence: Fence) -> None:
        schedule = self._incident_store.place.schedule
        if schedule is None or not schedule.user_groups:
            return
        async with self._database.read() as conn:
            now, known = await read_clock(conn), await incidents.list_overrides(conn)
            stored = {one.group_id: one for one in await oncall_changes.list_oncall_groups(conn)}
        for group, rotation in schedule.user_groups.items():
            person = holder(schedule, rotation, now, known)
            last = stored.get(group)
            if person is None or (last is not None and not _is_due(last, person.slack, now - last.tried_at)):
                continue
            await self._follow(fence, schedule, group, person.slack, last)

    async def _follow(
        self, fence: Fence, schedule: Schedule, group: str, user_id: str, last: OnCallGroup | None
    ) -> None:
        """Raises SourceError for what may pass: it is tried again."""
        problem: str | None = HAS_RIGHTS
        if group not in self._with_rights():
            problem = await self._set_members(group, user_id)
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await oncall_changes.store_oncall_group(conn, group_id=group, user_id=user_id, problem=problem)
            if problem is not None and (last is None or last.problem is None):
                text, blocks = refused_group_message(group, schedule.user_groups[group], problem)
                key = f"oncall:group:{group}:{await read_clock(conn):%Y%m%dT%H%M%S}"
                channel = self._incident_store.place.channel
                await messages.store_message(conn, key=key, channel=channel, text=text, blocks=blocks)
        self._incident_store.wake_ups.outbox.set()

    async def _set_members(self, group: str, user_id: str) -> str | None:
        """Why Slack refused it, None when it did not."""
        try:
            await self._slack.set_group_members(group, [user_id])
        except SlackRefusedError as refused:
            if refused.retryable:
                raise
            return _WHAT_NEXT.get(refused.code, f"Slack refused it ({refused.code})")
        logger.info("%s follows its rotation", group)
        return None


def _is_due(last: OnCallGroup, user_id: str, ago: timedelta) -> bool:
    """Whether Slack is to be called: for another person, or again after a refusal."""
    return last.user_id != user_id or (last.problem is not None and ago >= AGAIN_AFTER)
