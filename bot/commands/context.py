"""Shared by commands: finding their incident or run, required services and rights, and a person's pending work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.approvals.access import Allowed, Refused, judge
from bot.approvals.decisions import Decided
from bot.approvals.rules import is_requester, may_review, target_of
from bot.commands.arguments import no_more, read_number, wrong_word
from bot.commands.parsing import join_words
from bot.config.environment import require
from bot.config.fields import Invalid
from bot.config.policy import Policy, Right, Target
from bot.incidents.acts import Done, Joined, Outcome
from bot.incidents.assignments import Assignment, assignments_of
from bot.types import Actor, Answer, Request
from bot.views.incidents import done_answer, incident_line, joined_answer
from bot.views.runs import decided_answer, refused_answer
from bot.writes import done_before
from playbooks.model import NextStep
from services.clients.postgres.approvals import read_open_reviews, read_record
from services.clients.postgres.deliveries import is_written
from services.clients.postgres.incident_alerts import list_alerts_of_open_incidents
from services.clients.postgres.incidents import list_open_incidents
from services.clients.postgres.runs import list_open_runs
from services.domain.errors import Choice, OperatorError, SourceError, Unavailable, UsageError
from services.domain.incidents import Incident, IncidentSeverity, JoinedAlert
from services.domain.message_origin import slash
from services.domain.oncall import Schedule, zone_of
from services.domain.people import Person
from services.domain.runs import UNDECIDED, Record, Review, Run, RunState
from services.domain.services import Service

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.incidents.service import IncidentService
    from bot.people import People
    from bot.world import World
    from services.clients.postgres.pool import Database


MOST_OFFERED = 10
ON_CALL = NextStep("Who is on call", "oncall")  # offered after a refusal: the people who may be permitted


class IncidentVerb(Enum):
    """A command about one incident. `typed`: its words; `label`: its button where several incidents are open; `acts`:
    True if it changes the incident, which must be open for that."""

    ACK = "incident ack", "Acknowledge", True
    ESCALATE = "incident escalate", "Escalate", True
    RESOLVE = "incident resolve", "Resolve…", True
    SEVERITY = "incident severity", "Change severity…", True
    TIMELINE = "incident timeline", "Timeline", False
    EXPORT = "incident export", "Postmortem", False
    DRAFT = "incident draft", "Draft", False
    SIMILAR = "incident similar", "Similar", False
    TODO = "incident todo", "Add a follow-up", False
    CATCHUP = "catchup", "Catch up", False

    def __init__(self, typed: str, label: str, acts: bool) -> None:
        self.typed, self.label, self.acts = typed, label, acts


async def need_incident(
    request: Request, world: World, command: IncidentVerb, example: str = ""
) -> tuple[int, tuple[str, ...]]:
    """Return the incident's number and the words after it: as typed, else of the thread, else of the only open one.

    `example`: a whole line, if the number alone is not enough. Raises UsageError, which offers the open incidents if
    there are several.
    """
    words = request.words
    number = read_number(words[0]) if words else None
    if number is not None:
        return number, words[1:]
    if request.incident is not None:
        return request.incident.id, words
    unresolved = await world.read(list_open_incidents)
    if isinstance(unresolved, Unavailable):
        raise SourceError(unresolved.source, unresolved.why)
    if len(unresolved) == 1:
        return unresolved[0].id, words
    await check_not_done_before(request, world, shown_by="incident")
    example = example or f"{command.typed} 7"
    raise _which_incident(unresolved, await read_alerts_of_open_incidents(world), command, words, example)


async def check_not_done_before(request: Request, world: World, *, shown_by: str) -> None:
    """Call before a refusal that an earlier try of the same delivery may have caused. Raises DoneError if that try did
    it. Does nothing if the database does not answer."""
    if request.delivery is not None and await world.read(is_written, delivery=request.delivery) is True:
        raise done_before(shown_by)


def _which_incident(
    unresolved: Sequence[Incident],
    alerts: Sequence[JoinedAlert],
    command: IncidentVerb,
    words: tuple[str, ...],
    example: str,
) -> UsageError:
    if not unresolved:
        return UsageError("Which incident?", why="no incident is open", what_next=_without_open(command, example))
    lines = {one.id: join_words([*command.typed.split(), str(one.id), *words]) for one in unresolved[:MOST_OFFERED]}
    choices = [
        Choice(line, command.label, incident_line(one, alerts))
        for one in unresolved
        if (line := lines.get(one.id)) is not None
    ]
    what_next = f"Press the button beside it, or write `{example}`; `incident` lists them all."
    return UsageError(
        "Which incident?", why=f"{len(unresolved)} incidents are open", what_next=what_next, choices=choices
    )


def _without_open(command: IncidentVerb, example: str) -> str:
    if command.acts:
        return "`incident open <what>` opens one; `incident` lists the newest."
    return f"`incident` lists them; write `{example}` with the number of a resolved one."


def parse_severity(word: str) -> IncidentSeverity:
    """Parse `sev1`, `sev2` or `sev3`, in any case, or the number alone. Raises UsageError."""
    written = word.lower() if word.lower().startswith("sev") else f"sev{word}"
    found = next((severity for severity in IncidentSeverity if severity == written), None)
    if found is None:
        raise wrong_word(word, "is not a severity", "Write `sev1`, `sev2` or `sev3`.")
    return found


def incident_outcome_answer(outcome: Outcome) -> Answer:
    """The answer for the person who acted; others read the incident's own messages."""
    if isinstance(outcome, Done):
        return done_answer(outcome.incident, outcome.words)
    if isinstance(outcome, Joined):
        return joined_answer(outcome.incident, outcome.title, outcome.alerts, is_repeated=outcome.is_repeated)
    return refused_answer(outcome.sentence, ON_CALL)


