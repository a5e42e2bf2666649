"""Bare `/dragonfly` and the Home tab: state in short, pending work of the requester, locked services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bot.commands.arguments import no_more
from bot.commands.context import list_assignments, list_reviews, list_waiting, read_alerts_of_open_incidents
from bot.commands.health import health_headline
from bot.facts.health import gather_health
from bot.incidents.assignments import Asked, Assignment
from bot.reports import WEEK, read_report
from bot.types import Actor, Answer, Block, Request
from bot.views.blocks import (
    PREFORMATTED_LIMIT,
    actions,
    align,
    command_button,
    context,
    fit_message,
    preformatted,
    section,
    sections,
)
from bot.views.findings import as_of
from bot.views.freezes import freeze_line
from bot.views.incidents import incident_block, incident_line
from bot.views.reports import figures_line
from bot.views.run import review_line
from bot.views.run_buttons import buttons as run_buttons
from bot.views.run_buttons import review as review_button
from bot.views.runs import run_line
from bot.views.text import code, cut, date_token, escape
from bot.views.todos import todo_blocks
from playbooks.health import Report, report
from services.clients.postgres.incidents import list_open_incidents
from services.clients.postgres.todos import list_open_todos
from services.domain import reports
from services.domain.deployments import ServiceState, find_state
from services.domain.errors import Unavailable
from services.domain.freezes import Freeze, Lock
from services.domain.incidents import Incident, JoinedAlert
from services.domain.oncall import Schedule, zone_of
from services.domain.runs import Review, Run
from services.domain.services import Service, short_sha
from services.domain.text import counted
from services.domain.todos import MOST, Todo

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World


START = "home"  # the command behind the bare `/dragonfly`


def home_view(answer: Answer, line: str, *, now: datetime) -> dict[str, Any]:
    """The view for Slack's `views.publish`. `line`: the command of the answer; empty for the start page."""
    buttons = [command_button("Refresh", line or START, 9000)]  # far above the numbers of the answer's buttons
    if line not in ("", START):
        buttons.append(command_button("Back to the start", START, 9001))
    blocks = [block if block["type"] != "table" else _as_text(block) for block in answer.blocks]
    as_of_note = [] if any(_shows_its_time(block) for block in blocks) else [context(f"As of {date_token(now)}")]
    return {"type": "home", "blocks": [*blocks, *as_of_note, *actions(buttons)]}


def _shows_its_time(block: Block) -> bool:
    """True if a context block shows the time of the answer ("as of")."""
    return block["type"] == "context" and "as of" in json.dumps(block)


def _as_text(table: Block) -> Block:
    """The table as preformatted text: Slack's documents disagree about tables in the Home tab."""
    return preformatted(cut(align([[cell["text"] for cell in row] for row in table["rows"]]), PREFORMATTED_LIMIT))


SHOWN = 5  # runs with their own button
_VERBS = ("health", "queue", "failed-jobs", "report", "help")
BUTTONS = tuple((verb.capitalize().replace("-", " "), verb) for verb in _VERBS)

# `{task of the reader: (sentence, button label, verb of the incident command)}`
_ASKED = {
    Asked.ACKNOWLEDGE: ("📟 *You are being paged.*", "Acknowledge", "ack"),
    Asked.WORK: ("🟡 *You're assigned to this incident.*", "Resolve…", "resolve"),
    Asked.RESOLVE: ("🟢 *The alerts are over.* Resolve your incident when it is done.", "Resolve…", "resolve"),
}


