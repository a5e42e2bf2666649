"""`check-config`: checks that the bot's own settings are complete and that its sources answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.approvals.coverage import find_gaps
from bot.clients import open_slack
from bot.commands.arguments import no_more
from bot.config.alerts_file import load_rules
from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.config.policy_file import load_policy
from bot.facts.oncall import read_absent
from bot.facts.preflight import groups_of, names_of
from bot.people import People
from bot.slack_directory import Groups
from bot.types import Answer, Request
from bot.views.findings import findings_answer
from bot.world import World
from playbooks import check_config
from playbooks.checks.oncall import Targets
from playbooks.model import Finding
from services.clients.postgres.drift import read_drift
from services.clients.postgres.messages import list_undeliverable
from services.clients.postgres.oncall_changes import list_oncall_groups
from services.clients.railway.client import RailwayClient
from services.domain.errors import Unavailable
from services.domain.oncall import Schedule
from services.domain.services import Service

REFUSED_SHOWN = 10  # messages that Slack refused for good in the last 24 h


async def read_gaps(settings: Settings, services: Sequence[Service]) -> dict[str, str | Unavailable | None] | Invalid:
    """`{change: why no one can complete it}`, as `find_gaps` returns it; the policy's fault if it is unusable."""
    policy = load_policy(settings.people)
    if isinstance(policy, Invalid):
        return policy
    return find_gaps(
        policy, await _read_people(policy, settings), settings.environment or "", services, datetime.now(UTC)
    )


async def _read_people(policy: Policy, settings: Settings) -> People:
    """Read the members of the policy's groups from Slack. Reads nothing without Slack settings or without groups."""
    if isinstance(settings.slack, Invalid) or not policy.groups:
        return People(workspace=None)
    slack = open_slack(settings.slack)
    groups = Groups(slack, policy.groups, workspace=lambda: None, timeout_s=settings.source_timeout_s)
    try:
        return await groups.people()
    finally:
        await groups.aclose()
        await slack.aclose()


async def gather_config(world: World) -> check_config.Facts:
    """Gather the facts. Sources without settings are left out: the finding about their settings is enough."""
    async with asyncio.TaskGroup() as group:
        drift = group.create_task(world.read(read_drift))
        environment = group.create_task(world.ask_railway(RailwayClient.read_environment_name))
        health = group.create_task(world.api_health())
        server = group.create_task(world.server())
        policy = group.create_task(read_gaps(world.settings, world.system.services))
        absent = group.create_task(read_absent(world))
        channel = group.create_task(world.channel_problem())
        follows = isinstance(world.schedule, Schedule) and world.schedule.user_groups
        groups = group.create_task(_read_refused_groups(world)) if follows else None
        refused = group.create_task(world.read(list_undeliverable, window=timedelta(days=1), limit=REFUSED_SHOWN))
    asked = {
        "database": (world.database, server.result()),
        "Railway": (world.railway, environment.result()),
        "API": (world.api, health.result()),
    }
    answers = {name: answer for name, (client, answer) in asked.items() if client is not None}
    assistant = world.settings.assistant
    people, gaps, schedule = world.settings.people, policy.result(), world.schedule
    rules = load_rules(world.settings.alerts)
    files = (gaps, schedule, rules)
    unusable = [one for one in files if isinstance(one, Invalid) and one not in world.settings.invalid]
    return check_config.Facts(
        groups=groups_of(*world.settings.invalid, *unusable),
        operators=None if isinstance(people, Invalid) else people.operators,
        approvers=None if isinstance(people, Invalid) else people.approvers,
        sources={name: answer if isinstance(answer, Unavailable) else None for name, answer in answers.items()},
        drift=drift.result(),
        gaps={} if isinstance(gaps, Invalid) else gaps,
        outside_targets=world.settings.outside_targets,
        is_monitored=not isinstance(world.settings.monitor, Invalid) and world.settings.monitor.url is not None,
        schedule=None if isinstance(schedule, Invalid) else schedule,
        absent=absent.result(),
        calendars=tuple(world.calendars.values()),
        user_groups=groups.result() if groups else (),
        targets=Targets(names_of(world.settings.pager), names_of(world.settings.mail)),
        channel_problem=channel.result(),
        refused=refused.result(),
        stale_after=world.settings.stale_after,
        model=None if isinstance(assistant, Invalid) or assistant.api_key is None else assistant.model,
        system_problem=world.database.system_problem if world.database else None,
        system=world.system,
        now=datetime.now(UTC),
    )


async def _read_refused_groups(world: World) -> list[tuple[str, str]] | Unavailable:
    """`[(group id, reason)]` of the user groups that do not follow their rotation."""
    stored = await world.read(list_oncall_groups)
    if isinstance(stored, Unavailable) or not isinstance(world.schedule, Schedule):
        return stored if isinstance(stored, Unavailable) else []
    followed = world.schedule.user_groups
    return [(one.group_id, one.problem) for one in stored if one.problem and one.group_id in followed]


def check_config_answer(findings: Sequence[Finding]) -> Answer:
    """Show names of variables, never values; private, because it shows what is not protected."""
    return findings_answer("settings of the bot", findings, private=True)


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    return check_config_answer(check_config.check(await gather_config(world)))
