"""The doctor's causes as a message: the first cause, what to do about it, and its effects behind a button.

Also the triage message, which the bot posts in an incident's thread and edits as its parts arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, link_button, section, sections
from bot.views.causes import cause_line, causes_data, since_words
from bot.views.findings import SIGN, finding_data, finding_line, findings_answer, past_lines, step_button
from bot.views.similar import seen_before_line
from bot.views.text import date_token, escape
from playbooks import doctor
from playbooks.doctor import Report
from playbooks.model import Finding, NextStep, Status, wrong_first
from playbooks.prod_gate import is_explained
from playbooks.recent_changes import Changes
from playbooks.rollback_advice import choose_remedy, find_cause, fits
from playbooks.rollback_candidates import Candidate
from playbooks.root_causes import Cause, Diagnosed, Diagnosis, Kind
from services.domain.alerts import KnownCause
from services.domain.deployments import DeploymentStatus
from services.domain.incidents import SimilarIncident
from services.domain.services import Service, log_links
from services.domain.text import counted

DETAIL_LIMIT = 300
SHOWN = 12  # findings with their own block; the rest share sections


def diagnosis_blocks(diagnoses: Sequence[Diagnosis], show: str) -> list[Block]:
    """One section per cause with its button, then the number of effects. `show`: the command that lists these."""
    blocks: list[Block] = []
    for one in diagnoses:
        blocks.append(section(cause_line(one.cause), accessory=step_button(one.finding.next_step)))
    follows = sum(len(one.follows) for one in diagnoses)
    if follows:
        blocks.append(section(_follows(diagnoses), accessory=command_button("Show them", show)))
    return blocks


def doctor_answer(report: Report, *, notes: Sequence[str], show_all: bool = False) -> Answer:
    """The causes and problems first, each with what to do; areas without a problem share one line."""
    data = finding_data("doctor", report.findings) | {"causes": causes_data(report.diagnosed.diagnoses)}
    if show_all:
        return findings_answer("doctor", report.findings, data=data, notes=notes)
    blocks = diagnosis_blocks(report.diagnosed.diagnoses, "doctor all")
    loud = [*wrong_first(report.wrong), *report.unknown]
    blocks += _problem_blocks(loud, [one.finding.next_step for one in report.diagnosed.diagnoses])
    if not blocks:
        blocks = [section(f"{SIGN[Status.OK]} *doctor: nothing is wrong* in {len(report.fine)} areas")]
    blocks += sections(past_lines(report.past))
    names = ", ".join(finding.title for finding in report.fine)
    fine = [f"fine: {escape(names, limit=DETAIL_LIMIT)}"] if names else []
    blocks.append(context(" · ".join([*fine, *notes])))
    causes = [cause_line(one.cause) for one in report.diagnosed.diagnoses]
    text = "\n".join([*causes, *map(finding_line, [*loud, *report.past])]) or blocks[0]["text"]["text"]
    return Answer(*fit_message(text, blocks), data, report.status)


def gate_answer(title: str, gates: Sequence[Finding], diagnosed: Diagnosed) -> Answer:
    """The checklist; gates that fail because of a known cause are named together below it. Private."""
    first = diagnosed.first
    folded = [one for one in gates if first and one.status is not Status.OK and is_explained(one, diagnosed)]
    answer = findings_answer(title, gates, private=True)
    if not folded:
        return answer
    rest = [one for one in gates if one not in folded]
    names = ", ".join(one.title.partition(":")[0] for one in folded)
    lines = [cause_line(one.cause) for one in diagnosed.diagnoses]
    fails = f"Failing because of it: {escape(names, limit=DETAIL_LIMIT)}."
    blocks = [
        section(f"{SIGN[answer.status]} *{escape(title)}*: {len(gates) - _open(gates)} of {len(gates)} gates fail"),
        *(
            section(line, accessory=step_button(one.finding.next_step))
            for line, one in zip(lines, diagnosed.diagnoses, strict=True)
        ),
        section(fails),
        *_problem_blocks(wrong_first(rest), []),
    ]
    data = finding_data(title, gates) | {"causes": causes_data(diagnosed.diagnoses)}
    return Answer(*fit_message("\n".join([*lines, fails, *map(finding_line, rest)]), blocks), data, answer.status, True)


def _follows(diagnoses: Sequence[Diagnosis]) -> str:
    if len(diagnoses) == 1:
        return diagnoses[0].words
    counts = sum(len(one.follows) for one in diagnoses)
    return f"{counts} other {'finding follows' if counts == 1 else 'findings follow'} from this."


def _problem_blocks(findings: Sequence[Finding], offered: Sequence[NextStep | None]) -> list[Block]:
    """One block per finding with its next step, unless that step was offered already."""
    steps = [*offered]
    blocks: list[Block] = []
    for finding in findings[:SHOWN]:
        step = finding.next_step
        blocks.append(section(finding_line(finding), accessory=None if step in steps else step_button(step)))
        steps.append(step)
    return [*blocks, *sections(map(finding_line, findings[SHOWN:]))]


def _open(gates: Sequence[Finding]) -> int:
    return sum(one.status is Status.OK for one in gates)


Content = tuple[str, list[Block]]

LINE_LIMIT = 160  # characters of one line below the first
CHANGE_LIMIT = 100  # characters of a change: 3 lines on a phone
CHANGES_SHOWN = 3  # changes, and findings without a cause; their commands list all
OF_THE_DATABASE = (Kind.DATABASE, Kind.NO_ACCESS, Kind.NO_WRITES, Kind.MIGRATIONS, Kind.PERMISSIONS)


@dataclass(frozen=True)
class Missing:
    """A part that could not be read. `why`: the reason."""

    why: str


@dataclass(frozen=True)
class TriageFacts:
    """The parts of the triage so far; None: still being read. `candidates`: for a rollback, best first.

    `similar`: earlier incidents of the same kind, newest first."""

    changes: Changes | Missing | None = None
    report: doctor.Report | Missing | None = None
    candidates: Sequence[Candidate] | Missing | None = None
    similar: Sequence[SimilarIncident] | Missing = ()

    @property
    def is_complete(self) -> bool:
        return None not in (self.changes, self.report, self.candidates)


@dataclass(frozen=True)
class Summary:
    """The part of the triage that the incident stores: the cause, and the start of the problem with its evidence; None
    while unknown."""

    cause: KnownCause | None = None
    began: tuple[datetime, str] | None = None


def find_cause_of(parts: TriageFacts, services: Sequence[Service]) -> Diagnosis | None:
    """The cause that fits the incident; None if there is none or while the doctor has not answered."""
    return find_cause(parts.report.diagnosed, services) if isinstance(parts.report, doctor.Report) else None


def summary_of(parts: TriageFacts, services: Sequence[Service]) -> Summary:
    """Summary for the root message: no cause of another problem, and none that a run is about to fix."""
    cause = find_cause_of(parts, services)
    if cause is None:
        return Summary(began=_api_began(parts) if [one.is_api for one in services] == [True] else None)
    began = _began(parts, cause.cause)
    if not fits(cause, services) or cause.finding.status is Status.WARN:
        return Summary(began=began)
    remedy = _remedy(parts, cause)
    return Summary(KnownCause(cause.finding.title, cause.cause.since, remedy.command if remedy else None), began)


def _began(parts: TriageFacts, cause: Cause) -> tuple[datetime, str] | None:
    """Start of the problem: when the database stopped answering, the API's end, or the last heartbeat of a service
    without live workers."""
    if cause.kind is Kind.DATABASE and cause.since is not None:
        return cause.since, "the database stopped answering"
    if cause.service is not None and cause.service.is_api:
        return _api_began(parts)
    if cause.service is None:
        return None
    found, short = _evidence(parts), cause.service.short
    beats, state = found.get(f"heartbeats.{short}", {}), found.get(f"deployment.{short}", {})
    last = beats.get("last_beat_at")
    is_gone = beats.get("beating") == [] or (state.get("running") == 0 and bool(state.get("crashed")))
    return (datetime.fromisoformat(last), f"last heartbeat of {short}") if is_gone and isinstance(last, str) else None


def _api_began(parts: TriageFacts) -> tuple[datetime, str] | None:
    """End of the API: when Railway saw it crash, else the bot's last good check."""
    found = _evidence(parts)
    state, health = found.get("deployment.api", {}), found.get("api.health", {})
    crashed_at, well_until = state.get("latest_status_at"), health.get("well_until")
    if state.get("latest_status") == DeploymentStatus.CRASHED and isinstance(crashed_at, str):
        return datetime.fromisoformat(crashed_at), "Railway saw api crash"
    return (datetime.fromisoformat(well_until), "last good check of api") if isinstance(well_until, str) else None