def need_approval_service(approval_service: ApprovalService | None) -> ApprovalService:
    """Return the approval service. Raises OperatorError if requests can't be stored."""
    if approval_service is None:
        raise OperatorError(
            "Nothing was done",
            why="requests need the database and Slack, and the settings of one of them are missing",
            what_next="Fix them (`check-config`); `--dry-run` shows the steps to take by hand in Railway's dashboard.",
        )
    return approval_service


def need_incident_service(incident_service: IncidentService | None) -> IncidentService:
    """Return the incident service. Raises OperatorError if incidents can't be stored."""
    if incident_service is None:
        raise OperatorError(
            "Nothing was done",
            why="incidents need the database and Slack, and the settings of one of them are missing",
            what_next="Fix them (`check-config`), and contact people directly in the meantime.",
        )
    return incident_service


def need_database(world: World) -> Database:
    """Return the database. Raises SourceError if it is not configured."""
    if world.database is None:
        raise SourceError("database", "not configured")
    return world.database


def need_actor(request: Request) -> Actor:
    """Return the requester. Raises OperatorError on the terminal, which does not identify people."""
    if request.actor is None:
        raise OperatorError(
            "Nothing was done",
            why="the terminal does not identify you",
            what_next=f"Type the same line in Slack, behind `{slash()}`.",
        )
    return request.actor


async def requester_zone(request: Request, world: World, approval_service: ApprovalService | None) -> ZoneInfo:
    """The time zone of typed times: the requester's in Slack, else the on-call file's, else UTC."""
    if request.actor is not None and approval_service is not None:
        found = (await approval_service.people(request.actor.user_id)).zone(request.actor.user_id)
        if found is not None:
            return found
    return zone_of(world.schedule if isinstance(world.schedule, Schedule) else None)


async def need_right(
    playbook: str,
    services: Iterable[Service],
    request: Request,
    world: World,
    approval_service: ApprovalService | None,
    *,
    failed: str,
    right: Right = Right.REQUEST,
) -> Person:
    """Return the requester if the policy permits it. `failed`: first sentence of the error ("No drill was started").

    Raises OperatorError if the policy does not permit it, and on the terminal.
    """
    actor = need_actor(request)
    person, approval_service = Person(actor.user_id, actor.team_id), need_approval_service(approval_service)
    if isinstance(approval_service.policy, Invalid):
        raise OperatorError(failed, why=approval_service.policy.why, what_next="`check-config` shows what to fix.")
    environment = require(world.settings.identity).environment
    policy = approval_service.policy
    target = Target(playbook, frozenset(services), environment, request.channel_id, datetime.now(UTC))
    people = await approval_service.people(person.user_id)
    verdict = await approval_service.judge_now(
        lambda target: judge(right, person, target, policy, people), target, policy, person
    )
    if isinstance(verdict, Refused):
        details = {"verb": playbook, "environment": environment, "team": person.team_id}
        await approval_service.record_refusal(person, playbook, details, verdict, event=f"{playbook}.refused")
        raise OperatorError(failed, why=verdict.why, what_next=verdict.what_next)
    return person


