"""An incident's message and its buttons.

The first line is the answer: how it stands, what is wrong, since when. What is no longer so is not shown.

All of them run command lines, so permissions are checked as usual, and changes are requested as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.types import Block
from bot.views.alerts import next_steps
from bot.views.blocks import actions, command_button, command_menu, context, fit_message, section, sections
from bot.views.delivery import notified_words
from bot.views.text import FirstLine, date_token, escape, mention, person, plain
from playbooks.diagnosis import BLAMED_FOR
from playbooks.last_deploys import RAN_WELL
from services.domain.alerts import CALM, is_same_outage, read_page_line
from services.domain.answers import page_of_key
from services.domain.channels import Channel
from services.domain.incidents import Incident, IncidentState, JoinedAlert, PageSent
from services.domain.notifications import Notification
from services.domain.oncall import Chain, ChainLevel, ways_words
from services.domain.phone_lines import PHONE_LIMIT
from services.domain.services import Service, find_service
from services.domain.text import age, clock_time, counted

MOST = 3


def buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """In the order of what one most probably wants; none once it is resolved but the way to its story.

    What the diagnosis found comes last where none of them is it."""
    if incident.state is IncidentState.RESOLVED:
        return [
            command_button("Timeline", f"incident timeline {incident.id}"),
            command_button("Draft postmortem", f"incident draft {incident.id}"),
            command_button("Postmortem", f"incident export {incident.id}"),
        ]
    acknowledge, resolve = f"incident ack {incident.id}", ("Resolve…", f"incident resolve {incident.id}")
    menu = command_menu(_rest(incident, alerts))
    if incident.cleared_at is not None or (incident.state is IncidentState.ACKNOWLEDGED and is_calm(alerts)):
        # nothing is left to restart or to roll back
        return [command_button(*resolve, style="primary"), command_button("Health", "health"), menu]
    steps = _remedies(incident)
    read_steps = [one for one in (("Health", "health"), ("Queue", "queue")) if one not in steps]
    if incident.state is IncidentState.OPEN:
        shown = [*([] if is_calm(alerts) else steps), *read_steps][: MOST - 1]
        first = [command_button("Acknowledge", acknowledge, style="primary")]
    else:
        shown, first = [*[*steps, *read_steps][: MOST - 1], resolve], []
    sure = None if is_calm(alerts) else _sure(incident, steps)
    row = [command_button(*one, style="primary" if one[1] == sure else None) for one in shown]
    return [*first, *row, menu, *_found_later(sure, shown)]


def owner_buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """For its owner, outside its thread: the first remedy, the logs, *Resolve*; only *Resolve* once it has cleared."""
    resolve = ("Resolve…", f"incident resolve {incident.id}")
    if incident.cleared_at is not None or is_calm(alerts):
        return [command_button(*resolve, style="primary"), command_button("Health", "health")]
    service, steps = _service(incident), _remedies(incident)
    sure = _sure(incident, steps)
    logs = [(f"Logs of {service.short}", f"logs {service.short}")] if service else []
    shown = [*steps[:1], *logs, resolve]
    row = [command_button(*step, style="primary" if step[1] == sure else None) for step in shown]
    return [*row, *_found_later(sure, shown)]


def is_calm(alerts: Sequence[JoinedAlert]) -> bool:
    """Whether all that still fires is fine now, and only watched because it came back before."""
    firing = _firing(alerts)
    return bool(firing) and all(map(_is_watched, firing))


def _firing(alerts: Sequence[JoinedAlert]) -> list[JoinedAlert]:
    """Those that are not over; what is fine and only watched comes last."""
    return sorted((one for one in alerts if one.cleared_at is None), key=_is_watched)


def _is_watched(alert: JoinedAlert) -> bool:
    return any(words.startswith(CALM) for words in read_page_line(alert.line).rest)


def _remedies(incident: Incident) -> list[tuple[str, str]]:
    """In the order that was right when it opened, so that no button moves under a thumb: what is learned later makes
    one of them exact, and green."""
    rule = incident.fingerprint.partition(".")[0] if incident.fingerprint else "restarts"
    steps = next_steps(rule, _service(incident))
    if _is_deploy_suspected(incident):
        steps.sort(key=lambda step: not step[1].startswith("rollback "))
    if incident.remedy is None:
        return steps
    verb, found = incident.remedy.split()[0], (_label(incident.remedy), incident.remedy)
    return [found if step[1].split()[0] == verb else step for step in steps]


def _found_later(sure: str | None, shown: Sequence[tuple[str, str]]) -> list[Block]:
    """The green button that none of the shown ones is: after all of them, the menu too, so that it moves none."""
    if sure is None or any(command == sure for _, command in shown):
        return []
    return [command_button(_label(sure), sure, style="primary")]


def _label(remedy: str) -> str:
    """ "Roll back to 8d02b64e" of "rollback ingest to 8d02b64e"."""
    verb, *words = remedy.split()
    if verb == "rollback":
        return f"Roll back to {words[-1]}" if "to" in words else "Roll back…"
    return f"{verb.capitalize()} {words[0]}" if words else verb.capitalize()


def _sure(incident: Incident, steps: Sequence[tuple[str, str]]) -> str | None:
    """The command whose button is green: the remedy that the diagnosis found, or the way back from a deploy just made.

    A diagnosis that found another cause acquits the deploy."""
    if incident.remedy is not None or incident.diagnosis is not None:
        return incident.remedy
    if not _is_deploy_suspected(incident, within=RAN_WELL):
        return None
    return next((command for _, command in steps if command.startswith("rollback ")), None)


def _is_deploy_suspected(incident: Incident, *, within: timedelta = BLAMED_FOR) -> bool:
    """Whether what was suspected as it opened was deployed so shortly before the problem."""
    made = incident.deployed_at
    return made is not None and timedelta() <= incident.since - made <= within


def _rest(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[tuple[str, str]]:
    """Five at most: Slack's limit of an overflow menu."""
    service = _service(incident)
    lines = [("Resolve…", f"incident resolve {incident.id}"), ("Escalate now", f"incident escalate {incident.id}")]
    if incident.state is IncidentState.ACKNOWLEDGED or incident.cleared_at is not None:
        lines[0] = ("Take over", f"incident ack {incident.id}")
    firing = next((alert for alert in alerts if alert.cleared_at is None), None)
    lines.append(("Ask…", "ask"))  # logs are a button of the diagnosis below
    if service is not None and service.worker_type is not None:
        lines.append((f"Stop {service.short} now…", f"stop-workers {service.short}"))
    if firing is not None:  # last: it goes with the alert, and the others keep their places
        lines.append(("Silence for 1 h", f"silence {firing.fingerprint} 1h incident {incident.id}"))
    return lines


