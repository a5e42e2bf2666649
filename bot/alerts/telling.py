"""Stores what becomes of alerts and says it, in the transaction of both: rows, messages, lines in threads, events."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.alerts.decide import Move
from bot.alerts.grouping import share_messages
from bot.alerts.readings import EVERY_S
from bot.alerts.settings import AlertRules
from bot.commands._contract import Block
from bot.views import alerts as view
from bot.web.metrics import Metrics
from services.domain.alerts import Alert, AlertChange, AlertEvent, AlertState, Severity, Silence
from services.postgres import alerts, outbox, silences
from services.postgres.pool import Connection

logger = logging.getLogger(__name__)

PAGE, NOTIFY = 10, 5  # priorities in the outbox: pages before everything else

OnAlert = Callable[[Connection, AlertEvent], Awaitable[None]]
Head = Callable[[Connection, str], Awaitable[Sequence[Block]]]
Thread = Callable[[Connection, Sequence[Alert]], Awaitable[str | None]]


async def nobody_acts(conn: Connection, event: AlertEvent) -> None:
    """What `on_alert` does when nothing else is given."""


async def no_buttons(conn: Connection, message_key: str) -> Sequence[Block]:  # noqa: ARG001 - as others are called
    """What `head` gives when nothing else is given."""
    return ()


async def no_thread(conn: Connection, alerts: Sequence[Alert]) -> str | None:  # noqa: ARG001 - as others are called
    """What `thread` gives when nothing else is given: the channel itself."""
    return None


@dataclass(frozen=True)
class _Step:
    """A move whose alert is stored; `number` is its decision's, 0 when there was nothing to decide."""

    move: Move
    alert: Alert
    number: int