def home_answer(
    report: Report,
    shas: Mapping[Service, str | None] | None,
    *,
    waiting: Sequence[Run] | Unavailable,
    reviews: Sequence[tuple[Review, Run]] | Unavailable = (),
    locks: Sequence[Lock] | Unavailable,
    freezes: Sequence[Freeze] | Unavailable = (),
    incidents: Sequence[Incident] | Unavailable = (),
    alerts: Sequence[JoinedAlert] = (),
    assignments: Sequence[Assignment] = (),
    week: reports.Report | Unavailable | None = None,
    todos: Sequence[Todo] | Unavailable = (),
    now: datetime,
) -> Answer:
    """The requester's pending work comes before the state: pages, approvals, reviews, then incidents.

    shas: the active deployment's commit by service; None if Railway did not report it. waiting: the runs to decide on.
    reviews: those that the requester could do. alerts: of the open incidents. assignments: the requester's tasks in
    these, most urgent first. week: the numbers of the last 7 days; None: not read. todos: the requester's open
    follow-ups.
    """
    paged = [one.incident for one in assignments if one.asked is Asked.ACKNOWLEDGE]
    first = f"📟 *You are being paged* · {health_headline(report)}" if paged else health_headline(report)
    state = [section(health_headline(report))]
    if isinstance(waiting, Unavailable) and isinstance(incidents, Unavailable):
        top = [*state, _nothing_known(incidents)]
    else:
        top = [
            *_assignments(assignments, alerts),
            *_waiting(waiting, also=bool(assignments) or bool(reviews)),
            *_reviews(reviews),
            *_incidents(incidents, alerts, shown_above={one.incident.id for one in assignments}),
            *state,
        ]
    blocks = [
        *top,
        *_todos(todos, now),
        section(_shas(shas)),
        *_locks_and_freezes(locks, freezes, now),
        *actions([command_button(label, command) for label, command in BUTTONS]),
        context(*([figures_line(week)] if isinstance(week, reports.Report) else []), as_of(now)),
    ]
    runs = None if isinstance(waiting, Unavailable) else [run.id for run in waiting]
    data = {
        "status": report.status.value,
        "headline": report.headline,
        "serving": shas,
        "waiting": runs,
        "incidents": None if isinstance(incidents, Unavailable) else [one.id for one in incidents],
        "assignments": [{"incident": one.incident.id, "asked": one.asked.value} for one in assignments],
        "reviews": None if isinstance(reviews, Unavailable) else [run.id for _, run in reviews],
    }
    return Answer(*fit_message(first, blocks), data, report.status, private=True)


def _nothing_known(reason: Unavailable) -> Block:
    """Shown if the database is away; a page about that can still be acknowledged."""
    words = f"Incidents, approvals and reviews are unknown: {escape(reason.why, limit=200)}."
    return section(f"{words} If you are being paged for it:", accessory=command_button("Acknowledge", "ack"))


def _assignments(assignments: Sequence[Assignment], alerts: Sequence[JoinedAlert]) -> list[Block]:
    return [block for one in assignments[:SHOWN] for block in _assignment(one, alerts)]


def _assignment(assignment: Assignment, alerts: Sequence[JoinedAlert]) -> list[Block]:
    incident = assignment.incident
    words, label, verb = _ASKED[assignment.asked]
    buttons = [
        command_button(label, f"incident {verb} {incident.id}", style="primary"),
        command_button("Timeline", f"incident timeline {incident.id}"),
    ]
    return [section(f"{words}\n{incident_line(incident, alerts)}"), *actions(buttons)]


def _incidents(
    incidents: Sequence[Incident] | Unavailable, alerts: Sequence[JoinedAlert], *, shown_above: Collection[int]
) -> list[Block]:
    if isinstance(incidents, Unavailable):
        return [section(f"Whether an incident is open is unknown: {escape(incidents.why, limit=200)}.")]
    others = [incident for incident in incidents if incident.id not in shown_above]
    return [incident_block(incident, alerts) for incident in others[:SHOWN]]


def _waiting(waiting: Sequence[Run] | Unavailable, *, also: bool) -> list[Block]:
    """The waiting runs. `also`: the requester has other pending work."""
    if isinstance(waiting, Unavailable):
        return [section(f"Whether something waits for you is unknown: {escape(waiting.why, limit=200)}.")]
    if not waiting:
        return [] if also else [section("Nothing is waiting for you.")]
    shown = [block for run in waiting[:SHOWN] for block in (section(run_line(run)), *actions(run_buttons(run, ())))]
    more = [context(f"… {len(waiting) - SHOWN} more in `runs`")] if len(waiting) > SHOWN else []
    return [section(f"*{counted(len(waiting), 'run')}* waiting for you:"), *shown, *more]


