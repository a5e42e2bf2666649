"""The message of an alert (firing, silenced, suppressed, resolved) and its buttons. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from bot.config.alerts import DEFAULT
from bot.types import Block
from bot.views.blocks import (
    actions,
    command_button,
    command_menu,
    context,
    fit_message,
    is_web_address,
    section,
    sections,
)
from bot.views.text import FirstLine, code, date_token, escape, link, person, plain
from playbooks.last_deploys import Suspect
from services.domain.alerts import CALM, Alert, AlertState, KnownCause, Severity, Silence, read_page_line
from services.domain.jobs import QueueSnapshot, pending_words
from services.domain.people import Person
from services.domain.services import Service
from services.domain.text import age, clock_time, counted


def alert_buttons(alert: Alert) -> list[Block]:
    """Buttons for the most likely next steps, then the menu: logs, silence, stop, why."""
    steps = [command_button(label, command) for label, command in next_steps(alert.rule, alert.service)]
    return [*(steps or [command_button("Health", "health")]), command_menu(_menu(alert))]


def next_steps(rule: str, service: Service | None) -> list[tuple[str, str]]:
    """(label, command) pairs of a rule's next steps; without a service, only those that need none."""
    short, declared = service.short if service else "", DEFAULT.rules.find(rule)
    return [
        (label.format(service=short), command.format(service=short))
        for label, command in (declared.buttons if declared else ())
        if short or "{service}" not in command
    ]


def _menu(alert: Alert) -> list[tuple[str, str]]:
    short = alert.service.short if alert.service else ""
    logs = [(f"Logs of {short}", f"logs {short}")] if short else []
    stop = (
        [(f"Stop {short}…", f"stop-workers {short}")] if alert.service is not None and not alert.service.is_api else []
    )
    silence = ("Silence for 1 h…", f"silence {alert.fingerprint} 1h")
    return [*logs, silence, *stop, ("Why this alert?", f"why {alert.fingerprint}")]


RAILWAY_RULES = frozenset({"deployments", "sha", "crash_loop", "freezes"})  # rules that depend on polling Railway
SHOWN = 20  # alerts of one message

Content = tuple[str, list[Block]]  # text and blocks
Owners = Mapping[int, Person]  # {alert id: person who acknowledged it}


@dataclass(frozen=True)
class Surroundings:
    """Context of a page line, besides the problem itself; None: unknown. `deploys`: the last deploy of each service in
    words; key None: the last one of any service. `suspects`: recent deploys that may be the cause."""

    environment: str | None
    queue: QueueSnapshot | None = None
    deploys: Mapping[Service | None, str] = field(default_factory=dict)
    suspects: Mapping[Service, Suspect] = field(default_factory=dict)

    def suspected_deploy(self, alert: Alert) -> datetime | None:
        """Time of the deploy that may be the cause of the alert; None if there is none."""
        suspect = self._suspect(alert)
        return suspect.made_at if suspect else None

    def known_cause(self, alert: Alert) -> KnownCause | None:
        """The deploy that broke the service, as a cause; None if there is none or if a rollback would not help."""
        suspect, steps = self._suspect(alert), next_steps(alert.rule, alert.service)
        if suspect is None or alert.service is None or not any(step.startswith("rollback ") for _, step in steps):
            return None
        return suspect.known_cause(alert.service)

    def _suspect(self, alert: Alert) -> Suspect | None:
        suspect = self.suspects.get(alert.service) if alert.service else None
        return suspect if suspect and suspect.explains(alert.since) else None


@dataclass(frozen=True)
class Guide:
    """Texts from the alert rules. `sections`: `{rule: title of the runbook's section}`. `runbook`: its address or
    empty. `railway_every_s`: seconds between polls of Railway."""

    sections: dict[str, str]
    runbook: str
    railway_every_s: float


