"""Check every part of the system, and name the next step (runbook, "Deployment Verification", "Troubleshooting")

When:   at any time; it is the first thing to run when something seems wrong.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.checks import api, bot, database, deployments, heartbeats, migrations, queue, sha, workers
from playbooks.diagnosis import diagnose
from playbooks.model import Finding, NextStep, Status, worst, wrong_first
from playbooks.root_causes import Cause, Diagnosed, Diagnosis
from services.domain.database import MigrationStatus, ServerFacts
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.freezes import Freeze, Lock
from services.domain.health import AnsweredWell, ApiHealth, BotState, IntakeHealth
from services.domain.jobs import Heartbeat, QueueSnapshot
from services.domain.services import Service, WorkerType
from services.domain.systems import System
from services.domain.thresholds import StaleLimits


@dataclass(frozen=True)
class Facts:
    """`as_of` is the database's clock, the bot's own if the database doesn't answer; `now` is always the bot's.

    `environment` is None if the bot's settings do not name it. `bot` is None on the terminal, which has `bot_absence`
    instead: how long no bot has run; None if one runs, or that is unknown. `database_since`: since when the bot has not
    reached the database; None if it does, or does not know. `same_again`: deployments that runs of ours made of the
    commit that was there before (a restart, a start), which are no deploys. `stored`: the text is read later, so it has
    clock times. `api_answered`: the API's ok answers before it stopped answering well; `api_bad_since`: since when an
    alert reports that it does not; None if that is not known. `working`: the run of ours that acts on a service now, as
    far as that can be read.
    """

    environment: str | None
    as_of: datetime
    now: datetime
    stale_after: StaleLimits
    api: ApiHealth | Unavailable
    intake: IntakeHealth | Unavailable
    server: ServerFacts | Unavailable
    migrations: MigrationStatus | Unavailable
    heartbeats: Sequence[Heartbeat] | Unavailable
    queue: QueueSnapshot | Unavailable
    services: Mapping[Service, ServiceState] | Unavailable
    expected: Mapping[WorkerType, int | Unavailable]
    expected_age: timedelta = timedelta()
    bot: BotState | None = None
    bot_absence: timedelta | None = None
    channel_problem: str | None = None
    locks: Sequence[Lock] | Unavailable = ()
    freezes: Sequence[Freeze] | Unavailable = ()
    database_since: datetime | None = None
    same_again: frozenset[str] = frozenset()
    stored: bool = False
    api_answered: AnsweredWell | None = None
    api_bad_since: datetime | None = None
    working: Mapping[Service, int] = field(default_factory=dict)
    system: System = field(kw_only=True)


@dataclass(frozen=True)
class Line:
    """The findings about one subject: a service, or `database`, `queue`, `SHA`, `Railway`, `bot`.

    `findings`: the most urgent first.
    """

    subject: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        return worst(self.findings)

    @property
    def next_step(self) -> NextStep | None:
        return next((finding.next_step for finding in self.findings if finding.next_step), None)


@dataclass(frozen=True)
class Report:
    """`headline` is a complete sentence, without the time of the first cause. `more`: its last part, the number of
    other problems; the time belongs before it. `lines`: the findings that no cause of `diagnoses` explains, problems
    first, otherwise services, database, queue and the rest."""

    headline: str
    status: Status
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    diagnoses: tuple[Diagnosis, ...] = ()
    more: str = ""

    @property
    def cause(self) -> Cause | None:
        """The cause that the headline names; None if it names a line."""
        first = self.diagnoses[0].cause if self.diagnoses else None
        lines = max((line.status.urgency for line in self.lines), default=0)
        return first if first and first.finding.status.urgency >= lines else None

    @property
    def link(self) -> str | None:
        """The address of the project in Railway, derived from the services' addresses in the findings."""
        links = (finding.evidence.get("link") for finding in self.findings)
        return next((link.partition("/service/")[0] for link in links if isinstance(link, str)), None)

    @property
    def wrong(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.status is not Status.OK)

    @property
    def fine(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.status is Status.OK)

    @property
    def held(self) -> tuple[Finding, ...]:
        """The freezes and locks among the lines without a problem: a deploy is refused although nothing is wrong."""
        found = (finding for line in self.fine for finding in line.findings)
        return tuple(finding for finding in found if finding.check.startswith(("freeze.", "lock.")))