def outcome_answer(outcome: Decided | Refused, run_id: int) -> Answer:
    """The answer for the person who decided on a run."""
    if isinstance(outcome, Refused):
        return refused_answer(outcome.sentence, NextStep(f"Run {run_id}", f"run {run_id}"))
    return decided_answer(outcome.run, missing=outcome.missing, notes=outcome.notes)


def parse_run(words: Sequence[str], example: str) -> int:
    """Parse the run's number, with or without `#`. Raises UsageError."""
    if not words:
        raise UsageError("Which run?", why="its number is missing", what_next=f"Write `{example}`; `runs` lists them.")
    no_more(words, 1)
    number = read_number(words[0])
    if number is None:
        raise wrong_word(words[0], "is not the number of a run", f"Write `{example}`; `runs` lists them.")
    return number


async def need_record(world: World, run_id: int) -> Record | Unavailable:
    """Read a run's record. Raises UsageError if there is no such run."""
    found = await world.read(read_record, run_id)
    if found is None:
        raise UsageError(f"There is no run {run_id}", why="no run has this number", what_next="`runs` lists them.")
    return found


async def read_alerts_of_open_incidents(world: World) -> list[JoinedAlert]:
    """Read the alerts of open incidents in the order in which they joined; empty while the database is away."""
    found = await world.read(list_alerts_of_open_incidents)
    return [] if isinstance(found, Unavailable) else found


async def list_waiting(
    actor: Actor | None, world: World, approval_service: ApprovalService | None
) -> Sequence[Run] | Unavailable:
    """List the runs that this person could confirm, approve or resolve; all waiting runs if the person is unknown."""
    found = await world.read(list_open_runs)
    if isinstance(found, Unavailable):
        return found
    waiting = [run for run in found if run.state in {*UNDECIDED, RunState.UNKNOWN}]
    if actor is None or approval_service is None or not isinstance(approval_service.policy, Policy) or not waiting:
        return waiting
    people, person = await approval_service.people(actor.user_id), Person(actor.user_id, actor.team_id)
    return [run for run in waiting if _waits_for(run, person, approval_service.policy, people)]


async def list_assignments(
    actor: Actor | None, incidents: Sequence[Incident] | Unavailable, approval_service: ApprovalService | None
) -> Sequence[Assignment]:
    """List this person's assignments in unresolved incidents; empty if the person is unknown."""
    if actor is None or isinstance(incidents, Unavailable) or not incidents:
        return ()
    groups = (
        (await approval_service.people(actor.user_id)).groups_of(actor.user_id) if approval_service is not None else ()
    )
    return assignments_of(actor.user_id, groups, incidents)


async def list_reviews(
    actor: Actor | None, world: World, approval_service: ApprovalService | None
) -> Sequence[tuple[Review, Run]] | Unavailable:
    """List the open reviews that this person could do; all open reviews if the person is unknown."""
    found = await world.read(read_open_reviews)
    if (
        isinstance(found, Unavailable)
        or actor is None
        or approval_service is None
        or not isinstance(approval_service.policy, Policy)
    ):
        return found
    people, person = await approval_service.people(actor.user_id), Person(actor.user_id, actor.team_id)
    policy = approval_service.policy
    return [one for one in found if isinstance(may_review(one[1], one[0], person, policy, people), Allowed)]


def _waits_for(run: Run, person: Person, policy: Policy, people: People) -> bool:
    if is_requester(run, person) and run.state is not RunState.AWAITING_APPROVAL:
        return True
    return (
        run.state is not RunState.PLANNED
        and not is_requester(run, person)
        and isinstance(judge(Right.APPROVE, person, target_of(run), policy, people), Allowed)
    )
