"""What changes need, wired together: the desk where they are asked for, and the runner that carries them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from bot.approvals.calling import Calling
from bot.approvals.decide import target_of
from bot.approvals.desk import Desk
from bot.approvals.emergency_notices import EmergencyNotices
from bot.approvals.expiry import Expiry
from bot.approvals.groups import Groups, Profiles
from bot.approvals.lone_starts import LoneStarts
from bot.approvals.policy import Policy, is_group
from bot.approvals.policy_file import load_policy
from bot.approvals.reminders import Reminders
from bot.approvals.rights import approver_ids
from bot.facts import World
from bot.facts.plans import PLANS
from bot.incidents.slack_names import SlackNames
from bot.incidents.wiring import called_by_id, responders
from bot.leading import Part
from bot.runs.carrying import Gear
from bot.runs.runner import Runner
from bot.runs.telling import Teller
from bot.settings import Invalid, Settings
from bot.views.run import Content, run_message
from services.domain.errors import SourceError
from services.domain.oncall import Schedule
from services.domain.records import Record
from services.domain.runs import Run
from services.postgres.pool import Database
from services.slack.client import SlackClient

POLL_S = 5.0  # a countdown of 60 s ends at most this late while nothing rings


class Changing:
    """One for the process. `workspace` gives our team id, `told` wakes the sender of messages, should it be here.

    `hears`: whether `ring` is called when anything happens to a run. `poll_s`: how often to look for what no notice
    told of. `leading` is the leader's part of it.
    """

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
        profiles: Profiles | None = None,
        told: Callable[[], None] = lambda: None,
        hears: Callable[[], bool] = lambda: False,
        poll_s: Callable[[], float] = lambda: POLL_S,
    ) -> None:
        self._policy = load_policy(settings.people)
        named = self._policy.groups if isinstance(self._policy, Policy) else ()
        asked = {*named, *filter(is_group, responders(world))}
        users = (one for one in responders(world) if not is_group(one))
        self.groups = Groups(slack, asked, workspace=workspace, profiles=profiles, users=users)
        self.names = SlackNames(slack, called_by_id(world))
        in_file = world.name_of
        world.absent = self.groups.absent
        world.name_of = lambda slack_id: self.names.known(slack_id) or in_file(slack_id)
        teller = Teller(self._say, told)
        schedule = world.schedule if isinstance(world.schedule, Schedule) else None
        calling = Calling.of(settings.changing, schedule)
        self.desk = Desk(
            database,
            self._policy,
            self.groups,
            teller,
            channel=channel,
            calling=calling,
            notices=EmergencyNotices(slack, channel=channel),
        )
        self.leading: list[Part] = [
            Expiry(database, teller),
            Reminders(database, teller, approvers=self._approvers),
        ]
        self._lone_starts: LoneStarts | None = None
        if isinstance(self._policy, Policy):
            self._lone_starts = LoneStarts(database, self._policy, self.groups, teller, poll_s=poll_s)
            self.leading.append(self._lone_starts)
        gear = Gear(database, world, PLANS, teller, settings.runs)
        self.runner = Runner(gear, owner=owner, hears=hears)
        self._working: list[asyncio.Task[None]] = []

    def ring(self) -> None:
        """Something happened to a run."""
        self.runner.ring()
        if self._lone_starts is not None:
            self._lone_starts.ring()

    def start(self) -> None:
        """Carry runs out, and keep in mind who is in which group and what they are called; every replica does."""
        working = (self.runner.run(), self.groups.keep(), self.names.run())
        self._working = [asyncio.create_task(one) for one in working]

    async def stop(self) -> None:
        """Take no new run, hand those under way over to other replicas, and give up what is still asked of Slack."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.runner.hand_over()
        await self.desk.aclose()
        await self.groups.aclose()

    def _say(self, record: Record, head: str | None) -> Content:
        return run_message(record, approvers=self._approvers(record.run), audit_head=head)

    def _approvers(self, run: Run) -> Sequence[str]:
        """Those of our own policy."""
        return approver_ids(target_of(run), self._policy) if isinstance(self._policy, Policy) else ()


@asynccontextmanager
async def changing_of_terminal(settings: Settings, world: World) -> AsyncIterator[Changing | None]:
    """With a desk that files for others to decide in Slack; None when database or Slack are not configured, or Slack is
    silent: nobody could approve anything there."""
    if world.database is None or isinstance(settings.slack, Invalid):
        yield None
        return
    slack = SlackClient(settings.slack.bot_token, api_url=settings.slack.api_url)
    team_id = await _team_id(slack)
    if team_id is None:
        await slack.aclose()
        yield None
        return
    changing = Changing(
        settings,
        world,
        world.database,
        slack,
        channel=settings.slack.incidents_channel,
        owner="terminal",
        workspace=lambda: team_id,
    )
    try:
        yield changing
    finally:
        await changing.stop()
        await slack.aclose()


async def _team_id(slack: SlackClient) -> str | None:
    """None while Slack does not answer."""
    try:
        return (await slack.identify()).team_id
    except SourceError:
        return None
