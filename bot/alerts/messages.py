"""The messages of alerts: each says how its alerts stand, and is said again when something beside them has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.alerts.settings import AlertRules
from bot.settings import WatchSettings
from bot.views import alerts as view
from services.domain.alerts import Alert, Severity, Silence
from services.domain.runs import Person
from services.postgres import alerts, outbox, silences
from services.postgres.pool import Connection

PAGE, NOTIFY = 10, 5  # priorities in the outbox: pages before everything else


@dataclass(frozen=True)
class Home:
    """Where alerts belong that have an incident: its root message tells them, and its thread is where people talk."""

    incident_id: int
    thread_key: str


HomeOf = Callable[[Connection, Sequence[Alert]], Awaitable[Home | None]]
Owners = Callable[[Connection, Sequence[Alert]], Awaitable[Mapping[int, Person]]]


async def no_home(conn: Connection, alerts: Sequence[Alert]) -> Home | None:  # noqa: ARG001 - as others are called
    """What `home` gives when nothing else is given: the channel itself."""
    return None


async def no_owners(conn: Connection, alerts: Sequence[Alert]) -> Mapping[int, Person]:  # noqa: ARG001 - as others are called
    """What `owners` gives when nothing else is given: nobody has taken anything on."""
    return {}


class AlertMessages:
    """`home` gives the incident in whose thread a message of these alerts belongs, None for the channel; `owners` who
    has taken which of these alerts on, by the alert's id."""

    def __init__(
        self,
        rules: AlertRules,
        *,
        channel: str,
        railway_every_s: float = WatchSettings.railway_every_s,
        home: HomeOf = no_home,
        owners: Owners = no_owners,
    ) -> None:
        self._channel = channel
        self._home = home
        self._owners = owners
        sections = {name: rules.rules.section(name) for name in type(rules.rules).model_fields}
        self._guide = view.Guide(sections, rules.runbook, railway_every_s)

    async def say(self, conn: Connection, key: str, changed: Iterable[Alert] = ()) -> None:
        """The message of this key as its alerts stand; those in `changed` may not name it in their rows yet."""
        members = {alert.id: alert for alert in await alerts.list_alerts_of_message(conn, key)}
        members |= {alert.id: alert for alert in changed}
        if not members:
            return
        shown = sorted(members.values(), key=lambda alert: alert.id or 0)
        is_page = any(alert.severity is Severity.PAGE and alert.is_open for alert in shown)
        owners = await self._owners(conn, shown)
        home = await self._home(conn, shown)
        joined = home.incident_id if home else None
        known = await silences.list_silences(conn)
        text, blocks = view.alert_message(shown, known, self._guide, owners=owners, joined=joined)
        await outbox.store_message(
            conn,
            key=key,
            channel=self._channel,
            thread_key=home.thread_key if home else None,
            text=text,
            blocks=blocks,
            priority=PAGE if is_page and home is None else NOTIFY,  # what stays away is no page that waits
        )
        if home is not None:  # the incident's root message says it; what was posted before it belonged there stays true
            await outbox.keep_unposted(conn, key=key)

    async def note(self, conn: Connection, message_key: str, name: str, words: str) -> None:
        """A line in the thread of a message that is there; `name` makes it once."""
        await self._add(conn, f"{message_key}:{name}", message_key, view.notice(words))

    async def tell_owner(self, conn: Connection, silence: Silence, words: str, about: Sequence[Alert]) -> None:
        """Tell who made the silence: in the thread of the first alert that it is about, else in the channel."""
        thread_key = next((alert.message_key for alert in about if alert.message_key), None)
        key = f"silence:{silence.id}:{'ended' if silence.ended_at else 'reminder'}"
        await self._add(conn, key, thread_key, view.notice(words, to=silence.owner))

    async def has_home(self, conn: Connection, message_key: str) -> bool:
        """Whether the alerts of this message belong to an incident."""
        return await self._home(conn, await alerts.list_alerts_of_message(conn, message_key)) is not None

    async def _add(self, conn: Connection, key: str, thread_key: str | None, content: view.Content) -> None:
        text, blocks = content
        await outbox.store_message(
            conn, key=key, channel=self._channel, thread_key=thread_key, text=text, blocks=blocks, priority=NOTIFY
        )
