"""The message with the verdict of `verify`."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.views.verify import verify_answer
from playbooks.model import Finding, NextStep, Status
from playbooks.verify import Step
from services.sandbox.slack.limits import violations

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
FINE = Finding("sha.api", Status.OK, "api runs a1b2c3d4")
WRONG = Finding("heartbeats.ingest", Status.FAIL, "ingest is down (0 of 1)", next_step=NextStep("Logs", "logs ingest"))


def test_the_verdict_comes_first_then_the_steps_in_their_order() -> None:
    steps = [Step("Step 1: Git SHA", (FINE,)), Step("Step 3: worker heartbeats", (FINE, WRONG))]

    found = verify_answer(Status.FAIL, "NOT verified: everything; ingest is down (0 of 1)", steps, moment=NOW)

    assert found.blocks[0]["text"]["text"].startswith("🔴 *NOT verified")
    assert found.blocks[1]["text"]["text"].startswith("*Step 1: Git SHA*")
    assert found.blocks[2]["text"]["text"].splitlines()[1] == "🔴 wrong: *ingest is down (0 of 1)*"
    assert found.blocks[2]["accessory"]["value"] == "logs ingest"
    assert "ingest is down (0 of 1)" in found.text


def test_hundreds_of_long_findings_fit() -> None:
    steps = [Step("Step 1", (Finding("x", Status.FAIL, "<!channel>" * 9000, "y" * 50_000),) * 300)] * 3

    found = verify_answer(Status.FAIL, "z" * 9000, steps, moment=NOW)

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
