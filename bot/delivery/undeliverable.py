"""Reroutes a page that Slack refuses: to the on-call people directly, or to their pagers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.config.fields import Invalid
from bot.views.delivery import direct_message, pager_words
from bot.wake_ups import WakeUp
from bot.world import World
from services.clients.postgres.messages import store_notification
from services.clients.postgres.pool import Connection
from services.clients.slack import SlackClient, Urgency
from services.domain.channels import Channel
from services.domain.errors import SourceError
from services.domain.messages import Refusal, SlackRefusedError, UnsentMessage, refusal_of
from services.domain.oncall import Schedule, freeze, is_group, nobody_is_absent
from services.domain.text import counted


def responders(world: World) -> tuple[str, ...]:
    """Who may answer for an incident: operators, approvers, and the people whom the on-call file names."""
    people, schedule = world.settings.people, _schedule(world)
    listed = () if isinstance(people, Invalid) else (*people.operators, *people.approvers)
    return tuple(sorted({*listed, *(schedule.slack_ids if schedule else ())}))


def called_by_id(world: World) -> tuple[str, ...]:
    """Those of whom the settings have nothing but the Slack id: groups, and approvers."""
    schedule = _schedule(world)
    groups = filter(is_group, schedule.slack_ids) if schedule else ()
    return (*_approvers(world), *groups)


def _approvers(world: World) -> tuple[str, ...]:
    people = world.settings.people
    return () if isinstance(people, Invalid) else people.approvers


def _schedule(world: World) -> Schedule | None:
    return world.schedule if isinstance(world.schedule, Schedule) else None


logger = logging.getLogger(__name__)

MOST = 20  # people; one message each


async def page_recipients(world: World, slack: SlackClient) -> Sequence[str]:
    """The Slack ids of people, the first level first; groups as their members. What cannot be read is left out."""
    found = [*await _on_call(world), *called_by_id(world)]
    people: dict[str, None] = {}
    for slack_id in found:
        for person in await _members(slack, slack_id) if is_group(slack_id) else (slack_id,):
            people[person] = None
    return list(people)[:MOST]


async def _on_call(world: World) -> list[str]:
    if not isinstance(world.schedule, Schedule):
        return []
    known = await world.overrides()
    rows = known.rows if isinstance(known.rows, Sequence) else ()
    chain = freeze(world.schedule, datetime.now(UTC), rows, world.name_of, world.absent or nobody_is_absent)
    in_slack = (Channel.DIRECT, Channel.MENTION)
    return [target.address for level in chain.levels for target in level.targets if target.channel in in_slack]


async def _members(slack: SlackClient, group: str) -> Sequence[str]:
    try:
        return await slack.list_group_members(group)
    except SourceError as error:
        logger.warning("the members of %s are not known: %s", group, error.why)
        return ()


Recipients = Callable[[], Awaitable[Sequence[str]]]
Pagers = Callable[[], Sequence[tuple[Channel, str]]]


@dataclass(frozen=True)
class Notified:
    """Who got a page in Slack directly, and who is rung because none did. `line` is what their pagers say."""

    key: str
    line: str
    people: Sequence[str]
    pagers: Sequence[tuple[Channel, str]]

    @property
    def words(self) -> str:
        """For the row's last error."""
        if self.people:
            return f"sent to {counted(len(self.people), 'person')} directly".replace("persons", "people")
        return (
            f"{counted(len(self.pagers), 'pager')} notified instead" if self.pagers else "no one was notified elsewhere"
        )

    async def store(self, conn: Connection) -> None:
        """Ring the pagers, in the transaction that takes the page out of the queue."""
        for means, target in self.pagers:
            key = f"{self.key}:refused:{means}:{target}"
            await store_notification(conn, key=key, means=means, target=target, subject=self.line, text=self.line)


class Undeliverable:
    """`recipients`: the Slack ids of the people who get a page directly. `pagers`: those that ring when that reached
    no one.

    `refused` is set whenever a channel refused something.
    """

    def __init__(
        self,
        slack: SlackClient,
        *,
        environment: str | None = None,
        recipients: Recipients | None = None,
        pagers: Pagers = tuple,
        refused: WakeUp | None = None,
    ) -> None:
        self._slack = slack
        self._environment = environment
        self._recipients = recipients
        self._pagers = pagers
        self._refused = refused or WakeUp()

    async def notify(self, message: UnsentMessage, refused: SlackRefusedError) -> Notified:
        """Send the page directly. Twice when this process dies before the row says so. What is for one person stays
        theirs: their level's other ways ring, and the next level follows."""
        self._refused.set()
        is_personal = message.home[:1] in "UWD" and message.home.isupper()
        people = [] if is_personal else await self._send_directly(message, refused)
        pagers = () if people or is_personal else self._pagers()
        return Notified(message.key, pager_words(self._environment, refused.code), people, pagers)

    async def _send_directly(self, message: UnsentMessage, refused: SlackRefusedError) -> list[str]:
        text, blocks = direct_message(message.text, message.blocks, channel=message.home, code=refused.code)
        people = await self._recipients() if self._recipients else ()
        return [user for user in people if await self._reaches(user, text, blocks)]

    async def _reaches(self, user: str, text: str, blocks: Sequence[dict[str, Any]]) -> bool:
        try:
            channel = await self._slack.channel_id(user)
            await self._post(channel, text, blocks)
        except SourceError as error:
            logger.warning("a page was not sent to %s directly: %s", user, error.why)
            return False
        return True

    async def _post(self, channel: str, text: str, blocks: Sequence[dict[str, Any]]) -> None:
        try:
            await self._slack.post(channel, text, blocks, urgency=Urgency.PAGE)
        except SlackRefusedError as refused:
            if refusal_of(refused.code) is not Refusal.CONTENT:
                raise
            await self._slack.post(channel, text, (), urgency=Urgency.PAGE)
