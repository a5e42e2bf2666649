"""Stores alert transitions and writes their messages, thread lines and events in the same transaction."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.alerts.state import Transition, share_messages
from bot.config.alerts import AlertRules
from bot.config.timing import EvaluatorSettings
from bot.views import alerts as view
from bot.web.metrics import Metrics
from services.clients.postgres import alerts, messages
from services.clients.postgres.pool import Connection
from services.domain.alerts import Alert, AlertChange, AlertEvent, AlertState, Severity, Silence, in_order
from services.domain.people import Person

PAGE, NOTIFY = 10, 5  # priorities in the outbox: pages are sent first


@dataclass(frozen=True)
class IncidentThread:
    """The incident thread for messages of alerts that belong to an incident; its root message announces them."""

    incident_id: int
    thread_key: str


IncidentThreadOf = Callable[[Connection, Sequence[Alert]], Awaitable[IncidentThread | None]]
Owners = Callable[[Connection, Sequence[Alert]], Awaitable[Mapping[int, Person]]]


async def no_incident_thread(conn: Connection, alerts: Sequence[Alert]) -> IncidentThread | None:  # noqa: ARG001 - the signature is given
    """Leave the messages in the channel: the default of `home`."""
    return None


async def no_owners(conn: Connection, alerts: Sequence[Alert]) -> Mapping[int, Person]:  # noqa: ARG001 - the signature is given
    """Treat no alert as acknowledged: the default of `owners`."""
    return {}


class AlertMessages:
    """Writes the messages of alerts. `home` returns the incident thread that a message belongs in, None for the
    channel; `owners` returns who acknowledged these alerts, by alert id."""

    def __init__(
        self,
        rules: AlertRules,
        *,
        channel: str,
        railway_every_s: float = EvaluatorSettings.railway_every_s,
        home: IncidentThreadOf = no_incident_thread,
        owners: Owners = no_owners,
    ) -> None:
        self._channel = channel
        self._home = home
        self._owners = owners
        self._railway_every_s = railway_every_s
        self.follow(rules)

    def follow(self, rules: AlertRules) -> None:
        """Use these rules' runbook sections in messages from now on."""
        sections = {name: rule.section for name, rule in rules.rules}
        self._guide = view.Guide(sections, rules.runbook, self._railway_every_s)

    async def write(self, conn: Connection, key: str, changed: Iterable[Alert] = ()) -> None:
        """Write the message of this key from its alerts' states. Rows of those in `changed` may not refer to it yet."""
        members = {alert.id: alert for alert in await alerts.list_alerts_of_message(conn, key)}
        members |= {alert.id: alert for alert in changed}
        if not members:
            return
        shown = sorted(members.values(), key=lambda alert: alert.id or 0)
        is_page = any(alert.severity is Severity.PAGE and alert.is_open for alert in shown)
        owners = await self._owners(conn, shown)
        home = await self._home(conn, shown)
        joined = home.incident_id if home else None
        known = await alerts.list_silences(conn)
        text, blocks = view.alert_message(shown, known, self._guide, owners=owners, joined=joined)
        await messages.store_message(
            conn,
            key=key,
            channel=self._channel,
            thread_key=home.thread_key if home else None,
            text=text,
            blocks=blocks,
            priority=PAGE if is_page and home is None else NOTIFY,  # unposted: must not count as a waiting page
        )
        if home is not None:  # the incident's root message announces it; one posted earlier is still updated
            await messages.keep_unposted(conn, key=key)

    async def note(self, conn: Connection, message_key: str, name: str, words: str) -> None:
        """Add a line to the thread of a stored message; each `name` is added once."""
        await self._add(conn, f"{message_key}:{name}", message_key, view.notice(words))

    async def notify_owner(self, conn: Connection, silence: Silence, words: str, about: Sequence[Alert]) -> None:
        """Notify the silence's owner: in the thread of its first alert, else in the channel."""
        thread_key = next((alert.message_key for alert in about if alert.message_key), None)
        key = f"silence:{silence.id}:{'ended' if silence.ended_at else 'reminder'}"
        await self._add(conn, key, thread_key, view.notice(words, to=silence.owner))

    async def has_incident_thread(self, conn: Connection, message_key: str) -> bool:
        """True if the alerts of this message belong to an incident."""
        return await self._home(conn, await alerts.list_alerts_of_message(conn, message_key)) is not None

    async def _add(self, conn: Connection, key: str, thread_key: str | None, content: view.Content) -> None:
        text, blocks = content
        await messages.store_message(
            conn, key=key, channel=self._channel, thread_key=thread_key, text=text, blocks=blocks, priority=NOTIFY
        )


logger = logging.getLogger(__name__)

OnAlert = Callable[[Connection, AlertEvent], Awaitable[None]]


async def ignore_alert(conn: Connection, event: AlertEvent) -> None:
    """Ignore the event: the default of `on_alert`."""


@dataclass(frozen=True)
class _Step:
    """A transition whose alert is stored; `number`: of its stored decision, 0 if there was none."""

    transition: Transition
    alert: Alert
    number: int