def _evidence(parts: TriageFacts) -> dict[str, Mapping[str, object]]:
    """`{check: evidence}`; empty while the doctor has not answered."""
    report = parts.report
    known = report.diagnosed.findings if isinstance(report, doctor.Report) else ()
    return {finding.check: finding.evidence for finding in known}


def diagnosis_message(parts: TriageFacts, services: Sequence[Service], ref: str | None) -> Content:
    """The triage message; its first line is the cause and what to do. `ref`: Supabase's project, None if unknown."""
    cause = find_cause_of(parts, services)
    first = _first(parts, cause)
    lines = [
        line
        for line in (_seen_before(parts), *_others(parts, cause), *_changes(parts, cause), *_missing(parts))
        if line
    ]
    blocks = [section(first), *sections(lines), *actions(_buttons(parts, cause, services, ref))]
    if not parts.is_complete:
        blocks.append(context("Still collecting data. This message will be updated."))
    return fit_message("\n".join([first, *lines]), blocks)


def _first(parts: TriageFacts, cause: Diagnosis | None) -> str:
    if cause is not None:
        title = f"{escape(cause.finding.title, limit=200).rstrip('.')}{since_words(cause.cause)}"
        return f"🔎 *Most likely: {title}.* {escape(cause.finding.detail, limit=LINE_LIMIT)}".strip()
    if isinstance(parts.report, doctor.Report):
        wrong = wrong_first(parts.report.wrong)
        if wrong:
            return f"🔎 *Most likely: {escape(wrong[0].title, limit=200)}.* The cause is unknown."
        return "🔎 *No cause found:* all checks that could run pass now."
    return "🔎 *Diagnosis:* reading deployments, logs and the database…"


