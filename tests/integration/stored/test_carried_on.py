"""A bot of the current release continues the work in progress of a former release."""

from __future__ import annotations

import copy
from collections import Counter

import pytest

from tests.stored.house import ANN, BEN, OLIVIA, House, button, key_of, shown

pytestmark = pytest.mark.timeout(300)

INGEST = "dragonfly-worker-ingest"


async def run_in(house: House, state: str, playbook: str) -> int:
    """Return the newest stored run of this playbook in this state."""
    query = "SELECT max(id) FROM chatops.runs WHERE state::text = %s AND playbook = %s"
    [(run_id,)] = await house.sql(query, state, playbook)
    assert run_id is not None, f"no {playbook} is {state}"
    return int(run_id)


async def test_every_run_and_incident_is_shown_and_the_audit_log_is_complete(house: House) -> None:
    runs = await house.sql("SELECT id, title FROM chatops.runs ORDER BY id")
    await house.start_bot()

    assert "complete and unchanged" in shown(await house.ask("audit verify"))
    assert f"{len(runs)}" in shown(await house.ask("runs"))
    for run_id, title in runs:
        answer = await house.ask(f"run {run_id}")
        assert title.split()[0] in answer.text + shown(answer), answer
    for line in ("incident 1", "incident 2", "incident 3", "silences", "why queue", ""):
        answer = await house.ask(line)
        assert "❌" not in answer.text, answer.text


async def test_a_request_of_the_former_release_is_approved_by_its_button_and_runs_to_its_end(house: House) -> None:
    run_id = await run_in(house, "awaiting_approval", "redeploy")
    asked = copy.deepcopy(await house.message(f"run:{run_id}"))
    await house.start_bot()

    await house.click_as_shown(asked, "run.approve", ANN)

    await house.until_run(run_id, "succeeded")
    assert (await house.message(f"run:{run_id}", "DONE")).ts == asked.ts
    assert house.wire.mutations.count("redeploy") == 1


async def test_a_request_of_the_former_release_is_confirmed_by_its_button_and_runs_to_its_end(house: House) -> None:
    run_id = await run_in(house, "planned", "restart")
    asked = copy.deepcopy(await house.message(f"run:{run_id}"))
    await house.start_bot()

    await house.click_as_shown(asked, "run.confirm", OLIVIA)

    await house.until_run(run_id, "succeeded")
    assert house.wire.mutations.count("restart") == 1


async def test_a_request_of_the_former_release_is_denied_by_its_button(house: House) -> None:
    run_id = await run_in(house, "awaiting_approval", "deploy")
    asked = copy.deepcopy(await house.message(f"run:{run_id}"))
    await house.start_bot()

    await house.click_as_shown(asked, "run.deny", BEN)
    await house.fill_in(BEN, answer="not any more")

    await house.until_run(run_id, "cancelled")


@pytest.mark.parametrize("reached", [True, False], ids=["the act had reached Railway", "it had not"])
async def test_a_run_of_the_former_release_is_finished_with_one_act_at_most(house: House, reached: bool) -> None:
    [(run_id,)] = await house.sql("SELECT run_id FROM chatops.run_steps WHERE state = 'intended'")
    if reached:
        house.railway.scale(INGEST, 2)
        await house.railway.wait_until_serving(60)

    await house.start_bot()
    await house.until_run(run_id, "succeeded")

    assert house.wire.mutations.count("commitPatch") == (0 if reached else 1)
    assert len(house.messages(f"run:{run_id}")) == 1


async def test_an_unknown_step_of_the_former_release_is_settled_by_its_button(house: House) -> None:
    run_id = await run_in(house, "unknown", "scale")
    asked = copy.deepcopy(await house.message(f"run:{run_id}"))
    await house.start_bot()

    await house.click_as_shown(asked, "run.resolve.done", ANN)

    await house.until_run(run_id, "succeeded")


async def test_runs_that_were_approved_or_waited_go_on(house: House) -> None:
    waiting, approved = await run_in(house, "running", "requeue"), await run_in(house, "approved", "requeue")
    await house.start_bot()
    await house.until(
        "SELECT count(*) FROM chatops.run_steps WHERE run_id = %s AND step->>'kind' = 'RequeueJobs' AND state = 'done'",
        1,
        approved,
    )

    await house.sql("UPDATE ops.job_queue SET status = 'completed' WHERE status = 'pending' AND attempts = 5")

    await house.until_run(waiting, "succeeded")
    await house.until_run(approved, "succeeded")


async def test_an_alert_of_the_former_release_ends_in_the_same_message(house: House) -> None:
    [(incident_id,)] = await house.sql("SELECT max(incident_id) FROM chatops.incident_alerts")
    key = f"incident:{incident_id}"
    reported = copy.deepcopy(await house.message(key))
    incidents = await house.sql("SELECT count(*) FROM chatops.incidents")
    # The failed ones too: an approved run requeues one of them, which would be the backlog again.
    await house.sql("DELETE FROM ops.job_queue WHERE job_type = 'ingest_csv' AND status IN ('pending', 'failed')")

    await house.start_bot()

    assert (await house.message(key, "CLEARED")).ts == reported.ts
    assert await house.sql("SELECT count(*) FROM chatops.incidents") == incidents
    assert "failed_jobs" in shown(await house.ask("silences"))


async def test_incidents_of_the_former_release_are_acknowledged_and_resolved_by_their_buttons(house: House) -> None:
    open_, acknowledged = [copy.deepcopy(await house.message(f"incident:{number}")) for number in (1, 2)]
    await house.start_bot()

    await house.click_as_shown(open_, button(open_, "Acknowledge"), ANN)
    await house.click_as_shown(acknowledged, button(acknowledged, "Resolve…"), ANN)
    await house.fill_in(ANN, answer="a bad import, taken back")

    assert (await house.message("incident:1", "ACKNOWLEDGED")).ts == open_.ts
    assert (await house.message("incident:2", "RESOLVED")).ts == acknowledged.ts


async def test_unsent_messages_of_the_former_release_are_sent_once_and_no_other_twice(house: House) -> None:
    before = Counter(key_of(one) for one in house.messages() if key_of(one))
    unsent = [key for (key,) in await house.sql("SELECT key FROM chatops.outbox WHERE sent_version = 0")]
    assert "incident:5" in unsent
    assert "incident:5" not in before

    await house.start_bot()
    await house.message("incident:5")
    await house.phone.wait_for()
    await house.until(
        "SELECT count(*) FROM chatops.outbox WHERE sent_version < content_version AND key LIKE 'incident:5%%' AND %s",
        0,
        True,
    )

    after = Counter(key_of(one) for one in house.messages() if key_of(one))
    assert {key: count for key, count in after.items() if count > 1} == {}
    assert before <= after