def _service(incident: Incident) -> Service | None:
    """The one service that it is about."""
    return find_service(incident.services[0]) if len(incident.services) == 1 else None


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
    """`alerts` in the order in which they joined, `pages` oldest first. `outside`: who is notified outside Slack.
    `picture`: of the hour around it, shown once it is over: until then a phone's screen is for what there is to do.

    What is wrong, why, how the work stands, who is called; then the buttons, and below them the details.
    """
    first = headline(incident, alerts)
    waits = replace(incident, due_at=None) if is_calm(alerts) else incident  # no one is next while it is fine
    who = [*_paged(waits, pages, chain, outside)]
    lines = [*_end(incident), *_why(incident, alerts), *_other_alerts(alerts), *who]
    shown = picture if incident.is_over else ()
    blocks = [section(first), *sections(lines), *actions(buttons(incident, alerts)), *shown, context(_notes(incident))]
    return fit_message(phone_line(incident, alerts), blocks)


def headline(incident: Incident, alerts: Sequence[JoinedAlert], form: str = "{time}") -> str:
    """ "🔴 *ingest is down* (0 of 2) since 09:02 · prod", in mrkdwn. `form`: of the date, as `date_token` takes it."""
    return _first_line(incident, alerts, form).shown


def phone_line(incident: Incident, alerts: Sequence[JoinedAlert]) -> str:
    """The same for a notification: what, since when, where, in `PHONE_LIMIT`."""
    return _first_line(incident, alerts).phone


def summary(incident: Incident, alerts: Sequence[JoinedAlert]) -> str:
    """What is wrong, where and since when, as one short line of plain text."""
    display = _shown(incident, alerts)
    since = f" since {clock_time(display.since)}" if display.since else ""
    return plain(f"{plain(display.place, limit=40)} · {plain(display.title, limit=PHONE_LIMIT - 30)}{since}")


