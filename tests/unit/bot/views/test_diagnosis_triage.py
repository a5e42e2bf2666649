"""The diagnosis in an incident's thread: one message with the cause and the remedy first, whichever source fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.views.diagnosis import Missing, TriageFacts, diagnosis_message, summary_of
from playbooks import doctor
from playbooks.model import Finding, Status
from playbooks.recent_changes import Changes, Happening
from playbooks.rollback_candidates import Candidate
from services.domain.alerts import KnownCause
from services.domain.deployments import DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.health import AnsweredWell
from services.domain.jobs import QueueSnapshot
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations
from tests.unit.playbooks.healthy import NOW
from tests.unit.playbooks.test_diagnosis import API_DOWN, AWAY_SINCE, BAD_DEPLOY, CASES, KILLED, STOPPED, WELL, ago

EVIL = "<!channel> `x` <https://evil|good> ``` " + "A" * 9000
INGEST = [Service.INGEST]
BEFORE = Candidate(
    "8d02b64e" + "0" * 32, "Fix it", {Service.INGEST: "d1"}, timedelta(hours=2), NOW, NOW, None, 0, can_roll_back=True
)


def reported(facts: doctor.Facts, **parts: Any) -> tuple[str, list[dict[str, Any]]]:
    known = {"changes": Changes((), ()), "candidates": [BEFORE], "report": doctor.report(facts), **parts}
    return diagnosis_message(TriageFacts(**known), INGEST, "abc")


def buttons(blocks: list[dict[str, Any]]) -> list[tuple[str, str, str | None]]:
    """`(label, command or address, style)` of each button."""
    found = [one for block in blocks if block["type"] == "actions" for one in block["elements"]]
    return [(one["text"]["text"], one.get("value") or one["url"], one.get("style")) for one in found]


def test_a_bad_deploy_is_rolled_back_to_the_version_before() -> None:
    text, blocks = reported(BAD_DEPLOY)

    assert text.startswith(
        "🔎 *Most likely: deploy e9a70d3b of ingest crashes at start (FileNotFoundError) since <!date^"
    )
    assert buttons(blocks)[:4] == [
        ("Roll back to 8d02b64e", "rollback ingest to 8d02b64e", "primary"),
        ("Logs", "logs ingest", None),
        ("Changes", "deployments ingest", None),
        ("Doctor", "doctor", None),
    ]


def test_a_killed_worker_is_restarted_and_not_rolled_back() -> None:
    text, blocks = reported(KILLED)

    assert text.startswith("🔎 *Most likely: ingest is down (0 of 1) since <!date^")
    assert buttons(blocks)[0] == ("Restart ingest", "restart ingest --through-zero", "primary")
    assert "rollback" not in str(blocks)


def test_an_absent_database_leads_to_supabase_and_changes_no_service() -> None:
    _, blocks = reported(STOPPED)

    shown = [label for label, _, _ in buttons(blocks)]
    assert shown[0] == "Supabase's status"
    assert "Supabase: database logs" in shown
    assert not {"restart", "rollback"} & {value.split()[0] for _, value, _ in buttons(blocks)}
    assert "15 other findings follow from it." in str(blocks)


@pytest.mark.parametrize("name", CASES)
def test_links_to_supabase_are_offered_for_causes_in_the_database_alone(name: str) -> None:
    offered = "Supabase: database logs" in [label for label, _, _ in buttons(reported(CASES[name].facts)[1])]

    assert offered is (name in {"Postgres stopped", "permissions taken away", "migrations missing"})


def test_a_worker_that_is_gone_needs_no_row_of_the_runbook() -> None:
    assert "Likely cause" not in reported(KILLED)[0].split("\n")[0]


def test_while_parts_are_read_it_reports_so_and_is_short() -> None:
    text, blocks = diagnosis_message(TriageFacts(), INGEST, None)

    assert text.startswith("🔎 *Diagnosis:* reading")
    assert "Still collecting data" in str(blocks)


def test_diagnosis_buttons_come_with_the_cause_and_keep_their_places() -> None:
    report, changes = doctor.report(BAD_DEPLOY), Changes((), ())

    def shown(**parts: Any) -> list[str]:
        return [label for label, _, _ in buttons(diagnosis_message(TriageFacts(**parts), INGEST, "abc")[1])]

    assert shown() == shown(changes=changes, candidates=[BEFORE]) == []
    assert shown(report=report) == ["Roll back ingest…", "Logs", "Changes", "Doctor"]
    assert shown(report=report, candidates=[BEFORE], changes=changes)[1:] == ["Logs", "Changes", "Doctor"]
    assert shown(report=Missing("no answer within 8 s")) == ["Logs", "Changes", "Doctor"]


def test_diagnosis_says_no_cause_found_when_all_is_well_again() -> None:
    assert reported(WELL)[0].startswith("🔎 *No cause found:*")


def test_diagnosis_names_an_unexplained_finding_without_a_cause() -> None:
    assert isinstance(WELL.health.queue, QueueSnapshot)
    failed = replace(WELL.health, queue=replace(WELL.health.queue, failed_last_hour=2))

    assert reported(replace(WELL, health=failed))[0].startswith("🔎 *Most likely: 2 failed")


def test_changes_are_newest_first_and_counted_from_the_fourth_on() -> None:
    happenings = tuple(Happening(NOW - timedelta(minutes=n), f"change {n}") for n in range(5))

    shown = str(reported(KILLED, changes=Changes(happenings, ("runs: connection refused",)))[1])

    assert "change 0" in shown
    assert "change 3" not in shown
    assert "(+ 2 more)" in shown
    assert "unknown: runs: connection refused" in shown
    assert "No deployments" in str(reported(KILLED)[1])


def test_diagnosis_lists_only_the_newest_change_when_a_deploy_is_the_cause() -> None:
    happenings = tuple(Happening(NOW - timedelta(minutes=n), f"change {n}") for n in range(5))

    shown = str(reported(BAD_DEPLOY, changes=Changes(happenings, ()))[1])

    assert "change 0 (+ 4 more)" in shown
    assert "change 1" not in shown
    assert "follow from it" not in shown  # only counted for a cause that concerns all services


def test_a_part_that_is_away_is_reported() -> None:
    text, _ = reported(KILLED, report=Missing("no answer within 8 s"), candidates=Missing("Railway is silent"))

    assert "❔ unknown: the doctor, no answer within 8 s" in text
    assert "❔ unknown: earlier versions, Railway is silent" in text


def test_the_incident_keeps_the_cause_and_the_first_step() -> None:
    parts = TriageFacts(Changes((), ()), doctor.report(BAD_DEPLOY), [BEFORE])

    kept = summary_of(parts, INGEST)

    title = "deploy e9a70d3b of ingest crashes at start (FileNotFoundError)"
    assert kept.cause == KnownCause(title, ago(7), "rollback ingest to 8d02b64e")
    assert summary_of(TriageFacts(), INGEST).cause is None


def test_the_incident_keeps_no_cause_of_another_service_and_none_that_a_run_is_about_to_end() -> None:
    elsewhere = TriageFacts(Changes((), ()), doctor.report(BAD_DEPLOY), [])
    worked_on = replace(BAD_DEPLOY, health=replace(BAD_DEPLOY.health, working={Service.INGEST: 12}))

    assert summary_of(elsewhere, [Service.API]).cause is None
    assert summary_of(TriageFacts(Changes((), ()), doctor.report(worked_on), []), INGEST).cause is None


@pytest.mark.parametrize(
    ("facts", "began"),
    [
        (KILLED, (ago(7), "last heartbeat of ingest")),
        (BAD_DEPLOY, (ago(7), "last heartbeat of ingest")),
        (STOPPED, (AWAY_SINCE, "the database stopped answering")),
        (CASES["API down"].facts, None),
        (WELL, None),
    ],
)
def test_the_incident_keeps_when_it_began_by_evidence(facts: doctor.Facts, began: tuple[datetime, str] | None) -> None:
    assert summary_of(TriageFacts(report=doctor.report(facts)), INGEST).began == began


@pytest.mark.parametrize("name", CASES)
def test_each_known_problem_fits_a_phone(name: str) -> None:
    text, blocks = reported(CASES[name].facts)

    assert len(text) < 900
    assert len(blocks) <= 3


def test_slack_accepts_diagnoses_with_hostile_content() -> None:
    happenings = tuple(Happening(NOW, EVIL) for _ in range(100))
    finding = Finding("x", Status.FAIL, EVIL, EVIL)
    report = doctor.report(STOPPED)
    bad = replace(report, diagnosed=replace(report.diagnosed, rest=(finding,) * 100))
    contents = [
        diagnosis_message(TriageFacts(Changes(happenings, (EVIL,)), bad, Missing(EVIL)), list(RUNBOOK.services), "abc"),
        reported(BAD_DEPLOY, changes=Missing(EVIL), candidates=[replace(BEFORE, message=EVIL)]),
    ]

    assert [
        v for text, blocks in contents for v in violations({"text": text, "blocks": blocks}, surface="message")
    ] == []


API_GONE = timedelta(minutes=4)


def began(**changes: Any) -> tuple[datetime, str] | None:
    """When an incident of the API began and what shows it; `changes` are made to the health facts."""
    health = replace(API_DOWN.health, **changes)
    parts = TriageFacts(Changes((), ()), doctor.report(replace(API_DOWN, health=health)), ())
    return summary_of(parts, [Service.API]).began


def crashed(at: datetime | None) -> dict[Service, ServiceState]:
    """The services as Railway reports them after the API's newest deployment crashed at this moment."""
    services = API_DOWN.health.services
    assert not isinstance(services, Unavailable)
    latest = services[Service.API].latest
    assert latest is not None
    gone = replace(latest, status=DeploymentStatus.CRASHED, status_updated_at=at)
    return {**services, Service.API: replace(services[Service.API], active=(), latest=gone)}


def well(until: datetime) -> AnsweredWell:
    return AnsweredWell(None, until - timedelta(hours=1), until)


def test_an_incident_of_the_api_begins_when_railway_saw_it_crash() -> None:
    at = NOW - API_GONE

    assert began(services=crashed(at), api_answered=well(NOW - timedelta(minutes=5))) == (at, "Railway saw api crash")


@pytest.mark.parametrize("has_crashed", [True, False])
def test_otherwise_it_begins_at_the_last_good_check(has_crashed: bool) -> None:
    more: dict[str, Any] = {"services": crashed(None)} if has_crashed else {}

    assert began(api_answered=well(NOW - API_GONE), **more) == (NOW - API_GONE, "last good check of api")


def test_beginning_is_unknown_without_an_earlier_good_reading() -> None:
    assert began() is None