def check(facts: Facts) -> list[Finding]:
    """Every finding, in the order for equally urgent ones: symptoms that users notice before their causes."""
    all_visible = database.sees_all(facts.server)
    others = not isinstance(facts.services, Unavailable)
    sha_facts = sha.Facts(
        facts.as_of, facts.stale_after, facts.services, facts.api, facts.heartbeats, all_visible, system=facts.system
    )
    beats = heartbeats.Facts(
        facts.as_of,
        facts.heartbeats,
        facts.expected,
        facts.stale_after,
        facts.expected_age,
        all_visible,
        facts.stored,
        system=facts.system,
    )
    found = [
        *api.check(
            api.Facts(
                facts.api,
                facts.environment,
                others_answer=others,
                answered=facts.api_answered,
                bad_since=facts.api_bad_since,
                system=facts.system,
            )
        ),
        *api.check_intake(facts.intake, others_answer=others, system=facts.system),
        *heartbeats.check(beats),
        *workers.check(
            workers.Facts(facts.as_of, facts.heartbeats, facts.stale_after, stored=facts.stored, system=facts.system)
        ),
        *queue.check(queue.Facts(facts.queue, all_visible, stored=facts.stored)),
        *deployments.check(facts.services, facts.system, unproved=sha.unproved_services(sha_facts)),
        *database.check(facts.server),
        *_unless_silent(facts.server, deployments.check_locks(facts.locks, facts.as_of, stored=facts.stored)),
        *_unless_silent(facts.server, deployments.check_freezes(facts.freezes, facts.as_of)),
        *_unless_silent(facts.server, migrations.check(facts.migrations)),
    ]
    return [
        *found,
        *_relevant(sha.check(sha_facts), found),
        *bot.check(bot.Facts(facts.bot, facts.now, facts.channel_problem, facts.bot_absence)),
    ]


def report(facts: Facts) -> Report:
    """The findings of `check` under a headline: causes with the findings that follow from them, the rest as one line
    per subject."""
    findings = check(facts)
    diagnosed = diagnose_with(facts, findings)
    lines = sorted(_lines(diagnosed.rest, facts.system), key=_order)
    sentence, more = _headline(facts.environment, diagnosed.diagnoses, lines)
    headline = f"{sentence}{more}"
    return Report(headline, diagnosed.status, tuple(lines), tuple(findings), diagnosed.diagnoses, more)


def diagnose_with(facts: Facts, findings: Sequence[Finding]) -> Diagnosed:
    """The causes among these findings, by the same facts; the findings may include others than `check`'s."""
    return diagnose(
        findings,
        facts.as_of,
        database_since=facts.database_since,
        same_again=facts.same_again,
        working=facts.working,
        system=facts.system,
    )


def _order(line: Line) -> tuple[int, bool]:
    """Sort key: the most urgent first; of the unknown, first the sources that make others unknown too."""
    return -line.status.urgency, line.status is Status.UNKNOWN and line.subject not in ("database", "Railway")


def _unless_silent(server: ServerFacts | Unavailable, findings: list[Finding]) -> list[Finding]:
    """The other findings that need the database; their unknowns only if it is not silent, which is reported once."""
    return [f for f in findings if not (isinstance(server, Unavailable) and f.status is Status.UNKNOWN)]


def _relevant(findings: Sequence[Finding], others: Sequence[Finding]) -> list[Finding]:
    """The findings about SHAs that add to the others.

    A single service's SHA is shown if it is wrong; unknown ones are shown once, for all, and not at all if each service
    without a SHA is known to be down: that is no second problem.
    """
    down = {finding.service.short for finding in others if finding.service and finding.status is Status.FAIL}
    relevant = [f for f in findings if f.service is None or f.status in (Status.FAIL, Status.WARN)]
    return [f for f in relevant if f.status is not Status.UNKNOWN or _without_sha(f) - down]


def _without_sha(finding: Finding) -> set[str]:
    return {short for short, known in finding.evidence.items() if known is None}


_SUBJECTS = ("database", "queue", "Railway", "freezes", "SHA", "bot")  # after the services
_AREAS = {
    "deployment": "Railway",
    "sha": "SHA",
    "freeze": "freezes",
}  # by the first word of a check's name, if that is not the subject


def _lines(findings: Sequence[Finding], system: System) -> Iterator[Line]:
    for subject in (*(service.short for service in system.services), *_SUBJECTS):
        own = [finding for finding in findings if _subject(finding) == subject]
        if own:
            yield Line(subject, tuple(wrong_first(own)))


def _subject(finding: Finding) -> str:
    if finding.service is not None:
        return finding.service.short
    area = finding.check.split(".")[0]
    return _AREAS.get(area, area)


def _headline(environment: str | None, diagnoses: Sequence[Diagnosis], lines: Sequence[Line]) -> tuple[str, str]:
    """The sentence about the first problem, and the number of others."""
    name = environment or "this environment"
    wrong = [line for line in lines if line.status is not Status.OK]
    headlines = [(one.finding.status, _lower(one.finding.title)) for one in diagnoses]
    headlines += [(line.status, _first(line)) for line in wrong]
    if not headlines:
        return f"{name} is healthy", ""
    headlines.sort(key=lambda one: -one[0].urgency)
    status, title = headlines[0]
    sentence = {
        Status.FAIL: f"{name} is not healthy",
        Status.UNKNOWN: f"{name} may not be healthy",
        Status.WARN: f"{name} is healthy, with a warning",
    }[status]
    more = f", and {len(headlines) - 1} more" if len(headlines) > 1 else ""
    return f"{sentence}: {title}", more


def _lower(title: str) -> str:
    """A title as a part of another sentence."""
    return f"{title[:1].lower()}{title[1:]}" if title.startswith(("The ", "Only ")) else title


def _first(line: Line) -> str:
    title = line.findings[0].title
    return title if title.startswith(line.subject) or line.subject not in _NAMED else f"{line.subject}: {title}"


_NAMED = ("queue",)  # "5 waiting" alone does not name its subject