class AlertMessageWriter:
    """Stores transitions and writes their messages. `on_alert` is called in the transaction that stores an alert's new
    state, so that both are stored or neither."""

    def __init__(
        self,
        rules: AlertRules,
        messages: AlertMessages,
        *,
        environment: str | None,
        metrics: Metrics,
        on_alert: OnAlert = ignore_alert,
    ) -> None:
        self.rules = rules
        self._messages = messages
        self._environment = environment
        self._metrics = metrics
        self._on_alert = on_alert

    def follow(self, rules: AlertRules) -> None:
        """Use these rules from now on."""
        self.rules = rules
        self._messages.follow(rules)

    async def apply(
        self,
        conn: Connection,
        transitions: Sequence[Transition],
        known: Sequence[Alert],
        around: view.Surroundings,
        *,
        now: datetime,
        is_digest: bool,
    ) -> None:
        """Store the transitions and the messages that they cause. `known`: the alerts before the transitions."""
        steps = [await self._store(conn, transition, around, now) for transition in transitions]
        fired = [one.alert for one in steps if _is_announced(one.transition) and one.alert.message_key is None]
        keys = share_messages(fired, known, now=now, telling=self.rules.telling, is_digest=is_digest)
        joined = set(keys.values()) & {alert.message_key for alert in known}
        steps = [replace(one, alert=_with_key(one.alert, keys)) for one in steps]
        announced = [one for one in steps if one.transition.change is not None and one.alert.message_key]
        for one in announced:  # first: it may open an incident, and the alert's message then belongs in its thread
            await self._notify_others(conn, one, around, now)
        for key in in_order(str(one.alert.message_key) for one in announced):
            await self._messages.write(conn, key, [one.alert for one in announced if one.alert.message_key == key])
        for one in announced:
            await alerts.store_alert(conn, one.alert)
        for one in steps:
            await self._add_to_thread(conn, one, joined=one.alert.message_key in joined and one.alert.id in keys)

    async def notify_owner(self, conn: Connection, silence: Silence, words: str, about: Sequence[Alert]) -> None:
        """Notify the silence's owner."""
        await self._messages.notify_owner(conn, silence, words, about)

    async def _store(self, conn: Connection, transition: Transition, around: view.Surroundings, now: datetime) -> _Step:
        """Store the alert's row and the decision; a firing alert's message is assigned afterwards."""
        self._metrics.alerts.labels(transition.decision or "edited").inc()
        alert = self._worded(transition, around)
        if transition.after is None:
            assert alert.id is not None  # noqa: S101 - an alert that passed was stored
            await alerts.forget_alert(conn, alert.id)
        elif transition.before is None:
            alert = replace(alert, id=await alerts.open_alert(conn, alert))
        else:
            await alerts.store_alert(conn, alert)
        if not transition.decision:
            return _Step(transition, alert, 0)
        logger.info("%s: %s, %s", alert.fingerprint, transition.decision, transition.reason)
        number = await alerts.note_alert_decision(
            conn,
            at=now,
            fingerprint=alert.fingerprint,
            alert_id=alert.id if transition.after else None,
            decision=transition.decision,
            reason=transition.reason,
        )
        return _Step(transition, alert, number)

    def _worded(self, transition: Transition, around: view.Surroundings) -> Alert:
        """The alert with its current page line, if something is shown."""
        match transition.change:
            case None:
                return transition.alert
            case AlertChange.RESOLVED:
                return replace(transition.alert, line=view.end_line(transition.alert, self._environment))
            case _ if transition.alert.fine_since is not None:
                until = transition.alert.fine_since + timedelta(seconds=self.rules.telling.quiet_s)
                return replace(transition.alert, line=view.calm_line(transition.alert, self._environment, until=until))
            case _:
                return replace(transition.alert, line=view.page_line(transition.alert, around))

    async def _add_to_thread(self, conn: Connection, step: _Step, *, joined: bool) -> None:
        """Add a line to the thread where people must notice a change: an edit alone notifies no one."""
        key, transition = step.alert.message_key, step.transition
        is_new = transition.change is AlertChange.FIRED  # its incident announces it in its own thread
        if transition.run is not None and transition.notice:
            await self._messages.note(conn, transition.run.message_key, f"alert:{step.number}", transition.notice)
        elif key and (transition.notice or joined):
            if is_new and await self._messages.has_incident_thread(conn, key):
                return
            await self._messages.note(conn, key, str(step.number), transition.notice or f"Also: {step.alert.title}")

    async def _notify_others(self, conn: Connection, step: _Step, around: view.Surroundings, now: datetime) -> None:
        alert, transition = step.alert, step.transition
        if transition.change is None or alert.message_key is None or alert.id is None:
            return
        event = AlertEvent(
            alert_id=alert.id,
            fingerprint=alert.fingerprint,
            change=transition.change,
            severity=alert.severity,
            service=alert.service,
            title=alert.title,
            line=alert.line,
            at=now,
            message_key=alert.message_key,
            again=transition.again,
            silenced=bool(alert.held),
            deployed_at=around.suspected_deploy(alert),
            cause=around.known_cause(alert),
        )
        await self._on_alert(conn, event)


def _is_announced(transition: Transition) -> bool:
    return transition.change is AlertChange.FIRED and transition.alert.state is AlertState.FIRING


def _with_key(alert: Alert, keys: Mapping[int, str]) -> Alert:
    key = keys.get(alert.id or 0)
    return replace(alert, message_key=key) if key else alert
