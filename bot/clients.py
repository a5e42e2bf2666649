"""Makes the clients of the sources from the settings, without opening a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.config.connections import ApiSettings, AssistantSettings, DatabaseSettings, RailwaySettings, SlackSettings
from bot.config.environment import Settings
from bot.config.fields import Invalid
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres.pool import Database
from services.clients.postgres.systems import read_system
from services.clients.railway.client import RailwayClient
from services.domain.systems import RUNBOOK

if TYPE_CHECKING:
    from services.clients.openai import OpenAIClient
    from services.clients.slack import SlackClient
    from services.clients.supabase import SupabaseClient

MODEL_TIMEOUT_S = 30.0  # per call; longer than the limit of a whole answer, which reports "the model took too long"


@dataclass(frozen=True)
class Clients:
    """One client per source; None if its settings are missing or malformed."""

    database: Database | None
    railway: RailwayClient | None
    api: DragonflyApi | None
    openai: OpenAIClient | None = None
    supabase: SupabaseClient | None = None


def connect(settings: Settings) -> Clients:
    """Make the clients; no connection is opened yet."""
    return Clients(_database(settings), _railway(settings), _api(settings), _openai(settings), _supabase(settings))


def open_slack(settings: SlackSettings) -> SlackClient:
    """Make a Slack client for the terminal. The SDK is imported here: its import takes longer than the bot's."""
    from services.clients.slack import SlackClient

    return SlackClient(settings.bot_token, api_url=settings.api_url, origin=settings.origin)


def why_missing(group: object) -> str:
    """The reason why a source has no client: the faults of its settings, with the names of the variables."""
    if not isinstance(group, Invalid):
        return "not connected"
    return f"not configured: {group.why}"


def _database(settings: Settings) -> Database | None:
    group = settings.database
    if not isinstance(group, DatabaseSettings):
        return None
    return Database.connect_lazily(
        group.url, application_name="dragonfly-bot", timeout_s=settings.source_timeout_s, recognize=read_system
    )


def _supabase(settings: Settings) -> SupabaseClient | None:
    """The client is imported here so that the terminal starts without it."""
    group = settings.supabase
    if isinstance(group, Invalid) or group.key is None or group.url is None:
        return None
    from services.clients.supabase import SupabaseClient

    return SupabaseClient(group.url, group.key)


def _railway(settings: Settings) -> RailwayClient | None:
    group = settings.railway
    if not isinstance(group, RailwaySettings):
        return None
    return RailwayClient(
        url=group.api_url,
        token=group.token,
        token_kind=group.token_kind,
        project_id=group.project_id,
        environment_id=group.environment_id,
        names=settings.operated.railway_names,
        timeout_s=settings.runs.call_timeout_s,
    )


def _api(settings: Settings) -> DragonflyApi | None:
    group = settings.api
    if not isinstance(group, ApiSettings):
        return None
    system = settings.operated.system or RUNBOOK  # until the database shows which system it is (`World.ask_api`)
    return DragonflyApi(group.base, group.api_key, system=system.name, timeout_s=settings.source_timeout_s)


def _openai(settings: Settings) -> OpenAIClient | None:
    group = settings.assistant
    if not isinstance(group, AssistantSettings) or group.api_key is None:
        return None
    from services.clients.openai import OpenAIClient

    return OpenAIClient(
        api_key=group.api_key,
        base_url=group.base_url,
        model=group.model,
        timeout_s=MODEL_TIMEOUT_S,
        max_retries=0,  # a whole answer has 20 s
    )
