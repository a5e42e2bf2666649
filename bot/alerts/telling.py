"""Stores what becomes of alerts and says it, in the transaction of both: rows, messages, lines in threads, events."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.alerts.decide import Move
from bot.alerts.grouping import share_messages
from bot.alerts.messages import AlertMessages
from bot.alerts.settings import AlertRules
from bot.views import alerts as view
from bot.web.metrics import Metrics
from services.domain.alerts import Alert, AlertChange, AlertEvent, AlertState, Silence, in_order
from services.postgres import alerts
from services.postgres.pool import Connection

logger = logging.getLogger(__name__)

OnAlert = Callable[[Connection, AlertEvent], Awaitable[None]]


async def nobody_acts(conn: Connection, event: AlertEvent) -> None:
    """What `on_alert` does when nothing else is given."""


@dataclass(frozen=True)
class _Step:
    """A move whose alert is stored; `number` is its decision's, 0 when there was nothing to decide."""

    move: Move
    alert: Alert
    number: int


class AlertTeller:
    """`on_alert` is called in the transaction that stores an alert's new state: what it writes is as true as that."""

    def __init__(
        self,
        rules: AlertRules,
        messages: AlertMessages,
        *,
        environment: str | None,
        metrics: Metrics,
        on_alert: OnAlert = nobody_acts,
    ) -> None:
        self._rules = rules
        self._messages = messages
        self._environment = environment
        self._metrics = metrics
        self._on_alert = on_alert

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
            await self._tell_others(conn, one, around, now)
        for key in in_order(str(one.alert.message_key) for one in said):
            await self._messages.say(conn, key, [one.alert for one in said if one.alert.message_key == key])
        for one in said:
            await alerts.store_alert(conn, one.alert)
        for one in steps:
            await self._add_to_thread(conn, one, joined=one.alert.message_key in joined and one.alert.id in keys)

    async def tell_owner(self, conn: Connection, silence: Silence, words: str, about: Sequence[Alert]) -> None:
        """Tell who made the silence."""
        await self._messages.tell_owner(conn, silence, words, about)

    async def _store(self, conn: Connection, move: Move, around: view.Surroundings, now: datetime) -> _Step:
        """The alert's row and the decision; a row that fires gets its message afterwards."""
        self._metrics.alerts.labels(move.decision or "edited").inc()
        alert = self._worded(move, around)
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

    def _worded(self, move: Move, around: view.Surroundings) -> Alert:
        """The alert with its page line as of now, where something is said."""
        match move.change:
            case None:
                return move.alert
            case AlertChange.RESOLVED:
                return replace(move.alert, line=view.end_line(move.alert, self._environment))
            case _ if move.alert.fine_since is not None:
                until = move.alert.fine_since + timedelta(seconds=self._rules.telling.quiet_s)
                return replace(move.alert, line=view.calm_line(move.alert, self._environment, until=until))
            case _:
                return replace(move.alert, line=view.page_line(move.alert, around))

    async def _add_to_thread(self, conn: Connection, step: _Step, *, joined: bool) -> None:
        """Lines that people must notice: an edit alone nobody sees."""
        key, move = step.alert.message_key, step.move
        is_new = move.change is AlertChange.FIRED  # an incident that has the alert tells that in its own words
        if move.run is not None and move.notice:
            await self._messages.note(conn, move.run.message_key, f"alert:{step.number}", move.notice)
        elif key and (move.notice or joined) and not (is_new and await self._messages.has_home(conn, key)):
            await self._messages.note(conn, key, str(step.number), move.notice or f"Also: {step.alert.title}")

    async def _tell_others(self, conn: Connection, step: _Step, around: view.Surroundings, now: datetime) -> None:
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
            deployed_at=around.deployed_at.get(alert.service) if alert.service else None,
        )
        await self._on_alert(conn, event)


def _is_told(move: Move) -> bool:
    return move.change is AlertChange.FIRED and move.alert.state is AlertState.FIRING


def _with_key(alert: Alert, keys: Mapping[int, str]) -> Alert:
    key = keys.get(alert.id or 0)
    return replace(alert, message_key=key) if key else alert
