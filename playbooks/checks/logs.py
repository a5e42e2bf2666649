"""Finds failures and successes in the newest lines of a log (runbook, "Key Log Patterns").

Lines that differ only in their data form one group, by their masked template (docs/adr/0006). A failure after which the
same replica succeeded is over: it is reported with its duration, and is no problem any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low

from playbooks.log_lines import Topic
from playbooks.log_patterns import LogPatterns, Pattern, Sign, Symptom, explain
from playbooks.model import Finding, NextStep, Status
from services.domain.deployments import DeploymentStatus, LogLine, ServiceState
from services.domain.errors import Unavailable
from services.domain.masking import error_class, template
from services.domain.services import Service
from services.domain.text import ago, counted, lasting
from services.domain.thresholds import NOT_CLAIMED_AFTER, OUTAGE_OVER_AFTER

SILENT_AFTER = timedelta(minutes=3)  # three missing lines of a worker
_EVERY_MINUTE = timedelta(seconds=90)
_PACED = 3  # lines needed to derive a pace
MAX_GROUPS = 8  # more would be no digest; the rest is counted

_OUTAGES = frozenset({Topic.CONNECTIVITY, Topic.REQUESTS, Topic.OTHER})  # failures that end without a log line
_NOT_UNDONE = frozenset({Topic.CLAIMING, Topic.STORING})  # a failed job stays failed although others succeed
_ERROR_LEVELS = frozenset({"error", "err", "critical", "fatal", "alert", "emerg"})
_NOT_BY_THEMSELVES = ("Traceback (most recent call last)", "INFO", "WARNING", "DEBUG")  # some libraries log to stderr


@dataclass(frozen=True)
class Facts:
    """`lines`: oldest first, of one deployment. `next_due_at`: the time at which the job that the service's workers
    would claim next became due; None without such a job, and for the API. `is_well`: True if the service answers or is
    alive as expected right now; None if it was not read. `state`: Railway's report of the service, None if it was not
    read; `is_current`: True if the deployment is the one that runs now. `stored`: the text is read later, so it has
    clock times. `patterns`: those of the operated system."""

    service: Service
    lines: Sequence[LogLine] | Unavailable
    now: datetime
    next_due_at: datetime | Unavailable | None = None
    is_well: bool | None = None
    state: ServiceState | None = None
    is_current: bool = True
    stored: bool = False
    patterns: LogPatterns = field(kw_only=True)

    @property
    def is_stopped(self) -> bool:
        """True if the service was stopped on purpose."""
        return self.state is not None and (self.state.is_stopped or self.state.replicas_configured == 0)


_Recognized = Sequence[tuple[LogLine, Pattern | None]]


@dataclass
class _Group:
    """Lines with the same template. `last`: the last one of each replica."""

    topic: Topic
    symptom: Symptom | None
    template: str
    count: int = 0
    first: LogLine | None = None
    last: dict[str | None, LogLine] = field(default_factory=dict)


def check(facts: Facts) -> list[Finding]:
    """`logs.<service>.<topic>`: one finding per group of failures, then idleness, then one per topic that succeeds."""
    short = facts.service.short
    if isinstance(facts.lines, Unavailable):
        step = NextStep(f"Deployments of {short}", f"deployments {short}")
        title = f"log of {short} unknown"
        return [Finding(f"logs.{short}", Status.UNKNOWN, title, facts.lines.why, facts.service, next_step=step)]
    facts = replace(facts, lines=[facts.patterns.read(line) for line in facts.lines])
    seen = _recognise(facts)
    groups = _group(seen)
    failures = _by_symptom([_failure(facts, group) for group in groups[:MAX_GROUPS]])
    found = [*_stopped(facts), *_fell_silent(facts), *failures]
    return [*found, *_rest(facts, groups[MAX_GROUPS:]), *_idle(facts, seen), *_successes(facts, seen)] or [
        _silent(facts)
    ]


def _recognise(facts: Facts) -> list[tuple[LogLine, Pattern | None]]:
    """The pattern of each line. A job that stored nothing but reports completion is no success."""
    seen: list[tuple[LogLine, Pattern | None]] = []
    hollow: set[str | None] = set()  # replicas whose current job has stored nothing so far
    for line in () if isinstance(facts.lines, Unavailable) else facts.lines:
        pattern = facts.patterns.recognise(line.message)
        if pattern is not None and pattern.symptom is Symptom.NOTHING_STORED:
            hollow.add(line.replica_id)
        elif pattern is not None and pattern.sign is Sign.SUCCESS and line.replica_id in hollow:
            hollow.discard(line.replica_id)
            pattern = None if pattern.topic is Topic.CLAIMING else pattern
        seen.append((line, pattern))
    return seen


def _group(seen: _Recognized) -> list[_Group]:
    """The failures, the most specific topic and the most frequent group first."""
    groups: dict[tuple[Topic, Symptom | None, str], _Group] = {}
    for line, pattern in seen:
        if pattern is None and not _is_error(line):
            continue
        if pattern is not None and pattern.sign is not Sign.FAILURE:
            continue
        topic, symptom = (Topic.OTHER, None) if pattern is None else (pattern.topic, pattern.symptom)
        shape = template(line.message)
        group = groups.setdefault((topic, symptom, shape), _Group(topic, symptom, shape))
        group.count += 1
        group.first = group.first or line
        group.last[line.replica_id] = line
    order = list(Topic)
    return sorted(groups.values(), key=lambda group: (order.index(group.topic), -group.count))


def _is_error(line: LogLine) -> bool:
    """True if its severity is an error's. The frames of a traceback belong to the line that follows them."""
    message = line.message
    is_own = bool(message.strip()) and not message[0].isspace() and not message.startswith(_NOT_BY_THEMSELVES)
    return is_own and line.severity.lower() in _ERROR_LEVELS


