"""Wires incidents: their store and service, the matching of answers to people, the weekly report, GitHub."""

from __future__ import annotations

from collections.abc import Callable

from bot.config.alerts import AlertRules
from bot.config.environment import Settings, require
from bot.config.fields import Invalid
from bot.incidents.answers import Accounts
from bot.incidents.service import IncidentService
from bot.incidents.store import IncidentStore, Place, WriteAlert, writes_nothing
from bot.incidents.todo_issues import TodoIssues
from bot.periodic_tasks import PeriodicTask
from bot.reports import CommitTimes, WeeklyReport
from bot.slack_directory import Groups, SlackNames
from bot.views.alerts import runbook_url
from bot.wake_ups import WakeUps
from bot.wiring.core import CoreWiring
from bot.wiring.people import approvers_of, responders, schedule_of
from bot.world import World
from services.clients.github import GitHubClient
from services.clients.pagers.pagerduty import PagerDutyApi
from services.clients.postgres.pool import Database
from services.domain.oncall import nobody_is_absent, zone_of


def make_incident_store(
    world: World,
    name_of: Callable[[str], str],
    wake_ups: WakeUps | None = None,
    write_alert: WriteAlert = writes_nothing,
    rules: Callable[[], AlertRules] | None = None,
) -> IncidentStore:
    """Make the incident store, which posts to the incidents channel. Without a usable on-call file it pages approvers.

    `name_of`: names for the ids of `called_by_id`. `rules`: returns the alert rules with the runbook links for pages.
    """
    settings = world.settings
    place = Place(
        environment=settings.environment or "environment unknown",
        channel=require(settings.slack).incidents_channel,
        schedule=schedule_of(world),
        approvers=approvers_of(world),
    )

    def runbook_of(rule: str) -> str | None:
        known = rules() if rules else None
        return runbook_url(known.rules.section(rule), known.runbook) if known else None

    return IncidentStore(place, wake_ups, write_alert, name_of, world.absent or nobody_is_absent, runbook_of)


def make_incident_service(
    world: World, database: Database, incident_store: IncidentStore, groups: Groups, names: SlackNames
) -> IncidentService:
    """Make the incident service. `groups` must include the groups of `responders`."""
    github = world.settings.github
    makes_issues = not isinstance(github, Invalid) and github.repo is not None
    return IncidentService(
        database,
        incident_store,
        groups,
        names,
        responders(world),
        makes_issues=makes_issues,
        audit_limit=world.audit_limit,
    )


def make_github(settings: Settings) -> GitHubClient | None:
    """Make the GitHub client; None without token or repository."""
    given = settings.github
    if isinstance(given, Invalid) or given.token is None or given.repo is None:
        return None
    return GitHubClient(given.repo, given.token, api_url=given.api_url)


def make_weekly_report(core_wiring: CoreWiring, wake_ups: WakeUps) -> list[PeriodicTask]:
    """Make the weekly report; empty if no time is set or the environment is unknown."""
    settings, environment = core_wiring.settings.reports, core_wiring.settings.environment
    if isinstance(settings, Invalid) or settings.weekly is None or environment is None:
        return []
    return [
        WeeklyReport(
            core_wiring.database,
            wake_ups,
            channel=core_wiring.channel,
            environment=environment,
            zone=zone_of(schedule_of(core_wiring.world)),
            at=settings.weekly,
        )
    ]


def make_accounts(core_wiring: CoreWiring) -> Accounts:
    """Accounts by which answers from outside Slack are matched to people."""
    hooks, mail = core_wiring.settings.hooks, core_wiring.settings.mail
    targets = {} if isinstance(mail, Invalid) else mail.targets
    token = None if isinstance(hooks, Invalid) else hooks.pagerduty_token
    return Accounts(
        emails={address.lower(): name for name, address in targets.items()},
        team=core_wiring.workspace,
        workspace_url=core_wiring.workspace_url,
        pagerduty=None if isinstance(hooks, Invalid) or token is None else PagerDutyApi(hooks.pagerduty_api, token),
    )


def make_github_tasks(
    core_wiring: CoreWiring, github: GitHubClient | None, incident_store: IncidentStore
) -> list[PeriodicTask]:
    """Make the tasks that use GitHub; empty without a client."""
    if github is None:
        return []
    workspace_url = core_wiring.workspace_url
    return [
        TodoIssues(core_wiring.database, incident_store, github, workspace_url=workspace_url),
        CommitTimes(core_wiring.database, github),
    ]
