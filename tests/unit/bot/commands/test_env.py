"""The answer of `env`, which only the requester sees."""

from __future__ import annotations

from bot.commands.env import env_answer
from playbooks.model import Finding, Status
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations

FINE = Finding("env.api.ENVIRONMENT", Status.OK, "ENVIRONMENT is present")
MISSING = Finding("env.api.SUPABASE_URL", Status.FAIL, "SUPABASE_URL is missing", "or sealed in Railway")
LINK = "https://railway.com/project/p/service/s"


def test_only_the_requester_sees_it() -> None:
    assert env_answer({Service.API: [FINE]}, {}).private


def test_env_answer_counts_and_shows_problems_first() -> None:
    found = env_answer({Service.INGEST: [FINE], Service.API: [FINE, MISSING]}, {Service.API: LINK})

    first, service, problem, *_ = found.text.splitlines()
    assert first.startswith("🔴")
    assert "api 1*" in first
    assert service == "*api*"
    assert "🔴 wrong: *SUPABASE_URL" in problem
    assert found.blocks[3]["elements"][0]["url"] == LINK
    assert found.status is Status.FAIL


def test_env_answer_is_one_line_when_all_is_fine() -> None:
    assert env_answer({Service.API: [FINE]}, {}).text.splitlines()[0] == "✅ *The variables of api are fine*"


def test_all_services_at_their_worst_fit() -> None:
    found = env_answer(dict.fromkeys(RUNBOOK.services, [MISSING] * 40), dict.fromkeys(RUNBOOK.services, LINK))

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