def _failure(facts: Facts, group: _Group) -> Finding:
    last = max(group.last.values(), key=lambda line: line.timestamp)
    first = group.first or last
    is_over = _is_past(facts, group, last)
    status = Status.WARN if is_over or group.topic is Topic.OTHER else Status.FAIL
    detail = (
        f"{group.topic}, {counted(group.count, 'line')}, the last {ago(last.timestamp, facts.now, stored=facts.stored)}"
    )
    detail += "; it works again" if is_over else ""
    evidence = {
        "topic": group.topic.value,
        "template": group.template,
        "count": group.count,
        "error": error_class(last.message),
        "first_at": first.timestamp.isoformat(),
        "last_at": last.timestamp.isoformat(),
        "over": is_over,
    }
    short, slug = facts.service.short, group.topic.replace(" ", "_").lower()
    step = NextStep("Failed jobs", "failed-jobs 1h") if group.topic is Topic.CLAIMING else None
    finding = Finding(
        f"logs.{short}.{slug}", status, f"{short}: {group.template}", detail, facts.service, evidence, step
    )
    if is_over and group.topic not in _NOT_UNDONE:
        return replace(finding, status=Status.OK, next_step=None, was_wrong=(first.timestamp, last.timestamp))
    return finding if group.symptom is None else explain(finding, group.symptom)


def _by_symptom(failures: Sequence[Finding]) -> list[Finding]:
    """Join failures with the same row of the troubleshooting table: the most frequent, and how many other kinds."""
    first: dict[object, Finding] = {}
    for finding in failures:
        symptom = finding.evidence.get("symptom")
        key = symptom if symptom and not finding.was_wrong else len(first)
        first[key] = _joined(first[key], finding) if key in first else finding
    return [
        replace(one, title=f"{one.title} (+ {counted(more, 'other kind')} of line)") if more else one
        for one in first.values()
        for more in [len(_templates(one)) - 1]
    ]


def _joined(one: Finding, other: Finding) -> Finding:
    return replace(one, evidence={**one.evidence, "templates": [*_templates(one), *_templates(other)]})


