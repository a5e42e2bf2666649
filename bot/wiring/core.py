"""The dependencies that all parts of the bot share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.config.environment import Settings, require
from bot.slack_directory import Profiles
from bot.web.metrics import Metrics
from bot.world import World
from services.clients.postgres.pool import Database
from services.clients.slack import SlackClient


@dataclass(frozen=True)
class CoreWiring:
    """Shared dependencies of all parts. `owner`: name of this process in leases. `workspace`: returns our team id, None
    at first. `profiles`: cache of users' profiles."""

    settings: Settings
    world: World
    database: Database
    slack: SlackClient
    owner: str
    workspace: Callable[[], str | None]
    workspace_url: Callable[[], str | None]
    profiles: Profiles
    metrics: Metrics

    @property
    def channel(self) -> str:
        """The incidents channel, to which messages are posted."""
        return require(self.settings.slack).incidents_channel

    def slack_without_patience(self) -> SlackClient:
        """Make a Slack client for the outbox that does not wait at a 429, so that no message delays another."""
        given = require(self.settings.slack)
        return SlackClient(
            given.bot_token,
            api_url=given.api_url,
            patience=0,
            pace=self.slack.pace,
            closed=self.slack.closed,
            charts=self.slack.charts,
            origin=given.origin,
        )
