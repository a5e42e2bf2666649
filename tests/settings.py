"""The environment variables that the bot, the API and the workers read, as their settings name them."""

from __future__ import annotations

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from bot.config import environment
from bot.config.fields import CALENDAR_URL, EMAIL, ROUTING_KEY, WEBHOOK_URL, Group
from services.api.settings import ApiSettings
from services.enforcement_worker.__main__ import EnforcementSettings
from services.ingest_worker.handler import IngestSettings


def variables() -> dict[str, list[object]]:
    """Return `{variable: its default in each process that reads it}`."""
    groups = [group for group in vars(environment).values() if isinstance(group, type) and issubclass(group, Group)]
    found: dict[str, list[object]] = {name: [] for name in (WEBHOOK_URL, ROUTING_KEY, EMAIL, CALENDAR_URL)}
    for group in groups:
        for field in group.model_fields.values():
            for name in _aliases(field):
                found.setdefault(name, []).append(field.default)
    for settings in (ApiSettings, EnforcementSettings, IngestSettings):
        for name, field in settings.model_fields.items():
            found.setdefault(name.upper(), []).append(field.default)
    return found


def _aliases(field: FieldInfo) -> list[str]:
    match field.validation_alias:
        case AliasChoices(choices=choices):
            return [str(choice) for choice in choices]
        case str() as alias:
            return [alias]
        case _:
            return []