def _templates(finding: Finding) -> list[object]:
    found = finding.evidence.get("templates")
    return found if isinstance(found, list) else [finding.evidence["template"]]


def _is_past(facts: Facts, group: _Group, last: LogLine) -> bool:
    """True if every replica succeeded since, or an outage is long over while the service is healthy."""
    is_old = facts.now - last.timestamp > OUTAGE_OVER_AFTER
    if facts.is_well and is_old and group.topic in _OUTAGES:
        return True
    return all(_is_over(facts, group.topic, line) for line in group.last.values())


def _is_over(facts: Facts, topic: Topic, failure: LogLine) -> bool:
    lines = () if isinstance(facts.lines, Unavailable) else facts.lines
    return any(
        line.timestamp > failure.timestamp
        # The process of a crash loop is gone, so any other replica's line counts.
        and (topic is Topic.CRASH_LOOP or line.replica_id == failure.replica_id)
        and facts.patterns.ends(failure.message, topic, line.message)
        for line in lines
    )


def _rest(facts: Facts, groups: Sequence[_Group]) -> Iterator[Finding]:
    if groups:
        lines = sum(group.count for group in groups)
        title = f"{facts.service.short}: {counted(len(groups), 'more kind')} of errors"
        yield Finding(f"logs.{facts.service.short}.more", Status.WARN, title, counted(lines, "line"), facts.service)


def _fell_silent(facts: Facts) -> list[Finding]:
    """A finding for a worker that stopped writing: it normally writes at least every minute, idle or not.

    Immediately if Railway reports that the process has died.
    """
    if isinstance(facts.lines, Unavailable) or not facts.lines or facts.is_stopped or not facts.is_current:
        return []
    return _paused(facts, facts.lines) or _died(facts, facts.lines)


def _died(facts: Facts, lines: Sequence[LogLine]) -> list[Finding]:
    current = facts.state.current if facts.state else None
    if current is None or current.running_instances:
        return []
    if current.status is not DeploymentStatus.CRASHED and all(one.status != "CRASHED" for one in current.instances):
        return []
    short, last = facts.service.short, lines[-1].timestamp
    title = f"{short} writes nothing more: its process has died"
    detail = f"the last line {ago(last, facts.now, stored=facts.stored)}"
    return [_silence_of(facts, title, detail, last)]


def _silence_of(facts: Facts, title: str, detail: str, last: datetime) -> Finding:
    short = facts.service.short
    step = NextStep(f"Heartbeats of {short}", f"heartbeats {short}") if facts.service.worker_type else None
    evidence = {"last_at": last.isoformat()}
    return Finding(f"logs.{short}.silence", Status.WARN, title, detail, facts.service, evidence, step)


def _paused(facts: Facts, lines: Sequence[LogLine]) -> list[Finding]:
    """A finding if the silence is much longer than the usual pace."""
    if facts.service.worker_type is None or len(lines) < _PACED or facts.patterns.is_silent_when_idle:
        return []
    times = sorted(line.timestamp for line in lines)
    usual = median_low(after - before for before, after in pairwise(times))
    silent_for = facts.now - times[-1]
    if usual > _EVERY_MINUTE or silent_for <= SILENT_AFTER:
        return []
    short = facts.service.short
    title = f"{short}: no log line {lasting(times[-1], facts.now, stored=facts.stored)}, usually each minute"
    return [_silence_of(facts, title, _process(facts.state), times[-1])]


def _process(state: ServiceState | None) -> str:
    """Railway's report of the process that should write."""
    if state is None:
        return "the process has died or hangs"
    running, wanted = state.serving.running_instances if state.serving else 0, state.replicas_configured
    if not running:
        return "the process has died"
    return "the process runs, so it hangs" if wanted is None else f"Railway runs {running} of {wanted}: it hangs"