class AlertTeller:
    """`on_alert` is called inside the transaction that stores an alert's new state: what it writes is as true as that.

    `head` gives the buttons that stand before the alert's own in the message of this key. `thread` gives the message in
    whose thread a new message of these alerts belongs; None for the channel.
    """

    def __init__(
        self,
        rules: AlertRules,
        *,
        channel: str,
        environment: str | None,
        metrics: Metrics,
        on_alert: OnAlert = nobody_acts,
        head: Head = no_buttons,
        thread: Thread = no_thread,
    ) -> None:
        self._rules = rules
        self._channel = channel
        self._environment = environment
        self._metrics = metrics
        self._on_alert = on_alert
        self._head = head
        self._thread = thread
        sections = {name: rules.rules.section(name) for name in type(rules.rules).model_fields}
        self._guide = view.Guide(sections, rules.runbook, EVERY_S)

    async def apply(
        self,
        conn: Connection,
        moves: Sequence[Move],
        known: Sequence[Alert],
        around: view.Surroundings,
        *,
        now: datetime,
        is_digest: bool,
    ) -> None:
        """Store the moves and say what they tell. `known`: the alerts as they were before."""
        steps = [await self._store(conn, move, around, now) for move in moves]
        fired = [one.alert for one in steps if _is_told(one.move) and one.alert.message_key is None]
        keys = share_messages(fired, known, now=now, telling=self._rules.telling, is_digest=is_digest)
        joined = set(keys.values()) & {alert.message_key for alert in known}
        steps = [replace(one, alert=_with_key(one.alert, keys)) for one in steps]
        said = [one for one in steps if one.move.change is not None and one.alert.message_key]
        for one in said:  # first, because it may open an incident, in whose thread the alert's own message then is
            await self._tell_others(conn, one, now)
        for key in dict.fromkeys(str(one.alert.message_key) for one in said):
            await self._say(conn, key, [one.alert for one in said if one.alert.message_key == key])
        for one in said:
            await alerts.store_alert(conn, one.alert)
        for one in steps:
            await self._add_to_thread(conn, one, joined=one.alert.message_key in joined and one.alert.id in keys)

    async def tell(self, conn: Connection, message_key: str) -> None:
        """Say again what the message of this key says, because something beside its alerts has changed."""
        await self._say(conn, message_key, ())

    async def note(self, conn: Connection, message_key: str, name: str, words: str) -> None:
        """A line in the thread of a message that is there; `name` makes it once."""
        text, blocks = view.notice(words)
        await outbox.store_message(
            conn,
            key=f"{message_key}:{name}",
            channel=self._channel,
            thread_key=message_key,
            text=text,
            blocks=blocks,
            priority=NOTIFY,
        )

    async def tell_owner(self, conn: Connection, silence: Silence, words: str, about: Sequence[Alert]) -> None:
        """Tell who made the silence: in the thread of the first alert that it is about, else in the channel."""
        key = next((alert.message_key for alert in about if alert.message_key), None)
        text, blocks = view.notice(words, to=silence.owner)
        await outbox.store_message(
            conn,
            key=f"silence:{silence.id}:{'ended' if silence.ended_at else 'reminder'}",
            channel=self._channel,
            thread_key=key,
            text=text,
            blocks=blocks,
            priority=NOTIFY,
        )

    async def _store(self, conn: Connection, move: Move, around: view.Surroundings, now: datetime) -> _Step:
        """The alert's row and the decision; a row that fires gets its message afterwards."""
        self._metrics.alerts.labels(move.decision or "edited").inc()
        alert = self._worded(move, around, now)
        if move.after is None:
            assert alert.id is not None  # noqa: S101 - what passes was stored
            await alerts.forget_alert(conn, alert.id)
        elif move.before is None:
            alert = replace(alert, id=await alerts.open_alert(conn, alert))
        else:
            await alerts.store_alert(conn, alert)
        if not move.decision:
            return _Step(move, alert, 0)
        logger.info("%s: %s, %s", alert.fingerprint, move.decision, move.reason)
        number = await alerts.note_alert_decision(
            conn,
            at=now,
            fingerprint=alert.fingerprint,
            alert_id=alert.id if move.after else None,
            decision=move.decision,
            reason=move.reason,
        )
        return _Step(move, alert, number)

    def _worded(self, move: Move, around: view.Surroundings, now: datetime) -> Alert:
        """The alert with its page line as of now, where something is said."""
        match move.change:
            case None:
                return move.alert
            case AlertChange.RESOLVED:
                return replace(move.alert, line=view.end_line(move.alert, self._environment))
            case _:
                return replace(move.alert, line=view.page_line(move.alert, around, as_of=now))

    async def _say(self, conn: Connection, key: str, changed: Iterable[Alert]) -> None:
        """The message as its alerts stand; those in `changed` may not name it in their rows yet."""
        members = {alert.id: alert for alert in await alerts.list_alerts_of_message(conn, key)}
        members |= {alert.id: alert for alert in changed}
        if not members:
            return
        shown = sorted(members.values(), key=lambda alert: alert.id or 0)
        is_page = any(alert.severity is Severity.PAGE and alert.is_open for alert in shown)
        head = await self._head(conn, key)
        text, blocks = view.alert_message(shown, await silences.list_silences(conn), self._guide, head=head)
        priority = PAGE if is_page else NOTIFY
        await outbox.store_message(
            conn,
            key=key,
            channel=self._channel,
            thread_key=await self._thread(conn, shown),
            text=text,
            blocks=blocks,
            priority=priority,
        )

    async def _add_to_thread(self, conn: Connection, step: _Step, *, joined: bool) -> None:
        """Lines that people must notice: an edit alone nobody sees."""
        key, move = step.alert.message_key, step.move
        if move.run is not None and move.notice:
            await self.note(conn, move.run.message_key, f"alert:{step.number}", move.notice)
        elif key and (move.notice or joined):
            await self.note(conn, key, str(step.number), move.notice or f"Also: {step.alert.title}")

    async def _tell_others(self, conn: Connection, step: _Step, now: datetime) -> None:
        alert, move = step.alert, step.move
        if move.change is None or alert.message_key is None or alert.id is None:
            return
        event = AlertEvent(
            alert_id=alert.id,
            fingerprint=alert.fingerprint,
            change=move.change,
            severity=alert.severity,
            service=alert.service,
            title=alert.title,
            line=alert.line,
            at=now,
            message_key=alert.message_key,
            again=move.again,
            silenced=bool(alert.held),
        )
        await self._on_alert(conn, event)


def _is_told(move: Move) -> bool:
    return move.change is AlertChange.FIRED and move.alert.state is AlertState.FIRING


def _with_key(alert: Alert, keys: Mapping[int, str]) -> Alert:
    key = keys.get(alert.id or 0)
    return replace(alert, message_key=key) if key else alert