def page_line(alert: Alert, around: Surroundings) -> str:
    """ "PAGE prod · ingest is down (0 of 2), …": plain text for a pager or an e-mail.

    The last deploy, the first suspect, comes before the backlog. Clock times only, because the line is stored. A
    notification that is no page has neither of them.
    """
    parts = [_place(around.environment), _problem(alert)]
    if alert.severity is Severity.PAGE:
        parts += [around.deploys.get(alert.service, ""), *_backlog(around)]
    line = plain(" · ".join(filter(None, parts)), limit=1500)
    return f"PAGE {line}" if alert.severity is Severity.PAGE else line


def calm_line(alert: Alert, environment: str | None, *, until: datetime) -> str:
    """ "prod · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it came back before"."""
    since = clock_time(alert.fine_since or until)
    words = f"{CALM}{since}, watched until {clock_time(until)} because it fired again before"
    return plain(f"{_place(environment)} · {alert.title} · {words}", limit=1500)


def end_line(alert: Alert, environment: str | None) -> str:
    """ "Resolved prod · ingest is no longer crashing", as plain text."""
    short = alert.service.short if alert.service else "it"
    rule = DEFAULT.rules.find(alert.rule)
    words = rule.over.format(service=short, title=alert.title) if rule else alert.title
    return plain(f"Resolved {_place(environment)} · {words}", limit=1500)


def over_words(line: str) -> str:
    """ "alert over: ingest is no longer crashing (prod)", plain text from a line of `end_line`."""
    place, _, what = line.removeprefix("Resolved ").partition(" · ")
    return f"alert over: {what} ({place})" if what else f"alert over: {place}"


def alert_message(
    alerts: Sequence[Alert],
    silences: Sequence[Silence],
    guide: Guide,
    *,
    owners: Owners = MappingProxyType({}),
    joined: int | None = None,
) -> Content:
    """The message of alerts. A phone shows only the first line; explanations come after the buttons.

    `joined`: the number of another problem's incident that the alerts belong to, if any.
    """
    ranked = sorted(alerts, key=lambda alert: _rank(alert, owners))
    first, line = ranked[0], read_page_line(ranked[0].line)
    headline = _first_line(first, alerts, owners)
    below = [escape(line.detail)] if line.detail else []
    below += [f"{_sign(alert, owners)} {escape(alert.title)}" for alert in ranked[1:SHOWN]]
    details = [escape(words) for words in line.rest]
    blocks = [section(headline.shown), *sections(below)]
    blocks += sections(silence_line(one) for one in silences if any(_is_covered(one, alert) for alert in alerts))
    if first.is_open:
        blocks += actions(alert_buttons(first))
    belongs = [f"part of incident {joined}; no separate page"] if joined is not None else []
    blocks.append(context(*details, *belongs, *_notes(first, guide)))
    return fit_message("\n".join([headline.phone.replace("*", ""), *below, *details]), blocks)


def notice(words: str, *, to: str = "") -> Content:
    """A line for a message's thread. `words`: plain text. `to`: id of a person to mention."""
    line = " ".join(filter(None, [f"<@{escape(to)}>" if to else "", escape(words)]))
    return line, [section(line)]


def disabled(faults: Sequence[tuple[str, str]], environment: str | None) -> Content:
    """The message about disabled settings at the start. `faults`: (variable, problem) pairs."""
    words = ", ".join(f"{code(variable)} {escape(problem)}" for variable, problem in faults)
    line = f"🟡 *{escape(_place(environment))}* · some of the bot's settings are missing or invalid"
    blocks = [
        section(f"{line}\n{words}. Commands that need them will say so."),
        *actions([command_button("Check the settings", "check-config")]),
    ]
    return fit_message(f"{line}: {words}", blocks)


def _rank(alert: Alert, owners: Owners) -> tuple[bool, bool, bool, int]:
    """Sort key, most urgent first: firing; not silenced, recovered or acknowledged; a page."""
    is_quiet = bool(alert.held or alert.fine_since or _owner(alert, owners))
    return not alert.is_open, is_quiet, alert.severity is not Severity.PAGE, alert.id or 0