def _stopped(facts: Facts) -> Iterator[Finding]:
    """A finding for a worker that was stopped on purpose and therefore writes nothing."""
    if facts.is_stopped and facts.is_current and facts.service.worker_type is not None:
        short = facts.service.short
        yield Finding(
            f"logs.{short}.stopped", Status.OK, f"{short} is stopped, so it writes nothing", "", facts.service
        )


def _idle(facts: Facts, seen: _Recognized) -> Iterator[Finding]:
    """A finding for an idle worker: OK as long as no job is due."""
    words = _silence(facts, seen) if facts.patterns.is_silent_when_idle else _idle_words(facts, seen)
    if words is None or facts.is_stopped:
        return
    short, name = facts.service.short, f"logs.{facts.service.short}.idle"
    due = facts.next_due_at
    if isinstance(due, Unavailable):
        title = f"{short} is idle, but whether jobs are waiting is unknown"
        yield Finding(name, Status.UNKNOWN, title, due.why, facts.service, next_step=NextStep("Queue", "queue"))
    elif due is not None and facts.now - due > NOT_CLAIMED_AFTER:
        title = f"{short} finds no jobs, but one has been due {lasting(due, facts.now, stored=facts.stored)}"
        finding = Finding(name, Status.FAIL, title, words, facts.service, {"due_at": due.isoformat()})
        yield explain(finding, Symptom.NOT_CLAIMING)
    elif not _fell_silent(facts):
        yield Finding(name, Status.OK, f"{short} is idle: no job is due", words, facts.service)


def _idle_words(facts: Facts, seen: _Recognized) -> str | None:
    """The time at which a worker last wrote that it is idle; None if each has written something else since."""
    idle = [line for line, pattern in _newest_of_claims(seen) if pattern.sign is Sign.IDLE]
    return f"said {ago(max(line.timestamp for line in idle), facts.now, stored=facts.stored)}" if idle else None


def _silence(facts: Facts, seen: _Recognized) -> str | None:
    """The words for a worker that writes nothing while it is idle; None while one has a job."""
    if facts.service.worker_type is None or not facts.is_current:
        return None
    is_busy = any(pattern.topic is Topic.PERMISSIONS for _, pattern in _newest_of_claims(seen))  # claimed, no result
    return None if is_busy else "it writes nothing while it is idle, so its log does not show whether it is alive"


def _newest_of_claims(seen: _Recognized) -> list[tuple[LogLine, Pattern]]:
    """The newest line about claiming of each replica."""
    newest = {
        line.replica_id: (line, pattern)
        for line, pattern in seen
        if pattern is not None and pattern.topic in (Topic.CLAIMING, Topic.PERMISSIONS)
    }
    return list(newest.values())


def _successes(facts: Facts, seen: _Recognized) -> Iterator[Finding]:
    found: dict[Topic, list[LogLine]] = defaultdict(list)
    for line, pattern in seen:
        if pattern is not None and pattern.sign is Sign.SUCCESS:
            found[pattern.topic].append(line)
    short = facts.service.short
    for topic in (topic for topic in Topic if topic in found):
        lines = found[topic]
        detail = f"{counted(len(lines), 'line')}, the last {ago(lines[-1].timestamp, facts.now, stored=facts.stored)}"
        title = f"{short} {topic}: {template(lines[0].message)}"
        slug = topic.replace(" ", "_").lower()
        evidence = {"topic": topic.value, "count": len(lines)}
        yield Finding(f"logs.{short}.{slug}", Status.OK, title, detail, facts.service, evidence)


def _silent(facts: Facts) -> Finding:
    """The finding if no pattern matches. A worker writes a line every minute, at least that it is idle."""
    short, name = facts.service.short, f"logs.{facts.service.short}"
    if facts.service.worker_type is None or facts.lines:
        return Finding(name, Status.OK, f"{short} logs no error", "", facts.service)
    step = NextStep(f"Deployments of {short}", f"deployments {short}")
    detail = "an idle worker writes one line per minute"
    return Finding(name, Status.UNKNOWN, f"{short} wrote nothing", detail, facts.service, next_step=step)
