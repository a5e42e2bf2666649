"""The root message of an incident.

The first line has state, problem and start. The message shows only what is true now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.types import Block
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.delivery import notified_words
from bot.views.incident_buttons import buttons, firing_alerts, is_calm, is_watched
from bot.views.text import FirstLine, date_token, escape, mention, person, plain
from services.domain.alerts import CALM, is_same_outage, read_page_line
from services.domain.answers import page_of_key
from services.domain.channels import Channel
from services.domain.escalation_chain import Chain, ChainLevel, ways_words
from services.domain.incidents import Incident, IncidentState, JoinedAlert, PageSent
from services.domain.notifications import Notification
from services.domain.phone_lines import PHONE_LIMIT
from services.domain.text import age, clock_time, counted

LINE_LIMIT = 600  # characters of one line of an alert or a cause
SHOWN_ALERTS = 5

Content = tuple[str, list[Block]]


def incident_message(
    incident: Incident,
    alerts: Sequence[JoinedAlert],
    pages: Sequence[PageSent],
    chain: Chain,
    outside: Sequence[Notification] = (),
    picture: Sequence[Block] = (),
) -> Content:
    """`alerts`: in the order in which they joined. `pages`: oldest first. `outside`: notifications outside Slack.
    `picture`: of the hour around the start, shown only after the end, because until then a phone must show the buttons.

    Problem, cause, backlog and paged people come first, then the buttons, then the details.
    """
    first = headline(incident, alerts)
    waits = replace(incident, due_at=None) if is_calm(alerts) else incident  # no next page while all alerts recover
    who = [*_paged(waits, pages, chain, outside)]
    lines = [*_end(incident), *_detail_lines(incident, alerts), *_other_alerts(alerts), *who]
    shown = picture if incident.is_over else ()
    blocks = [section(first), *sections(lines), *actions(buttons(incident, alerts)), *shown, context(_notes(incident))]
    return fit_message(phone_line(incident, alerts), blocks)


def headline(incident: Incident, alerts: Sequence[JoinedAlert], form: str = "{time}") -> str:
    """ "🔴 *ingest is down* (0 of 2) since 09:02 · prod", in mrkdwn. `form`: date format for `date_token`."""
    return _first_line(incident, alerts, form).shown


def phone_line(incident: Incident, alerts: Sequence[JoinedAlert]) -> str:
    """The headline for a notification, within `PHONE_LIMIT`."""
    return _first_line(incident, alerts).phone


def summary(incident: Incident, alerts: Sequence[JoinedAlert]) -> str:
    """Place, problem and start as one short line of plain text."""
    display = _shown(incident, alerts)
    since = f" since {clock_time(display.since)}" if display.since else ""
    return plain(f"{plain(display.place, limit=40)} · {plain(display.title, limit=PHONE_LIMIT - 30)}{since}")


def details(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[str]:
    """The lines below the summary, as plain text: the reason, and the state of queue and database."""
    display = _shown(incident, alerts)
    return [line for line in (display.why, display.work) if line]


def _first_line(incident: Incident, alerts: Sequence[JoinedAlert], form: str = "{time}") -> FirstLine:
    display = _shown(incident, alerts)
    return FirstLine(_sign(incident, display), display.place, display.title, display.since, place_last=True, form=form)


@dataclass(frozen=True)
class _Shown:
    """Parts of an alert's line. `why`: the reason. `work`: state of queue and database. `since`: None if over."""

    place: str
    title: str
    why: str = ""
    work: str = ""
    since: datetime | None = None
    is_calm: bool = False


def _shown(incident: Incident, alerts: Sequence[JoinedAlert]) -> _Shown:
    """The first firing alert's line, else the last alert's; the incident's own title without alerts or once resolved.

    A known cause replaces the title of an alert, but not a person's words, and not that of a recovered alert."""
    firing = firing_alerts(alerts)
    alert = firing[0] if firing else alerts[-1] if alerts else None
    own = _Shown(incident.environment, incident.title, since=None if incident.is_over else incident.since)
    if alert is None:
        return replace(own, why=incident.diagnosis or "")
    if not alert.line or incident.state is IncidentState.RESOLVED:
        return _with_cause(incident, own)
    line = read_page_line(alert.line)
    title = line.title or incident.title
    calm = next((words for words in line.rest if words.startswith(CALM)), None)
    if calm is not None:
        return _Shown(line.place, f"{title}: {calm}", is_calm=True)
    work = [words for words in line.rest if _is_work(words)]
    why = [line.detail, *(words for words in line.rest if words not in work)]
    if alert.cleared_at is not None:
        return _Shown(line.place, title, " · ".join(filter(None, why)))
    display = _Shown(line.place, title, " · ".join(filter(None, why)), " · ".join(work), incident.since)
    if not _is_first_outage(incident, firing):
        return replace(display, why=incident.diagnosis or display.why)
    return _with_cause(incident, display)


