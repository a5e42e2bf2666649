"""An incident as one message in the channel that stays true, and what those who are called read.

The first line is the answer: how it stands, what is wrong, since when. What is no longer so is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.blocks import actions, command_button, context, section, sections
from bot.views.incident_buttons import buttons
from bot.views.mentions import channel_name, mention, person
from bot.views.message import fit_message
from bot.views.text import date_token, escape
from services.domain.incidents import Incident, IncidentState, JoinedAlert, PageSent
from services.domain.oncall import Chain, ChainLevel, Reach, ways_words
from services.domain.words import age, counted

LINE_LIMIT = 600  # characters of one line of an alert, a title or a cause
SHOWN_ALERTS = 5

Content = tuple[str, list[Block]]


def incident_message(
    incident: Incident, alerts: Sequence[JoinedAlert], pages: Sequence[PageSent], chain: Chain
) -> Content:
    """`alerts` in the order in which they joined, `pages` oldest first."""
    first = headline(incident, alerts)
    lines = [*_end(incident), *_other_alerts(alerts), *_called(incident, pages, chain)]
    blocks = [section(first), *sections(lines), *actions(buttons(incident, alerts)), context(_notes(incident))]
    return fit_message(first, blocks)


def headline(incident: Incident, alerts: Sequence[JoinedAlert]) -> str:
    """ "🔴 *PAGE* prod · ingest 0 of 2 beating, …", in mrkdwn."""
    return f"{_sign(incident)} {escape(summary(incident, alerts), limit=LINE_LIMIT)}"


def summary(incident: Incident, alerts: Sequence[JoinedAlert]) -> str:
    """What is wrong, as plain text: what the first alert that fires says, or the title."""
    firing = [alert for alert in alerts if alert.cleared_at is None]
    line = firing[0].line if firing else (alerts[-1].line if alerts else "")
    if line and incident.state is not IncidentState.RESOLVED:
        return line.removeprefix("PAGE ").removeprefix("Resolved ")
    return f"{incident.environment} · {incident.title}"


def called_message(page: PageSent, level: ChainLevel) -> Content:
    """In the thread: who is called now. Their mentions are what rings in Slack."""
    mentions = [mention(target.address) for target in level.targets if target.reach is Reach.MENTION]
    ways = ways_words(target for target in level.targets if target.reach is not Reach.MENTION)
    line = f"📟 {' '.join([*mentions, ''])}*Level {page.level + 1}* ({escape(level.name, limit=200)}) is called: "
    line += escape(page.reason, limit=LINE_LIMIT)
    notes = [f"also {escape(ways, limit=LINE_LIMIT)}"] if ways else []
    notes += [f"⚠️ {escape(words, limit=LINE_LIMIT)}: not called" for words in level.skipped]
    return fit_message(line, [section(line), *([context(*notes)] if notes else [])])


def direct_message(incident: Incident, alerts: Sequence[JoinedAlert], page: PageSent, channel: str) -> Content:
    """To one person: what is wrong, and the two buttons that somebody who was just woken needs."""
    first = headline(incident, alerts)
    asked = [
        command_button("Acknowledge", f"incident ack {incident.id}", style="primary"),
        command_button("Escalate", f"incident escalate {incident.id}"),
    ]
    where = (
        f"incident {incident.id} · you are called at level {page.level + 1} · the thread is in {channel_name(channel)}"
    )
    return fit_message(first, [section(first), *actions(asked), context(where)])


def late_call(incident: Incident) -> Content:
    """What a call says that was on its way when it was answered, and arrived all the same."""
    line = f"⚪ This call was on its way when incident {incident.id} was answered: nothing is asked of you."
    return fit_message(line, [section(line)])


def direct_message_after(incident: Incident, alerts: Sequence[JoinedAlert]) -> Content:
    """The same message once nobody has to answer it any more."""
    first = headline(incident, alerts)
    return fit_message(
        first, [section(first), context(f"incident {incident.id} · nothing is asked of you here any more")]
    )


def reminder(incident: Incident, words: str) -> Content:
    """Whether somebody is still on it. `words`: for how long nothing happened."""
    if incident.acknowledged_by is not None:
        line = f"⏰ {person(incident.acknowledged_by)} is incident {incident.id} still yours? {escape(words)}."
        asked = [command_button("Still on it", f"incident ack {incident.id}", style="primary")]
    else:
        state = "its alert is over" if incident.cleared_at else "nobody has it"
        line = f"⏰ incident {incident.id}: {state}, and {escape(words)}. Somebody has to resolve it."
        asked = [command_button("Take it on", f"incident ack {incident.id}", style="primary")]
    asked.append(command_button("Resolve…", f"incident resolve {incident.id}"))
    return fit_message(line, [section(line), *actions(asked)])


def note(words: str) -> Content:
    """One line in the thread, of our own mrkdwn."""
    return fit_message(words, [section(words)])


def _sign(incident: Incident) -> str:
    is_over = incident.cleared_at is not None
    match incident.state:
        case IncidentState.RESOLVED:
            return "✅ *RESOLVED*"
        case IncidentState.ACKNOWLEDGED if is_over:
            return f"🟢 *CLEARED*, to be resolved by {person(incident.acknowledged_by)} ·"
        case IncidentState.ACKNOWLEDGED:
            return f"🟡 *ACKNOWLEDGED* by {person(incident.acknowledged_by)} ·"
        case _ if is_over:
            return "🟢 *CLEARED*, to be resolved by somebody ·"
        case _:
            return "🔴 *PAGE*" if incident.severity.calls_people else "🔵 *OPEN*"


def page_over(incident: Incident, alerts: Sequence[JoinedAlert]) -> tuple[str, str]:
    """Subject and text for a pager that rings and need not any more; plain, and without who it was."""
    line = summary(incident, alerts)
    match incident.state:
        case IncidentState.ACKNOWLEDGED:
            return f"ACKNOWLEDGED {line}", f"Somebody took on incident {incident.id} in Slack."
        case IncidentState.RESOLVED:
            return f"RESOLVED {line}", f"Incident {incident.id} is resolved."
        case IncidentState.OPEN:
            return f"OVER {line}", f"Nobody is called for incident {incident.id} any more; it stays open in Slack."


def _end(incident: Incident) -> list[str]:
    if incident.cause is None:
        return []
    return [f"*Cause:* {escape(incident.cause, limit=LINE_LIMIT)} · {person(incident.resolved_by)}"]


def _other_alerts(alerts: Sequence[JoinedAlert]) -> list[str]:
    """Those that fire besides the one in the first line."""
    firing = [alert for alert in alerts if alert.cleared_at is None][1:]
    lines = [f"🔴 {escape(alert.line.removeprefix('PAGE '), limit=LINE_LIMIT)}" for alert in firing[:SHOWN_ALERTS]]
    return [*lines, *([f"… {counted(len(firing) - SHOWN_ALERTS, 'more alert')}"] if firing[SHOWN_ALERTS:] else [])]


def _called(incident: Incident, pages: Sequence[PageSent], chain: Chain) -> list[str]:
    if incident.state is not IncidentState.OPEN or not incident.severity.calls_people:
        return []
    notes = [f"⚠️ {escape(words)}" for words in chain.notes]
    if not chain.levels:
        return [*notes, "⚠️ *Nobody could be called*: there is neither an on-call file nor an approver."]
    if not pages or incident.cleared_at is not None:
        return notes
    last = pages[-1]
    words = f"📟 called {_names(chain.levels[last.level % len(chain.levels)])} {date_token(last.paged_at, '{time}')}"
    following = chain.level(incident.next_level)
    if incident.due_at is not None and following is not None:
        words += f" · next {_names(following)} {date_token(incident.due_at, '{time}')}"
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