def details(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[str]:
    """What stands below the summary, as plain text: the reason or what it shows as, and how the work stands."""
    display = _shown(incident, alerts)
    return [line for line in (display.why, display.work) if line]


def _first_line(incident: Incident, alerts: Sequence[JoinedAlert], form: str = "{time}") -> FirstLine:
    display = _shown(incident, alerts)
    return FirstLine(_sign(incident, display), display.place, display.title, display.since, place_last=True, form=form)


@dataclass(frozen=True)
class _Shown:
    """What an alert's line shows, in its parts. since: None where it is over."""

    place: str
    title: str
    why: str = ""
    work: str = ""
    since: datetime | None = None
    is_calm: bool = False


def _shown(incident: Incident, alerts: Sequence[JoinedAlert]) -> _Shown:
    """Of the first alert that fires, else of the last one; of the incident itself when it has none, or is resolved.

    The cause takes the place of the title once it is known; but not of a person's words, and not of what is fine."""
    firing = _firing(alerts)
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
    """Whether what opened it still fires: the cause is that of this, and not of what joined later."""
    first, names = incident.fingerprint, [one.fingerprint for one in firing]
    return first is None or first in names or is_same_outage(first, names)


def _with_cause(incident: Incident, display: _Shown) -> _Shown:
    """The cause first, what it shows as below it; a cause that only says the same again tells since when."""
    if incident.diagnosis is None:
        return display
    is_dated = incident.diagnosis.endswith(" UTC")  # by a former version
    since = (incident.diagnosed_since or display.since) if display.since else None
    if _without_numbers(incident.diagnosis).startswith(_without_numbers(display.title)):
        return replace(display, since=since)
    shows = " · ".join(filter(None, (display.title, display.work)))
    return _Shown(display.place, incident.diagnosis, shows, since=None if is_dated else since)


def _without_numbers(title: str) -> str:
    """ "ingest is down" of "ingest is down (0 of 2)"."""
    return title.partition(" (")[0]


def _is_work(words: str) -> bool:
    """Whether a part of an alert's line tells how the work stands."""
    return words.startswith(("DB ", "queue ")) or " waiting" in words


def _why(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[str]:
    """What stands below the first line, while it is neither over nor fine."""
    if incident.is_over or is_calm(alerts):
        return []
    return [escape(line, limit=LINE_LIMIT) for line in details(incident, alerts)]


def paged_message(page: PageSent, level: ChainLevel) -> Content:
    """In the thread: who is called now. Their mentions are what rings in Slack."""
    mentions = [mention(target.address) for target in level.targets if target.channel is Channel.MENTION]
    ways = ways_words(target for target in level.targets if target.channel is not Channel.MENTION)
    line = f"📟 {' '.join([*mentions, ''])}*Level {page.level + 1}* ({escape(level.name, limit=200)}) is paged"
    line += f": {escape(page.reason, limit=LINE_LIMIT)}" if page.number > 1 else ""  # the incident is the first reason
    notes = [f"also {escape(ways, limit=LINE_LIMIT)}"] if ways else []
    notes += [f"⚠️ {escape(words, limit=LINE_LIMIT)}: not paged" for words in level.skipped]
    return fit_message(line, [section(line), *([context(*notes)] if notes else [])])


def late_page(incident: Incident) -> Content:
    """What a call reports that was on its way when it was answered, and arrived all the same."""
    line = f"⚪ Incident {incident.id} was acknowledged while this page was on its way. No action is needed."
    return fit_message(line, [section(line)])


def reminder(incident: Incident, words: str) -> Content:
    """Asks whether its owner still works on it. `words`: for how long there was no activity."""
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
    """One line in the thread, of our own mrkdwn."""
    return fit_message(words, [section(words)])


def _sign(incident: Incident, display: _Shown) -> str:
    is_over = incident.cleared_at is not None
    match incident.state:
        case IncidentState.RESOLVED:
            return "✅ *RESOLVED* ·"
        case IncidentState.ACKNOWLEDGED if is_over:
            return f"🟢 *CLEARED*, to be resolved by {person(incident.acknowledged_by)} ·"
        case _ if display.is_calm:
            return "🟢"
        case IncidentState.ACKNOWLEDGED:
            return f"🟡 *ACKNOWLEDGED* by {person(incident.acknowledged_by)} ·"
        case _ if is_over:
            return "🟢 *CLEARED*, not resolved yet ·"
        case _:
            return "🔴" if incident.severity.pages_people else "🔵 *OPEN* ·"


def page_over(incident: Incident, alerts: Sequence[JoinedAlert]) -> tuple[str, str]:
    """Subject and text for a pager that rings and need not any more; plain, and without who it was."""
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
    """Those that fire besides the one in the first line; one that is fine again is not news, nor is the other half of
    the same outage."""
    shown = [alert.fingerprint for alert in _firing(alerts)[:1]]
    others = [alert for alert in _firing(alerts)[1:] if not is_same_outage(alert.fingerprint, shown)]
    firing = [alert for alert in others if not _is_watched(alert)]
    lines = [f"🔴 {escape(_trouble(alert), limit=LINE_LIMIT)}" for alert in firing[:SHOWN_ALERTS]]
    return [*lines, *([f"… {counted(len(firing) - SHOWN_ALERTS, 'more alert')}"] if firing[SHOWN_ALERTS:] else [])]


def _trouble(alert: JoinedAlert) -> str:
    """What another alert is about; the rest is in the first lines or in the diagnosis."""
    line = read_page_line(alert.line)
    return line.title or line.place


def _paged(incident: Incident, pages: Sequence[PageSent], chain: Chain, outside: Sequence[Notification]) -> list[str]:
    """Who is called, by what, and who is next."""
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
