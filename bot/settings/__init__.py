"""The bot's environment: the only place that reads it."""

from bot.settings.faults import Fault, Invalid
from bot.settings.groups import (
    AlertSettings,
    ApiSettings,
    ChangeSettings,
    DatabaseSettings,
    HookSettings,
    IdentitySettings,
    OnCallSettings,
    PeopleSettings,
    PrivacySettings,
    RailwaySettings,
    SlackSettings,
    WebSettings,
)
from bot.settings.leases import LeaseSettings
from bot.settings.outage import OutageSettings
from bot.settings.paging import DEFAULT_TARGET, MailSettings, MonitorSettings, PagerSettings
from bot.settings.reading import Settings, require
from bot.settings.runs import RunSettings
from bot.settings.watching import WatchSettings

__all__ = [
    "DEFAULT_TARGET",
    "AlertSettings",
    "ApiSettings",
    "ChangeSettings",
    "DatabaseSettings",
    "Fault",
    "HookSettings",
    "IdentitySettings",
    "Invalid",
    "LeaseSettings",
    "MailSettings",
    "MonitorSettings",
    "OnCallSettings",
    "OutageSettings",
    "PagerSettings",
    "PeopleSettings",
    "PrivacySettings",
    "RailwaySettings",
    "RunSettings",
    "Settings",
    "SlackSettings",
    "WatchSettings",
    "WebSettings",
    "require",
]