def _reviews(reviews: Sequence[tuple[Review, Run]] | Unavailable) -> list[Block]:
    if isinstance(reviews, Unavailable):
        return [section(f"Whether a review waits for you is unknown: {escape(reviews.why, limit=200)}.")]
    if not reviews:
        return []
    shown = [
        section(f"{run_line(run)}\n{review_line(review)}", accessory=review_button(run))
        for review, run in reviews[:SHOWN]
    ]
    return [section(f"*{counted(len(reviews), 'review')}* waiting for you:"), *shown]


def _locks_and_freezes(
    locks: Sequence[Lock] | Unavailable, freezes: Sequence[Freeze] | Unavailable, now: datetime
) -> list[Block]:
    """Locks and freezes in force, because a person who reads `home` may be about to deploy."""
    unknown = [one for one in (locks, freezes) if isinstance(one, Unavailable)]
    held = [] if isinstance(locks, Unavailable) else [_lock(lock) for lock in locks]
    if not isinstance(freezes, Unavailable):
        in_force = [one for one in freezes if one.span_at(now) is not None]
        held += [freeze_line(one, now) for one in in_force[:SHOWN]]
    return sections(
        [
            *held,
            *(f"❔ Whether more is locked or frozen is unknown: {escape(one.why, limit=200)}" for one in unknown[:1]),
        ]
    )


def _lock(lock: Lock) -> str:
    return f"🔒 *{lock.service.short}* is locked against deploys: {escape(lock.reason, limit=200)}"


def _shas(shas: Mapping[Service, str | None] | None) -> str:
    if shas is None:
        return "What is deployed is unknown: Railway does not answer."
    return "Deployed: " + " · ".join(f"{service.short} {code(short_sha(sha))}" for service, sha in shas.items())


def _todos(todos: Sequence[Todo] | Unavailable, now: datetime) -> list[Block]:
    if isinstance(todos, Unavailable) or not todos:
        return []
    return [section(f"*Your follow-ups* ({len(todos)})"), *todo_blocks(todos, now)]


async def answer_home(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    no_more(request.words, 0)
    async with asyncio.TaskGroup() as reads:
        gathering = reads.create_task(gather_health(world))
        waiting = reads.create_task(list_waiting(request.actor, world, approval_service))
        unresolved = reads.create_task(world.read(list_open_incidents))
        alerts = reads.create_task(read_alerts_of_open_incidents(world))
        reviews = reads.create_task(list_reviews(request.actor, world, approval_service))
        week = reads.create_task(_read_week(world))
        todos = reads.create_task(_read_todos(request.actor, world))
    facts, incidents = gathering.result(), unresolved.result()
    shas = None
    if not isinstance(facts.services, Unavailable):
        states = {one: find_state(facts.services, one) for one in facts.system.services}
        serving = {one: state.serving if isinstance(state, ServiceState) else None for one, state in states.items()}
        shas = {service: deployment.commit_sha if deployment else None for service, deployment in serving.items()}
    return home_answer(
        report(facts),
        shas,
        waiting=waiting.result(),
        reviews=reviews.result(),
        locks=facts.locks,
        freezes=facts.freezes,
        incidents=incidents,
        alerts=alerts.result(),
        assignments=await list_assignments(request.actor, incidents, approval_service),
        week=week.result(),
        todos=todos.result(),
        now=datetime.now(UTC),
    )


async def _read_todos(actor: Actor | None, world: World) -> Sequence[Todo] | Unavailable:
    """Read the requester's open follow-ups; empty if the requester is unknown."""
    if actor is None:
        return ()
    return await world.read(list_open_todos, limit=MOST, owner=actor.user_id)


async def _read_week(world: World) -> reports.Report | Unavailable | None:
    environment = world.settings.environment
    if environment is None:
        return None
    schedule = world.schedule if isinstance(world.schedule, Schedule) else None
    return await world.read(read_report, environment=environment, window=WEEK, zone=zone_of(schedule))
