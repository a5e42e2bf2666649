"""Announces a database outage without the database, and records it once the database is back.

Every replica runs this, because without a database no replica leads. The message carries a fixed key in its metadata,
and each replica searches for that key before it posts, so that replicas and restarts do not post it twice. Once the
database is back, the outbox adopts the message under a new key and edits it, which removes the fixed key.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.config.timing import OutageSettings
from bot.leader import Leader
from bot.outage.levels import CANNOT_READ, wakes_people
from bot.outage.pages import OutagePagers, OutagePaging, SentPage
from bot.views import outage as view
from bot.views.delivery import notified_elsewhere
from bot.views.outage import Content, back_words
from bot.wake_ups import WakeUps
from bot.world import World
from services.clients.postgres import alerts, incidents, messages, notifications, timeline
from services.clients.postgres.pool import Connection, Database
from services.clients.slack import SlackClient, Urgency
from services.domain.errors import OperatorError, SourceError
from services.domain.notifications import Notification, NotificationState
from services.domain.slack_refusals import SlackRefusedError
from services.domain.text import age
from services.process import describe_error

FINGERPRINT = "database"  # the alert that an outage belongs to


@dataclass(frozen=True)
class Away:
    """A past outage. `since`: when the database was first missed. `announced_at`: when Slack had the message. `by`:
    which replica posted it, in words. `problem`: empty if only that replica knows it. `refused_writes`: the database
    answered, and stored nothing."""

    since: datetime
    announced_at: datetime
    ended_at: datetime
    by: str
    problem: str = ""
    refused_writes: bool = False


async def note_absence(conn: Connection, away: Away) -> None:
    """Record the announcement and the end of the outage, also in open incidents."""
    why = f" ({away.problem})" if away.problem else ""
    what = "the database accepted no writes" if away.refused_writes else "the bot could not reach the database"
    announcement = f"{what}{why} since {away.since:%H:%M:%S} UTC: {away.by} announced it in Slack"
    over = f"{back_words(refused_writes=away.refused_writes)}, after {age(away.ended_at - away.since)}"
    await _note(conn, away.announced_at, "told", announcement)
    await _note(conn, away.ended_at, "resolved", over)
    for incident in await incidents.list_open_incidents(conn):
        for at, words in ((away.announced_at, announcement), (away.ended_at, over)):
            await timeline.add_event(conn, incident_id=incident.id, kind="outage", text=words, happened_at=at)


async def note_notified(conn: Connection, pages: Sequence[SentPage]) -> None:
    """Record who was notified outside Slack."""
    for one in sorted(pages, key=lambda one: one.at):
        way = f"{one.target} by {one.means}, while the database was down"
        if one.why_not is None:
            await _note(conn, one.at, "called", way)
        else:
            await _note(conn, one.at, "not called", f"{way}: {one.why_not}")


async def _note(conn: Connection, at: datetime, decision: str, reason: str) -> None:
    await alerts.note_alert_decision(
        conn, at=at, fingerprint=FINGERPRINT, alert_id=None, decision=decision, reason=reason
    )


async def store_outage(
    conn: Connection,
    *,
    channel: str,
    channel_id: str,
    ts: str,
    content: Callable[[Sequence[Notification]], Content],
    note: Content,
    pages: Sequence[SentPage],
    away: Away,
) -> None:
    """Store the message (`content` writes it, with those notified outside Slack), a note in its thread, and its
    history. People who were not reached are listed in the thread too.

    Several replicas may know the same message: the second one adds only the people whom it notified.
    """
    key = f"outage:{ts}"
    text, blocks = content(())
    is_first = await messages.adopt_message(
        conn, key=key, channel=channel, channel_id=channel_id, ts=ts, text=text, blocks=blocks
    )
    if is_first:
        await _post(conn, f"{key}:back", key, channel, note)
    await note_notified(conn, [each for each in pages if await _store_page(conn, key, each)])
    if is_first:
        await note_absence(conn, away)
    if pages:
        notified = await notifications.list_notifications(conn, thread_key=key)
        text, blocks = content(notified)
        await messages.replace_message(conn, key=key, text=text, blocks=blocks)
        if any(one.last_error for one in notified):
            await _post(conn, f"{key}:told", key, channel, notified_elsewhere(notified))


async def _store_page(conn: Connection, key: str, page: SentPage) -> bool:
    """Store that this target was notified; False if another replica has stored that."""
    name = f"{key}:{page.means}:{page.target}"
    is_new = await notifications.store_notification(
        conn,
        key=name,
        means=page.means,
        target=page.target,
        subject=page.line,
        text=page.line,
        thread_key=key,
    )
    state = NotificationState.SENT if page.why_not is None else NotificationState.FAILED
    await notifications.end_notification(conn, key=name, state=state, error=page.why_not, at=page.at)
    return is_new


async def _post(conn: Connection, key: str, thread_key: str, channel: str, content: Content) -> None:
    text, blocks = content
    await messages.store_message(conn, key=key, channel=channel, text=text, blocks=blocks, thread_key=thread_key)


logger = logging.getLogger(__name__)

KEY = "outage:database"  # of the message during the outage
FIND_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class Announced:
    """The message in Slack. `since`: when the database was first missed, as far as this process knows. `by`: which
    replica posted it, in words; `problem`: empty if only that one knows it. `refused_writes`: the database answered,
    and stored nothing."""

    channel_id: str
    ts: str
    since: datetime
    by: str
    problem: str = ""
    refused_writes: bool = False

    @property
    def announced_at(self) -> datetime:
        return datetime.fromtimestamp(float(self.ts), UTC)


class Outage:
    """Announces outages and their end. `links`: `{label: address}` of pages that help."""

    def __init__(
        self,
        leader: Leader,
        world: World,
        database: Database,
        slack: SlackClient,
        outage_pagers: OutagePagers,
        paging: OutagePaging,
        *,
        channel: str,
        settings: OutageSettings,
        wake_ups: WakeUps,
        links: Mapping[str, str],
    ) -> None:
        self._leader = leader
        self._world = world
        self._database = database
        self._slack = slack
        self._outage_pagers = outage_pagers
        self._paging = paging
        self._links = links
        self._channel = channel
        self._settings = settings
        self._wake_ups = wake_ups
        self._spread_s = random.uniform(0.0, settings.spread_s)  # noqa: S311 - no secret
        self._since: datetime | None = None
        self._first_at: datetime | None = None
        self._missed_at = 0.0
        self._announced: Announced | None = None
        self._wakes = False
        self._led_since: float | None = None
        self._next_find = 0.0

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                await self.check()
            except SourceError as error:
                logger.warning("outage: %s: %s", error.source, error.why)
            except Exception as error:  # else the task would end unnoticed
                logger.error("outage: %s", describe_error(error))  # noqa: TRY400 - may hold an address
            await asyncio.sleep(self._settings.check_every_s)

    async def check(self) -> None:
        """Check once. Raises SourceError if Slack or the database does not answer; the next check continues."""
        problem = self._leader.database_problem
        if problem is not None:
            await self._while_away(problem)
            return
        await self._outage_pagers.cancel_pages()
        if self._announced is not None:
            await self._store(self._announced)
        else:
            self._since = self._first_at = None
            await self._find_earlier()

    async def _while_away(self, problem: str) -> None:
        self._led_since = None
        if self._since is None:
            self._since, self._missed_at = datetime.now(UTC), _now()
        if self._announced is None and _now() - self._missed_at >= self._patience_s:
            await self._announce(problem, self._since)
        if self._announced is not None and self._wakes:
            announced, is_last_leader = self._announced, self._leader.led_last
            await self._paging.page_due_levels(
                announced.channel_id, announced.ts, since=self._since, is_last_leader=is_last_leader
            )

    async def acknowledge(self, user_id: str) -> None:
        """Acknowledge the outage: no one else is paged, and the message shows the owner.

        Raises OperatorError if there is no outage to acknowledge, SourceError if Slack does not answer.
        """
        problem = self._leader.database_problem
        announced = self._announced or (await self._find() if problem is not None else None)
        if announced is None or problem is None:
            what_next = "`health` shows the state of the database."
            raise OperatorError("Nothing was acknowledged", why="no database outage is announced", what_next=what_next)
        await self._paging.acknowledge(announced.channel_id, announced.ts, user_id)
        line, wakes = await self._line(problem)
        text, blocks = view.away(line, wakes=wakes, since=announced.since, links=self._links, acknowledged_by=user_id)
        await self._slack.update(announced.channel_id, announced.ts, text, blocks)

    async def acknowledge_if_away(self, user_id: str) -> bool:
        """Acknowledge if the database is away, else return False. Raises as `acknowledge`."""
        if self._leader.database_problem is None:
            return False
        await self.acknowledge(user_id)
        return True

    @property
    def _patience_s(self) -> float:
        settings = self._settings
        return settings.announce_after_s if self._leader.led_last else settings.others_after_s + self._spread_s

    async def _announce(self, problem: str, since: datetime) -> None:
        """Announce it in Slack; while Slack does not accept it, page the next levels anyway."""
        self._first_at = self._first_at or datetime.now(UTC)
        try:
            await self._announce_outage(problem, since)
        except SourceError:
            if self._wakes:
                await self._paging.page_without_slack(
                    since=since, first_at=self._first_at, is_last_leader=self._leader.led_last
                )
            raise

    async def _announce_outage(self, problem: str, since: datetime) -> None:
        """Page, then post. The last leader pages before it searches Slack, other replicas only if none has announced
        it."""
        line, wakes = await self._line(problem)
        self._wakes = wakes
        paged = await self._paging.freeze(line.text) if wakes else ()
        if wakes and self._leader.led_last:
            await self._paging.page_first_level(since=since)
        try:
            self._announced = await self._find()
        except SourceError:
            if wakes:
                await self._paging.page_first_level(since=since)
            raise
        if self._announced is None:
            if wakes:
                await self._paging.page_first_level(since=since)
            channel_id = await self._slack.channel_id(self._channel)
            text, blocks = view.away(line, wakes=wakes, since=since, paged=paged, links=self._links)
            channel_id, ts = await self._slack.post(channel_id, text, blocks, key=KEY, urgency=Urgency.PAGE)
            by = "the last leader" if self._leader.led_last else "a replica that did not lead"
            self._announced = Announced(channel_id, ts, since, by, problem, self._leader.refuses_writes)

    async def _line(self, problem: str) -> tuple[view.AwayLine, bool]:
        """Return the line about the problem, and True if it is a page."""
        api, refuses = await self._world.api_health(), self._leader.refuses_writes
        line = view.away_line(self._world.settings.environment, problem, api, refuses_writes=refuses)
        return line, wakes_people(api, refuses_writes=refuses)

    async def _find(self) -> Announced | None:
        """Find the message of another replica, or ours from before a restart."""
        channel_id = await self._slack.channel_id(self._channel)
        try:
            ts = await self._slack.find(channel_id, KEY, since=datetime.now(UTC) - FIND_WITHIN)
        except SlackRefusedError as refused:
            if refused.code not in CANNOT_READ:
                raise
            logger.warning("an outage may be announced twice: %s", refused.why)
            return None
        if ts is None:
            return None
        return Announced(
            channel_id, ts, datetime.fromtimestamp(float(ts), UTC), "another replica, or one that has ended,"
        )

    async def _store(self, announced: Announced) -> None:
        """Record the outage now that the database is back, and update its message."""
        now = datetime.now(UTC)
        refused = announced.refused_writes

        def content(notified: Sequence[Notification]) -> Content:
            environment = self._world.settings.environment
            return view.back(environment, since=announced.since, at=now, refused_writes=refused, notified=notified)

        note = view.back_note(since=announced.since, at=now)
        async with self._database.transaction() as conn:
            await store_outage(
                conn,
                channel=self._channel,
                channel_id=announced.channel_id,
                ts=announced.ts,
                content=content,
                note=note,
                pages=self._outage_pagers.sent,
                away=Away(announced.since, announced.announced_at, now, announced.by, announced.problem, refused),
            )
        self._announced = self._since = self._first_at = None
        self._outage_pagers.forget()
        self._paging.forget()
        self._wake_ups.outbox.set()

    async def _find_earlier(self) -> None:
        """As a new leader, end the message of a replica that died, or that alone was cut off."""
        if not self._leader.is_leading:
            self._led_since = None
            return
        if self._led_since is None:
            self._led_since = self._next_find = _now()
        if self._next_find <= _now() <= self._led_since + self._settings.look_back_s:
            self._next_find = _now() + self._settings.find_every_s
            found = await self._find()
            if found is not None:  # not kept: if the database goes away again, that is another outage
                await self._store(found)


def _now() -> float:
    return asyncio.get_running_loop().time()
