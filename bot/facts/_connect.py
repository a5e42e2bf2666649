"""Makes the clients for which the settings are complete."""

from __future__ import annotations

from dataclasses import dataclass

from bot.settings import ApiSettings, DatabaseSettings, Invalid, RailwaySettings, Settings
from services.dragonfly_api.client import DragonflyApi
from services.postgres.pool import Database
from services.railway.client import RailwayClient


@dataclass(frozen=True)
class Clients:
    """One client a source; None where its settings are missing or malformed."""

    database: Database | None
    railway: RailwayClient | None
    api: DragonflyApi | None


def connect(settings: Settings) -> Clients:
    """Make the clients; none of them opens a connection yet."""
    return Clients(_database(settings), _railway(settings), _api(settings))


def why_missing(group: object) -> str:
    """Why a source has no client: its settings' faults, by the names of the variables."""
    if not isinstance(group, Invalid):
        return "not connected"
    return f"not configured: {group.why}"


def _database(settings: Settings) -> Database | None:
    group = settings.database
    if not isinstance(group, DatabaseSettings):
        return None
    return Database.connect_lazily(group.url, application_name="dragonfly-bot", timeout_s=settings.source_timeout_s)


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
        timeout_s=settings.runs.call_timeout_s,
    )


def _api(settings: Settings) -> DragonflyApi | None:
    group = settings.api
    if not isinstance(group, ApiSettings):
        return None
    return DragonflyApi(group.base, group.api_key, timeout_s=settings.source_timeout_s)