def _owner(alert: Alert, owners: Owners) -> Person | None:
    return owners.get(alert.id or 0)


def _first_line(first: Alert, alerts: Sequence[Alert], owners: Owners) -> FirstLine:
    others = sum(alert.is_open for alert in alerts) - 1 if first.is_open else len(alerts) - 1
    more = f" · and {counted(others, 'more alert')}" if others > 0 else ""
    line = read_page_line(first.line)
    sign = " ".join(filter(None, [_sign(first, owners), _word(first, owners)]))
    since = first.since if first.is_open and not first.fine_since else None
    if not line.title:  # a line without environment
        return FirstLine(sign, "", line.place, since, more)
    return FirstLine(sign, line.place, line.title, since, more)


def _sign(alert: Alert, owners: Owners) -> str:
    if not alert.is_open:
        return "🟢"
    if alert.held:
        return "🔕"
    if alert.fine_since or _owner(alert, owners):
        return "🟡"
    return "🔴" if alert.severity is Severity.PAGE else "🟠"


def _word(alert: Alert, owners: Owners) -> str:
    if not alert.is_open:
        return "*Resolved*"
    if alert.held:
        return "*Silenced*"
    if alert.fine_since:
        return "*Recovering*"
    if owner := _owner(alert, owners):
        return f"*Acknowledged* by {person(owner)} ·"
    return "*PAGE*" if alert.severity is Severity.PAGE else ""


def silence_line(silence: Silence) -> str:
    """The silence's owner, end and reason, in mrkdwn."""
    ends = date_token(silence.ends_at)
    return f"🔕 silenced by <@{escape(silence.owner)}> until {ends}: {escape(silence.reason, limit=300)}"


def _is_covered(silence: Silence, alert: Alert) -> bool:
    return alert.state is AlertState.FIRING and silence.covers(alert.fingerprint, alert.service)


def _notes(alert: Alert, guide: Guide) -> list[str]:
    notes = [_times(alert), _runbook(guide.sections.get(alert.rule, ""), guide.runbook)]
    if alert.rule in RAILWAY_RULES or "Railway" in alert.detail:
        notes.append(f"Railway is polled every {guide.railway_every_s:.0f} s")
    return [" · ".join(filter(None, notes))]


def _times(alert: Alert) -> str:
    if alert.resolved_at is not None and not alert.is_open:
        lasted = age(alert.resolved_at - alert.since)
        return f"lasted {lasted}, from {date_token(alert.since)} to {date_token(alert.resolved_at)}"
    fire_count = f" · announced {counted(alert.fires, 'time')}" if alert.fires > 1 else ""
    as_of = f" · as of {date_token(alert.said_at)}" if alert.said_at else ""
    return f"since {date_token(alert.since)}{as_of}{fire_count}"


def _runbook(title: str, address: str) -> str:
    """The section's title; a link if the runbook's address is configured."""
    if not title:
        return ""
    url, words = runbook_url(title, address), f"Runbook: {title}"
    return link(url, words) if url else escape(words)


def runbook_url(title: str, address: str) -> str | None:
    """Address of the section with this title; None if the runbook's address is not configured."""
    slug = re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
    url = f"{address}#{slug}"
    return url if title and is_web_address(url) else None


def _place(environment: str | None) -> str:
    return environment or "environment unknown"


def _problem(alert: Alert) -> str:
    return ", ".join(filter(None, (alert.title, alert.detail.split(";")[0])))


def _backlog(around: Surroundings) -> list[str]:
    if around.queue is None:
        return ["queue unknown"]
    oldest = around.queue.oldest_pending_at
    since = f", oldest since {clock_time(oldest)}" if oldest else ""
    return [f"{pending_words(around.queue.pending)} waiting{since}", "DB ok"]