def _seen_before(parts: TriageFacts) -> str:
    return "" if isinstance(parts.similar, Missing) else seen_before_line(parts.similar)


def _others(parts: TriageFacts, cause: Diagnosis | None) -> Iterator[str]:
    """Number of effects of a cause that affects all services, other causes, and findings without a cause."""
    if not isinstance(parts.report, doctor.Report):
        return
    if cause is not None and cause.words and cause.cause.service is None:
        yield cause.words
    for one in parts.report.diagnosed.diagnoses:
        if one is not cause:
            yield f"Also: {cause_line(one.cause)}"
    wrong = wrong_first(parts.report.wrong)[0 if cause else 1 :]
    for finding in wrong[:CHANGES_SHOWN]:
        yield f"{SIGN[finding.status]} {escape(finding.title, limit=LINE_LIMIT)}"
    if wrong[CHANGES_SHOWN:]:
        yield f"… {counted(len(wrong) - CHANGES_SHOWN, 'more finding')}"


def _changes(parts: TriageFacts, cause: Diagnosis | None) -> Iterator[str]:
    """The recent changes, newest first, as the last is the likeliest cause; only that one if a deploy is the cause."""
    if not isinstance(parts.changes, Changes):
        return
    happenings = parts.changes.happenings
    if not happenings and not parts.changes.unknown:
        yield "No deployments, migrations or runs in the last 2 h."
    most = 1 if cause is not None and cause.cause.kind is Kind.DEPLOY else CHANGES_SHOWN
    lines = [f"• {date_token(one.at, '{time}')} {escape(_short(one.words))}" for one in happenings[:most]]
    if happenings[most:]:
        lines[-1] += f" (+ {len(happenings) - most} more)"
    yield from lines
    for words in parts.changes.unknown[:CHANGES_SHOWN]:
        yield f"❔ unknown: {escape(words, limit=LINE_LIMIT)}"


def _short(words: str) -> str:
    return words if len(words) <= CHANGE_LIMIT else f"{words[: CHANGE_LIMIT - 1].rstrip()}…"


def _missing(parts: TriageFacts) -> Iterator[str]:
    named: dict[str, object] = {
        "recent changes": parts.changes,
        "the doctor": parts.report,
        "earlier versions": parts.candidates,
        "whether it was seen before": parts.similar,
    }
    for name, part in named.items():
        if isinstance(part, Missing):
            yield f"❔ unknown: {name}, {escape(part.why, limit=LINE_LIMIT)}"


def _buttons(parts: TriageFacts, cause: Diagnosis | None, services: Sequence[Service], ref: str | None) -> list[Block]:
    """The remedy, then reads and links, at most 8. Empty before the doctor has answered: the remedy comes first, and
    would move the other buttons while someone taps."""
    if parts.report is None:
        return []
    one = cause.cause.service if cause and cause.cause.service else services[0] if len(services) == 1 else None
    remedy = _remedy(parts, cause) if cause else None
    first = [command_button(remedy.label, remedy.command or "", style="primary")] if remedy else []
    url = cause.finding.next_step.url if cause and cause.finding.next_step else None
    first += [link_button(cause.finding.next_step.label, url)] if cause and cause.finding.next_step and url else []
    read_steps = (
        [("Logs", f"logs {one.short}"), ("Changes", f"deployments {one.short}")] if one else [("Changes", "runs")]
    )
    links = log_links(ref) if ref and cause and cause.cause.kind in OF_THE_DATABASE else {}
    read_steps += [("Doctor", "doctor")]
    if parts.similar and not isinstance(parts.similar, Missing):
        read_steps.append(("Last time", f"incident timeline {parts.similar[0].id}"))
    return [
        *first,
        *(command_button(label, line) for label, line in read_steps),
        *(link_button(f"Supabase: {label.lower()}", url) for label, url in links.items()),
    ]


def _remedy(parts: TriageFacts, cause: Diagnosis) -> NextStep | None:
    known = parts.candidates
    return choose_remedy(cause, () if known is None or isinstance(known, Missing) else known)
