"""The answer of `check-config`, which only the requester sees."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

from bot.cli import dispatch
from bot.commands.check_config import check_config_answer
from bot.config.environment import Settings
from bot.config.fields import Group as SettingsGroup
from bot.config.fields import Invalid
from playbooks import check_config
from playbooks.check_config import Facts
from playbooks.checks.settings import DISABLED_BY, Group
from playbooks.model import Status
from services.domain.errors import Unavailable
from services.domain.systems import RUNBOOK
from services.sandbox.slack.limits import violations

FAULT = "RAILWAY_TOKEN is not set: make a project token in Railway's project settings"


def facts(*faults: str) -> Facts:
    groups = [Group(name, faults) for name in DISABLED_BY]
    return Facts(
        groups,
        operators=(),
        approvers=("U1", "U2"),
        sources={},
        drift=Unavailable("database", "not configured"),
        gaps={},
        outside_targets=0,
        is_monitored=False,
        system=RUNBOOK,
        now=datetime(2026, 1, 5, tzinfo=UTC),
    )


async def test_check_config_names_each_malformed_setting() -> None:
    """A group that no check knew was not reported: `LOG_PRIVACY=loud` meant strict, and the answer was OK."""
    wrong = {"LOG_PRIVACY": "loud", "LOG_FORMAT": "xml", "OTEL_EXPORTER_OTLP_ENDPOINT": "x", "GITHUB_REPO": "x"}
    answer = await dispatch(["check-config"], wrong)

    assert [name for name in wrong if name not in answer.text] == []
    settings = Settings.from_environment({})
    groups = {one.name for one in fields(Settings) if isinstance(getattr(settings, one.name), SettingsGroup | Invalid)}
    assert groups <= set(DISABLED_BY)


def test_reports_what_is_missing_and_what_is_disabled_by_it_to_the_requester_alone() -> None:
    found = check_config_answer(check_config.check(facts(FAULT)))

    assert found.private
    assert found.status is Status.FAIL
    assert "RAILWAY_TOKEN is not set" in str(found.blocks)
    assert "disabled: deployments, logs, env" in str(found.blocks)


def test_every_group_at_its_worst_fits() -> None:
    found = check_config_answer(check_config.check(facts(*[FAULT * 20] * 20)))

    assert not violations({"text": found.text, "blocks": list(found.blocks)}, surface="message")
