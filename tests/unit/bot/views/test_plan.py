"""A dry run shows the whole plan, and no text in it is parsed as markup."""

import json
from dataclasses import replace

from bot.views.plan import dry_run_answer, no_plan_answer
from playbooks.model import NextStep, NoPlan, Risk, Status
from playbooks.plan import Plan
from playbooks.steps import LockService, ScaleService
from services.domain.services import Service
from services.sandbox.slack.limits import violations

HOSTILE = "<!channel> `x` <https://evil|good> " + "y" * 5000


PLAN = Plan(
    environment="prod",
    playbook="scale",
    parameters={"service": "ingest", "to": "2"},
    steps=(ScaleService(Service.INGEST, 1, 2),),
    risk=Risk.LOW,
    title="Scale ingest: 1 → 2",
    impact=("318 jobs are waiting",),
    warnings=("the queue could not be read",),
    undo="scale ingest 1",
)


def test_a_dry_run_shows_all_of_the_plan() -> None:
    answer = dry_run_answer(PLAN, "scale ingest 2")

    shown = json.dumps(answer.blocks, ensure_ascii=False)
    assert answer.text.startswith("📝 *DRY RUN* · prod · *Scale ingest: 1 → 2*")
    for part in ("318 jobs are waiting", "the queue could not be read", "scale ingest 1", "1. Set ingest from 1 to 2"):
        assert part in shown
    assert "nothing was done" in shown


def test_slack_takes_a_hostile_plan_with_sixty_steps() -> None:
    steps = tuple(LockService(Service.API, HOSTILE) for _ in range(60))
    plan = replace(PLAN, title=HOSTILE, impact=(HOSTILE,) * 9, warnings=(HOSTILE,) * 9, undo=HOSTILE, steps=steps)

    answer = dry_run_answer(plan, "scale ingest 2")

    payload = {"channel": "C1", "text": answer.text, "blocks": list(answer.blocks)}
    assert list(violations(payload, surface="message", method="chat.update")) == []
    assert "<!channel>" not in json.dumps(payload)


def test_no_plan_leads_with_what_to_do_instead() -> None:
    answer = no_plan_answer(NoPlan("ingest has 2 replicas already", "nothing to do", (NextStep("Look", "health"),)))

    assert answer.private
    assert answer.status is Status.FAIL
    assert "ingest has 2 replicas already" in answer.text
    assert answer.blocks[1]["elements"][0]["value"] == "health"
