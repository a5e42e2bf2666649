"""Policy rules for questions to the model: it is asked only in the hours and channels that they name."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.assistant.model import Model
from bot.commands.model_access import ModelAccess
from bot.config.environment import Settings
from bot.world import World
from services.domain.moments import WEEKDAYS
from services.domain.people import Person
from services.sandbox.slack import model
from tests.integration.bot.approvals.conftest import OLIVIA, RULES, MakeApprovalService

PERSON = Person(OLIVIA.user_id, OLIVIA.team_id)
RULE = f'{RULES}[[deny]]\nmay = "request"\nwho = ["*"]\nverbs = ["ask"]\n'


async def test_hours_and_channels_of_a_rule_about_questions_hold(make_approval_service: MakeApprovalService) -> None:
    today = datetime.now(UTC).weekday()
    now = f'hours = ["{WEEKDAYS[today]} 00:00-midnight", "{WEEKDAYS[(today + 1) % 7]} 00:00-midnight"]\n'
    another_day = f'hours = ["{WEEKDAYS[(today + 3) % 7]} 00:00-midnight"]\n'
    elsewhere = 'channels = ["C0ELSEWHERE"]\n'
    world = World.from_settings(
        Settings.from_environment(
            {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "OPENAI_API_KEY": "sk-of-the-tests-0123456789"}
        )
    )
    try:
        for rules, is_asked in (
            (RULES, True),
            (RULE + now, False),
            (RULE + another_day, True),
            (RULE + elsewhere, True),
        ):
            access = ModelAccess(world, make_approval_service(rules=rules), PERSON, model.INCIDENTS_ID)
            usable, why = await access.usable_model()
            assert isinstance(usable, Model) is is_asked, (rules, why)
            assert is_asked or "does not allow you to request `ask`" in why
    finally:
        await world.close()
