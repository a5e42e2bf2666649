"""Requests on a real database: filed, confirmed, approved, denied, cancelled; each with its audit row and message."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.approvals.access import Refused
from bot.approvals.decisions import Decided
from bot.approvals.service import ApprovalService
from bot.types import Actor
from playbooks.model import NoPlan, Risk
from services.clients.postgres.approvals import list_decisions
from services.clients.postgres.audit import list_audit, verify_audit
from services.clients.postgres.incidents import create_incident, resolve_incident
from services.clients.postgres.pool import Connection
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.incidents import IncidentSeverity, NewIncident
from services.domain.people import Person
from services.domain.runs import RunState
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.workspace import Workspace
from tests.integration.bot.approvals.conftest import (
    ANN,
    BEN,
    OLIVIA,
    OTTO,
    PAST_EXPIRY_S,
    RULES,
    Books,
    MakeApprovalService,
    MakePlan,
    request,
)


def refused(outcome: Decided | Refused) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.sentence


def decided(outcome: Decided | Refused) -> Decided:
    assert isinstance(outcome, Decided), outcome
    return outcome


async def test_a_delivery_that_is_tried_again_files_one_run_and_reports_of_it_once(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    asked = replace(request(OLIVIA), delivery="trigger:1")
    first = await approval_service.file(make_plan(), asked)

    again = await approval_service.file(make_plan(), asked)
    other = await approval_service.file(make_plan(), replace(asked, delivery="trigger:2"))

    assert again == first
    assert other.id != first.id
    assert await books.events(first.id) == ["run.filed"]


async def test_request_waits_for_its_approval(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA), reason=" bad release ")

    assert run.state is RunState.AWAITING_APPROVAL
    assert (run.approvals_needed, run.requested_by) == (1, Person(OLIVIA.user_id, OLIVIA.team_id))
    assert (run.reason, run.services, run.kinds) == ("bad release", ("dragonfly-api",), ("RestartDeployment",))
    assert await books.events(run.id) == ["run.filed"]
    assert "WAITING FOR APPROVAL" in await books.message(run.id)


async def test_approval_of_another_person_lets_it_run(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    outcome = decided(await approval_service.decide(run.id, ANN, approve=True))

    assert (outcome.run.state, outcome.missing) == (RunState.APPROVED, 0)
    assert await books.events(run.id) == ["run.filed", "run.approved"]
    assert "APPROVED" in await books.message(run.id)
    (decision,) = await list_decisions(books.conn, run.id)
    assert approval_service.policy.hash == decision.policy_hash  # type: ignore[union-attr]
    assert decision.plan_hash == make_plan().hash


async def test_denial_ends_it_with_its_reason(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    outcome = decided(await approval_service.decide(run.id, ANN, approve=False, reason="the import runs"))

    assert (outcome.run.state, outcome.run.outcome) == (RunState.CANCELLED, "denied: the import runs")
    assert await books.events(run.id) == ["run.filed", "run.denied"]


@pytest.mark.parametrize(
    ("actor", "why"),
    [
        (OTTO, "permission to approve"),
        (OLIVIA, "own request"),
        (replace(OTTO, team_id="T0ELSEWHERE"), "another workspace"),
    ],
)
async def test_approval_without_permission_is_refused_and_audited(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books, actor: Actor, why: str
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    sentence = refused(await approval_service.decide(run.id, actor, approve=True))

    assert why in sentence
    assert f"<!subteam^{model.APPROVERS.id}> can approve it." in sentence
    assert (await books.run(run.id)).state is RunState.AWAITING_APPROVAL
    row = (await list_audit(books.conn, limit=1))[0]
    assert (row.event, row.actor, row.run_id) == ("run.approve.refused", actor.user_id, run.id)


async def test_bot_is_refused_even_where_the_list_has_it(
    make_approval_service: MakeApprovalService, make_plan: MakePlan
) -> None:
    approval_service = make_approval_service(approvers=(model.ANN.id, model.BOT.id))
    run = await approval_service.file(make_plan(), request(OLIVIA))

    sentence = refused(await approval_service.decide(run.id, Actor(model.BOT.id, model.TEAM.id), approve=True))

    assert sentence == f"Bots have no permissions here. <@{model.ANN.id}> can approve it."


async def test_approver_of_another_workspace_is_refused(approval_service: ApprovalService, make_plan: MakePlan) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    assert "another workspace" in refused(
        await approval_service.decide(run.id, replace(ANN, team_id="T0OTHER"), approve=True)
    )


async def test_approver_does_not_approve_their_own_request(
    approval_service: ApprovalService, make_plan: MakePlan
) -> None:
    run = await approval_service.file(make_plan(), request(ANN))

    sentence = refused(await approval_service.decide(run.id, ANN, approve=True))

    assert "own request" in sentence
    assert f"<@{BEN.user_id}>" in sentence
    assert f"<@{ANN.user_id}>" not in sentence
    assert decided(await approval_service.decide(run.id, BEN, approve=True)).run.state is RunState.APPROVED


async def test_member_who_was_removed_cannot_approve_any_more(
    approval_service: ApprovalService, make_plan: MakePlan, workspace: Workspace
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))
    workspace.groups[model.APPROVERS.id] = replace(model.APPROVERS, users=(BEN.user_id,))

    assert "permission to approve" in refused(await approval_service.decide(run.id, ANN, approve=True))


async def test_an_approval_does_not_count_after_the_approver_was_removed(
    approval_service: ApprovalService, make_plan: MakePlan, workspace: Workspace
) -> None:
    plan = make_plan(Risk.CRITICAL, playbook="rollback-db")
    run = await approval_service.file(plan, request(OLIVIA))
    await approval_service.decide(run.id, ANN, approve=True, typed="rollback-db api dev")
    workspace.groups[model.APPROVERS.id] = replace(model.APPROVERS, users=(BEN.user_id,))

    outcome = decided(await approval_service.decide(run.id, BEN, approve=True, typed="rollback-db api dev"))

    assert (outcome.run.state, outcome.missing) == (RunState.AWAITING_APPROVAL, 1)


async def test_outsiders_request_is_refused_and_recorded(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    with pytest.raises(OperatorError) as refusal:
        await approval_service.file(make_plan(), request(OTTO))

    assert "permission to request" in refusal.value.why
    assert refusal.value.what_next == f"<!subteam^{model.OPERATORS.id}> can request it."
    assert await books.events() == ["run.file.refused"]


async def test_a_flood_of_refusals_is_one_row_of_the_audit_log(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    for _ in range(20):
        with pytest.raises(OperatorError):
            await approval_service.file(make_plan(), request(OTTO))
    with pytest.raises(OperatorError):
        await approval_service.file(make_plan(playbook="restart"), request(OTTO))

    assert await books.events() == ["run.file.refused"] * 2


async def test_request_without_possible_approvers_is_not_filed(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    approval_service = make_approval_service(approvers=())

    with pytest.raises(OperatorError, match="one can approve"):
        await approval_service.file(make_plan(), request(OLIVIA))

    assert await books.events() == ["run.file.refused"]


async def test_malformed_policy_lets_no_one_do_anything(
    make_approval_service: MakeApprovalService, make_plan: MakePlan
) -> None:
    approval_service = make_approval_service(rules=RULES + "[[alow]]\n")

    with pytest.raises(OperatorError, match="line 9"):
        await approval_service.file(make_plan(), request(OLIVIA))


async def test_low_risk_run_is_confirmed_by_its_requester_only(
    approval_service: ApprovalService, make_plan: MakePlan
) -> None:
    run = await approval_service.file(make_plan(Risk.LOW, playbook="restart"), request(OLIVIA))

    sentence = refused(await approval_service.confirm(run.id, ANN))
    assert "Only the requester" in sentence
    assert f"<@{OLIVIA.user_id}>" in sentence
    assert "the requester confirms" in refused(await approval_service.decide(run.id, ANN, approve=True))
    assert decided(await approval_service.confirm(run.id, OLIVIA)).run.state is RunState.APPROVED
    assert "it is approved" in refused(await approval_service.confirm(run.id, OLIVIA))


async def test_high_risk_is_not_confirmed(approval_service: ApprovalService, make_plan: MakePlan) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    assert "needs an approval" in refused(await approval_service.confirm(run.id, OLIVIA))


async def test_break_glass_needs_no_one(approval_service: ApprovalService, make_plan: MakePlan) -> None:
    run = await approval_service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OLIVIA))

    assert run.state is RunState.APPROVED


async def test_critical_needs_two_people_who_type_it(approval_service: ApprovalService, make_plan: MakePlan) -> None:
    run = await approval_service.file(make_plan(Risk.CRITICAL, playbook="rollback-db"), request(OLIVIA))

    assert "Type `rollback-db api dev`" in refused(await approval_service.decide(run.id, ANN, approve=True))
    first = decided(await approval_service.decide(run.id, ANN, approve=True, typed=" Rollback-DB  api dev"))
    assert (first.run.state, first.missing) == (RunState.AWAITING_APPROVAL, 1)
    assert "already decided" in refused(
        await approval_service.decide(run.id, ANN, approve=True, typed="rollback-db api dev")
    )
    second = decided(await approval_service.decide(run.id, BEN, approve=True, typed="rollback-db api dev"))
    assert (second.run.state, second.missing) == (RunState.APPROVED, 0)


async def test_requester_who_is_an_approver_counts_as_one_of_two(
    approval_service: ApprovalService, make_plan: MakePlan
) -> None:
    run = await approval_service.file(make_plan(Risk.CRITICAL, playbook="rollback-db"), request(ANN))

    assert decided(await approval_service.decide(run.id, ANN, approve=True, typed="rollback-db api dev")).missing == 1
    assert decided(await approval_service.decide(run.id, BEN, approve=True, typed="rollback-db api dev")).missing == 0


async def test_terminal_files_for_one_approver_more(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(), request(None))

    assert (run.requested_by, run.approvals_needed) == (None, 2)
    assert decided(await approval_service.decide(run.id, ANN, approve=True)).missing == 1
    assert decided(await approval_service.decide(run.id, BEN, approve=True)).run.state is RunState.APPROVED
    assert [row.actor for row in await list_audit(books.conn, limit=9)][-1] == "terminal"


async def test_terminal_breaks_no_glass(approval_service: ApprovalService, make_plan: MakePlan) -> None:
    with pytest.raises(OperatorError, match="in Slack"):
        await approval_service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(None))


async def test_expired_request_is_refused(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    approval_service = make_approval_service(expires_after_s=1)
    run = await approval_service.file(make_plan(), request(OLIVIA))
    await asyncio.sleep(PAST_EXPIRY_S)

    assert "has expired. `Request again`" in refused(await approval_service.decide(run.id, ANN, approve=True))
    assert await books.events(run.id) == ["run.filed", "run.approve.refused"]


async def test_second_click_is_refused_with_the_outcome_of_the_first(
    approval_service: ApprovalService, make_plan: MakePlan
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))
    await approval_service.decide(run.id, ANN, approve=True)

    assert "it is approved" in refused(await approval_service.decide(run.id, ANN, approve=True))
    assert "it is approved" in refused(await approval_service.decide(run.id, BEN, approve=False))


async def test_run_that_is_not_there_is_reported(approval_service: ApprovalService) -> None:
    with pytest.raises(UsageError, match="no run 99"):
        await approval_service.decide(99, ANN, approve=True)


@pytest.mark.parametrize("actor", [OLIVIA, ANN])
async def test_waiting_run_is_cancelled_at_once(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books, actor: Actor
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    outcome = decided(await approval_service.cancel(run.id, actor))

    assert outcome.run.state is RunState.CANCELLED
    assert outcome.run.cancel_requested_by == Person(actor.user_id, actor.team_id)
    assert await books.events(run.id) == ["run.filed", "run.cancelled"]
    assert "already ended (cancelled)" in refused(await approval_service.cancel(run.id, actor))


async def test_outsider_cancels_nothing(approval_service: ApprovalService, make_plan: MakePlan, books: Books) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))

    assert "permission to request" in refused(await approval_service.cancel(run.id, OTTO))
    assert await books.events(run.id) == ["run.filed", "run.cancel.refused"]


async def test_cancel_asks_an_active_run_to_stop(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OLIVIA))
    await start(books, run.id)

    outcome = decided(await approval_service.cancel(run.id, ANN))

    assert outcome.run.state is RunState.RUNNING
    assert outcome.run.cancel_requested_by == Person(ANN.user_id, ANN.team_id)
    assert f"<@{ANN.user_id}> has already cancelled" in refused(await approval_service.cancel(run.id, BEN))


@pytest.mark.parametrize(
    ("how", "step", "state", "reported"),
    [
        ("done", "done", "running", "done. The run continues."),
        ("retry", "pending", "running", "retry. The run continues."),
        ("abort", "failed", "failed", "Aborted. api is stopped."),
    ],
)
async def test_person_settles_what_is_unknown(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books, how: str, step: str, state: str, reported: str
) -> None:
    run = await approval_service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OLIVIA))
    await start(books, run.id)
    assert "run is unknown" in refused(await approval_service.resolve_unknown(run.id, ANN, "done")).lower()
    await books.conn.execute("UPDATE chatops.run_steps SET state = 'running' WHERE run_id = %s", [run.id])
    await books.conn.execute("UPDATE chatops.run_steps SET state = 'unknown' WHERE run_id = %s", [run.id])
    unknown = "UPDATE chatops.runs SET state = 'unknown', outcome = 'api is stopped.' WHERE id = %s"
    await books.conn.execute(unknown, [run.id])

    assert "don't have permission" in refused(await approval_service.resolve_unknown(run.id, OTTO, "done"))
    outcome = decided(await approval_service.resolve_unknown(run.id, ANN, how))  # type: ignore[arg-type]

    assert outcome.run.state == state
    assert (outcome.run.outcome or "").endswith(reported)
    row = await (await books.conn.execute("SELECT state FROM chatops.run_steps")).fetchone()
    assert row == (step,)


async def test_unknown_run_can_be_cancelled(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(Risk.BREAK_GLASS, playbook="stop-workers"), request(OLIVIA))
    await start(books, run.id)
    await books.conn.execute("UPDATE chatops.runs SET state = 'unknown' WHERE id = %s", [run.id])

    assert decided(await approval_service.cancel(run.id, OLIVIA)).run.state is RunState.CANCELLED


async def test_expired_request_is_asked_for_again(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books
) -> None:
    approval_service = make_approval_service()
    first = await approval_service.file(make_plan(), request(OLIVIA), reason="bad release")
    await books.conn.execute("UPDATE chatops.runs SET state = 'expired' WHERE id = %s", [first.id])

    async def plan_again(playbook: str, parameters: object) -> object:
        assert (playbook, parameters) == ("rollback", {"service": "api"})
        return make_plan(deployment="d2")

    again = await approval_service.ask_again(first.id, request(ANN), plan_again)  # type: ignore[arg-type]

    assert not isinstance(again, NoPlan)
    second = again.run
    assert (second.state, second.reason) == (RunState.AWAITING_APPROVAL, "bad release")
    assert second.requested_by == Person(ANN.user_id, ANN.team_id)
    with pytest.raises(OperatorError, match="expired and voided"):
        await approval_service.ask_again(second.id, request(ANN), plan_again)  # type: ignore[arg-type]


async def test_audit_chain_holds_after_all_of_it(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))
    for actor in (OTTO, OLIVIA, ANN, BEN):
        await approval_service.decide(run.id, actor, approve=True)

    assert (await verify_audit(books.conn)).ok


async def start(books: Books, run_id: int) -> None:
    """Start the run as the runner does."""
    await books.conn.execute(
        "INSERT INTO chatops.run_services (service, run_id) VALUES ('dragonfly-api', %s)", [run_id]
    )
    await books.conn.execute("UPDATE chatops.runs SET state = 'running' WHERE id = %s", [run_id])


IN_SEV1 = RULES.replace('who = ["operators"]', 'who = ["operators"]\nseverity = ["sev1"]').replace(
    'who = ["approvers"]', 'who = ["approvers"]\nseverity = ["sev1"]'
)


async def test_rules_for_a_severity_follow_the_open_incidents_at_the_request_and_at_the_approval(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, books: Books, as_owner: Connection
) -> None:
    service = make_approval_service(rules=IN_SEV1)
    with pytest.raises(OperatorError, match="in an open SEV1"):
        await service.file(make_plan(), request(OLIVIA))
    incident = NewIncident(
        "dev", IncidentSeverity.SEV1, "No API", ("dragonfly-api",), Person(BEN.user_id, BEN.team_id), {}
    )
    incident_id = await create_incident(as_owner, incident)
    run = await service.file(make_plan(), request(OLIVIA))

    await as_owner.execute("UPDATE chatops.incidents SET severity = 'sev3' WHERE id = %s", [incident_id])
    assert "in an open SEV1" in refused(await service.decide(run.id, ANN, approve=True))
    await as_owner.execute("UPDATE chatops.incidents SET severity = 'sev1' WHERE id = %s", [incident_id])
    decided(await service.decide(run.id, ANN, approve=True))

    assert await books.events(run.id) == ["run.filed", "run.approve.refused", "run.approved"]


async def test_deny_by_severity_ends_for_everyone_when_the_incident_is_resolved(
    make_approval_service: MakeApprovalService, make_plan: MakePlan, as_owner: Connection
) -> None:
    """Also for its requester, who resolved it: the rule is about an open incident."""
    service = make_approval_service(
        rules=RULES + '\n[[deny]]\nmay = "request"\nwho = ["*"]\nverbs = ["rollback"]\nseverity = ["sev1"]\n'
    )
    person = Person(OLIVIA.user_id, OLIVIA.team_id)
    opened = NewIncident("dev", IncidentSeverity.SEV1, "No API", ("dragonfly-api",), person, {})
    incident_id = await create_incident(as_owner, opened)
    with pytest.raises(OperatorError, match="does not allow"):
        await service.file(make_plan(), request(OLIVIA))

    assert await resolve_incident(as_owner, incident_id=incident_id, person=person, cause="done")

    assert (await service.file(make_plan(), request(OLIVIA))).id


async def test_unread_incidents_allow_nothing_that_needs_a_severity(make_approval_service: MakeApprovalService) -> None:
    nowhere = "postgresql://dragonfly_bot@127.0.0.1:1/postgres?connect_timeout=1"
    for rules, refuses in ((IN_SEV1, True), (RULES, False)):
        service = make_approval_service(rules=rules, dsn=nowhere)
        early = service.refuse_early("rollback", [Service.API], "dev", request(OLIVIA))
        if refuses:
            with pytest.raises(OperatorError, match="in an open SEV1"):
                await early
        else:
            await early


async def test_a_button_that_is_hammered_is_one_row_per_run_and_hides_no_refusal_of_others(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books
) -> None:
    first, second = [await approval_service.file(make_plan(), request(OLIVIA)) for _ in range(2)]

    for _ in range(10):
        refused(await approval_service.decide(first.id, OTTO, approve=True))
    refused(await approval_service.decide(first.id, OTTO, approve=False))
    refused(await approval_service.decide(second.id, OTTO, approve=True))
    refused(await approval_service.decide(first.id, OLIVIA, approve=True))

    assert await books.events(first.id) == [
        *("run.filed", "run.approve.refused", "run.deny.refused", "run.approve.refused")
    ]
    assert await books.events(second.id) == ["run.filed", "run.approve.refused"]


async def test_a_refusal_whose_transaction_failed_is_recorded_with_the_next_one(
    approval_service: ApprovalService, make_plan: MakePlan, books: Books, as_owner: Connection
) -> None:
    run = await approval_service.file(make_plan(), request(OLIVIA))
    await as_owner.execute("ALTER TABLE chatops.audit RENAME TO audit_away")
    with pytest.raises(SourceError):
        await approval_service.decide(run.id, OTTO, approve=True)
    await as_owner.execute("ALTER TABLE chatops.audit_away RENAME TO audit")

    refused(await approval_service.decide(run.id, OTTO, approve=True))

    assert await books.events(run.id) == ["run.filed", "run.approve.refused"]