def _is_first_outage(incident: Incident, firing: Sequence[JoinedAlert]) -> bool:
    """True if the alert that opened the incident still fires; the cause explains that alert, not later ones."""
    first, names = incident.fingerprint, [one.fingerprint for one in firing]
    return first is None or first in names or is_same_outage(first, names)


def _with_cause(incident: Incident, display: _Shown) -> _Shown:
    """Put the cause into the title and the symptom below; if the cause only repeats the title, take its start."""
    if incident.diagnosis is None:
        return display
    is_dated = incident.diagnosis.endswith(" UTC")  # stored by an earlier version
    since = (incident.diagnosed_since or display.since) if display.since else None
    if _without_numbers(incident.diagnosis).startswith(_without_numbers(display.title)):
        return replace(display, since=since)
    shows = " · ".join(filter(None, (display.title, display.work)))
    return _Shown(display.place, incident.diagnosis, shows, since=None if is_dated else since)


def _without_numbers(title: str) -> str:
    """ "ingest is down" from "ingest is down (0 of 2)"."""
    return title.partition(" (")[0]


def _is_work(words: str) -> bool:
    """True if the part of an alert's line is about the queue or the database."""
    return words.startswith(("DB ", "queue ")) or " waiting" in words


def _detail_lines(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[str]:
    """The details below the first line; empty if the incident is over or recovering."""
    if incident.is_over or is_calm(alerts):
        return []
    return [escape(line, limit=LINE_LIMIT) for line in details(incident, alerts)]


def paged_message(page: PageSent, level: ChainLevel) -> Content:
    """Message in the thread about the paged level. Its mentions notify people in Slack."""
    mentions = [mention(target.address) for target in level.targets if target.channel is Channel.MENTION]
    ways = ways_words(target for target in level.targets if target.channel is not Channel.MENTION)
    line = f"📟 {' '.join([*mentions, ''])}*Level {page.level + 1}* ({escape(level.name, limit=200)}) is paged"
    line += f": {escape(page.reason, limit=LINE_LIMIT)}" if page.number > 1 else ""  # the first page needs no reason
    notes = [f"also {escape(ways, limit=LINE_LIMIT)}"] if ways else []
    notes += [f"⚠️ {escape(words, limit=LINE_LIMIT)}: not paged" for words in level.skipped]
    return fit_message(line, [section(line), *([context(*notes)] if notes else [])])


def late_page(incident: Incident) -> Content:
    """Replaces a page that arrived after the incident was acknowledged."""
    line = f"⚪ Incident {incident.id} was acknowledged while this page was on its way. No action is needed."
    return fit_message(line, [section(line)])


def reminder(incident: Incident, words: str) -> Content:
    """Ask whether the owner still works on it. `words`: the time without activity."""
    if incident.acknowledged_by is not None:
        who = person(incident.acknowledged_by)
        line = f"⏰ {who} Are you still working on incident {incident.id}? There has been {escape(words)}."
        asked = [command_button("Still on it", f"incident ack {incident.id}", style="primary")]
    else:
        state = "all its alerts have cleared" if incident.cleared_at else "not acknowledged yet"
        line = f"⏰ Incident {incident.id}: {state}, {escape(words)}. Please acknowledge or resolve it."
        asked = [command_button("Acknowledge", f"incident ack {incident.id}", style="primary")]
    asked.append(command_button("Resolve…", f"incident resolve {incident.id}"))
    return fit_message(line, [section(line), *actions(asked)])


def note(words: str) -> Content:
    """One line in the thread. `words`: our own mrkdwn."""
    return fit_message(words, [section(words)])


def _sign(incident: Incident, display: _Shown) -> str:
    is_over = incident.cleared_at is not None
    match incident.state:
        case IncidentState.RESOLVED:
            return "✅ *RESOLVED* ·"
        case IncidentState.ACKNOWLEDGED if is_over:
            return f"🟢 *CLEARED*, waiting for {person(incident.acknowledged_by)} to resolve it ·"
        case _ if display.is_calm:
            return "🟢"
        case IncidentState.ACKNOWLEDGED:
            return f"🟡 *ACKNOWLEDGED* by {person(incident.acknowledged_by)} ·"
        case _ if is_over:
            return "🟢 *CLEARED*, not resolved yet ·"
        case _:
            return "🔴" if incident.severity.pages_people else "🔵 *OPEN* ·"


def page_over(incident: Incident, alerts: Sequence[JoinedAlert]) -> tuple[str, str]:
    """Subject and text that end a page at a pager; plain text, without names of people."""
    line = summary(incident, alerts)
    match incident.state:
        case IncidentState.ACKNOWLEDGED:
            return f"ACKNOWLEDGED {line}", f"Incident {incident.id} was acknowledged."
        case IncidentState.RESOLVED:
            return f"RESOLVED {line}", f"Incident {incident.id} is resolved."
        case IncidentState.OPEN:
            return f"OVER {line}", f"Incident {incident.id} no longer pages anyone. It stays open in Slack."


def _end(incident: Incident) -> list[str]:
    if incident.cause is None:
        return []
    return [f"*Cause:* {escape(incident.cause, limit=LINE_LIMIT)} · {person(incident.resolved_by)}"]


def _other_alerts(alerts: Sequence[JoinedAlert]) -> list[str]:
    """The firing alerts besides the one in the first line, without recovering ones and without other alerts of the same
    outage."""
    shown = [alert.fingerprint for alert in firing_alerts(alerts)[:1]]
    others = [alert for alert in firing_alerts(alerts)[1:] if not is_same_outage(alert.fingerprint, shown)]
    firing = [alert for alert in others if not is_watched(alert)]
    lines = [f"🔴 {escape(_alert_title(alert), limit=LINE_LIMIT)}" for alert in firing[:SHOWN_ALERTS]]
    return [*lines, *([f"… {counted(len(firing) - SHOWN_ALERTS, 'more alert')}"] if firing[SHOWN_ALERTS:] else [])]


def _alert_title(alert: JoinedAlert) -> str:
    """Title of another alert; its details are in the first lines or in the diagnosis."""
    line = read_page_line(alert.line)
    return line.title or line.place


def _paged(incident: Incident, pages: Sequence[PageSent], chain: Chain, outside: Sequence[Notification]) -> list[str]:
    """The paged people with the channels, and the next level."""
    if incident.state is not IncidentState.OPEN or not incident.severity.pages_people:
        return []
    notes = [f"⚠️ {escape(words)}" for words in chain.notes]
    if not chain.levels:
        return [*notes, "⚠️ *No one could be paged*: there is no on-call file and no approver."]
    if not pages or incident.cleared_at is not None:
        return notes
    last = pages[-1]
    paged = _names(chain.levels[last.level % len(chain.levels)])
    words = f"📟 paged {paged} {date_token(last.paged_at, '{time}')}"
    words += notified_words([one for one in outside if page_of_key(one.page_key) == (incident.id, last.number)])
    following = chain.level(incident.next_level)
    if incident.due_at is not None and following is not None:
        again = " again" if _names(following) == paged else ""
        words += f" · next {_names(following)}{again} {date_token(incident.due_at, '{time}')}"
    return [words, *notes]


def _names(level: ChainLevel) -> str:
    return escape(", ".join(dict.fromkeys(target.who for target in level.targets)), limit=200)


def _notes(incident: Incident) -> str:
    notes = [f"incident {incident.id}", incident.severity.upper(), f"began {date_token(incident.since)}"]
    notes += [f"opened by {person(incident.opened_by)}"] if incident.opened_by else []
    if incident.first_acknowledged_at:
        notes.append(f"acknowledged after {age(incident.first_acknowledged_at - incident.opened_at)}")
    if incident.resolved_at:
        notes.append(
            f"resolved {date_token(incident.resolved_at)}, after {age(incident.resolved_at - incident.opened_at)}"
        )
    return " · ".join(notes)
