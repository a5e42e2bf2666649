"""Wires requests, approvals and runs, for the bot's process and for a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager

from bot.approvals.access import approver_ids
from bot.approvals.approver_pages import ApproverPaging
from bot.approvals.reminders import Expiry, Reminders, ScheduledRuns
from bot.approvals.rules import target_of
from bot.approvals.self_approval import SelfApprovals
from bot.approvals.service import ApprovalService
from bot.commands.request_change import PLANS
from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.config.policy_file import load_policy
from bot.loops import keep_running
from bot.periodic_tasks import PeriodicTask
from bot.runs.emergency_stop import EmergencyNotices
from bot.runs.engine import Dependencies
from bot.runs.message import RunMessageWriter
from bot.runs.runner import Runner
from bot.slack_directory import Groups, Profiles, SlackNames, readable_name
from bot.views.run import Content, run_message
from bot.wake_ups import WakeUps
from bot.wiring.core import CoreWiring
from bot.wiring.people import called_by_id, responders
from bot.world import World
from services.clients.postgres.pool import Database
from services.clients.slack import SlackClient
from services.domain.errors import SourceError
from services.domain.oncall import Schedule, is_group
from services.domain.runs import Record, Run


class ChangeWiring:
    """Requests, approvals and runs; one per process. `workspace` returns our team id. `leader_tasks`: leader only."""

    def __init__(
        self,
        settings: Settings,
        world: World,
        database: Database,
        slack: SlackClient,
        *,
        channel: str,
        owner: str,
        workspace: Callable[[], str | None],
        wake_ups: WakeUps,
        profiles: Profiles | None = None,
    ) -> None:
        policy = load_policy(settings.people)
        named = policy.groups if isinstance(policy, Policy) else ()
        asked = {*named, *filter(is_group, responders(world))}
        users = (one for one in responders(world) if not is_group(one))
        self.groups = Groups(slack, asked, workspace=workspace, profiles=profiles, users=users)
        self.names = SlackNames(slack, called_by_id(world))
        in_file = world.name_of
        world.absent, world.unreachable = self.groups.absent, self.groups.unreachable
        world.name_of = lambda slack_id: self.names.known(slack_id) or readable_name(slack_id, in_file(slack_id))
        message_writer = RunMessageWriter(self._run_message, wake_ups)
        schedule = world.schedule if isinstance(world.schedule, Schedule) else None
        approver_paging = ApproverPaging.of(settings.changing, schedule)
        self.approval_service = ApprovalService(
            database,
            policy,
            self.groups,
            message_writer,
            channel=channel,
            approver_paging=approver_paging,
            notices=EmergencyNotices(slack, channel=channel),
            audit_limit=world.audit_limit,
        )
        self.leader_tasks: list[PeriodicTask] = [
            Expiry(database, message_writer),
            ScheduledRuns(database, message_writer, approvers=self._approvers),
            Reminders(database, message_writer, approvers=self._approvers),
            SelfApprovals(database, lambda: self.approval_service.policy, self.groups, message_writer),
        ]
        dependencies = Dependencies(
            database, world, PLANS, message_writer, settings.runs, self.approval_service.why_revoked
        )
        self.runner = Runner(dependencies, owner=owner)
        self._working: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start executing runs and refreshing groups and names; on every replica."""
        self._working = keep_running(self.runner.run, self.groups.keep, self.names.run)

    async def stop(self) -> None:
        """Take no new run, hand over running ones to other replicas, and cancel pending look-ups in Slack."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.runner.hand_over()
        await self.approval_service.aclose()
        await self.groups.aclose()

    @property
    def policy_groups(self) -> Collection[str] | None:
        """User groups in the current policy; None if there is no usable policy."""
        policy = self.approval_service.policy
        return policy.groups if isinstance(policy, Policy) else None

    def _run_message(self, record: Record, head: str | None) -> Content:
        return run_message(record, approvers=self._approvers(record.run), audit_head=head)

    def _approvers(self, run: Run) -> Sequence[str]:
        """Ids of the approvers of the run, by the current policy."""
        policy = self.approval_service.policy
        return approver_ids(target_of(run), policy) if isinstance(policy, Policy) else ()

    def follow_policy(self, policy: Policy) -> None:
        """Use this policy for all requests, approvals and starts from now on."""
        self.approval_service.policy = policy
        self.groups.watch(policy.groups)


@asynccontextmanager
async def change_wiring_of_terminal(settings: Settings, world: World) -> AsyncIterator[ChangeWiring | None]:
    """Wire the approval service for a terminal; others decide on its requests in Slack.

    None if the database or Slack is not configured, or if Slack does not answer: then nothing can be approved.
    """
    if world.database is None or isinstance(settings.slack, Invalid):
        yield None
        return
    slack = SlackClient(settings.slack.bot_token, api_url=settings.slack.api_url, origin=settings.slack.origin)
    team_id = await _team_id(slack)
    if team_id is None:
        await slack.aclose()
        yield None
        return
    changing = ChangeWiring(
        settings,
        world,
        world.database,
        slack,
        channel=settings.slack.incidents_channel,
        owner="terminal",
        workspace=lambda: team_id,
        wake_ups=WakeUps(),
    )
    try:
        yield changing
    finally:
        await changing.stop()
        await slack.aclose()


async def _team_id(slack: SlackClient) -> str | None:
    """The team id; None if Slack does not answer."""
    try:
        return (await slack.identify()).team_id
    except SourceError:
        return None


def make_change_wiring(core_wiring: CoreWiring, wake_ups: WakeUps) -> ChangeWiring:
    return ChangeWiring(
        core_wiring.settings,
        core_wiring.world,
        core_wiring.database,
        core_wiring.slack,
        channel=core_wiring.channel,
        owner=core_wiring.owner,
        workspace=core_wiring.workspace,
        wake_ups=wake_ups,
        profiles=core_wiring.profiles,
    )
