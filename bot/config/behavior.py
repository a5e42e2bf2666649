"""Variables of the bot's behavior: the operated system, permissions, alerts, changes, and what it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from bot.config.fields import EnvironmentName, Group, Ids, SecretValue, Url, check_strength
from services.clients.postgres.queries import SQL_DIRECTORY
from services.domain.jobs import BEAT_EVERY, MISSED
from services.domain.secrets import Secret
from services.domain.services import Service, WorkerType
from services.domain.systems import SYSTEMS, System, find_system
from services.domain.thresholds import STALE_AFTER, StaleLimits

_SLACK_ID = re.compile(r"[UWS][A-Z0-9]{2,}\Z")


class AlertSettings(Group):
    """The age at which a heartbeat is stale. `rules_path`: the file with the other limits, None for the default.

    A worker type without a limit of its own has the general one.
    """

    stale_after_s: float = Field(
        STALE_AFTER.total_seconds(), validation_alias="HEARTBEAT_STALE_AFTER_S", gt=0, le=86_400
    )
    stale_after_ingest_s: float | None = Field(None, validation_alias="HEARTBEAT_STALE_AFTER_S_INGEST", le=86_400)
    stale_after_enforcement_s: float | None = Field(
        None, validation_alias="HEARTBEAT_STALE_AFTER_S_ENFORCEMENT", le=86_400
    )
    stale_after_simplicity_s: float | None = Field(
        None, validation_alias="HEARTBEAT_STALE_AFTER_S_SIMPLICITY", le=86_400
    )
    rules_path: Path | None = Field(None, validation_alias="DRAGONFLY_ALERTS")

    @field_validator("stale_after_ingest_s", "stale_after_enforcement_s", "stale_after_simplicity_s")
    @classmethod
    def _check_beats(cls, value: float | None) -> float | None:
        if value is not None and value < MISSED.total_seconds():
            least, every = MISSED.total_seconds(), BEAT_EVERY.total_seconds()
            raise ValueError(f"is less than {least:.0f} s: workers send a heartbeat every {every:.0f} s")
        return value

    @property
    def stale_after(self) -> StaleLimits:
        own = {
            WorkerType.INGEST: self.stale_after_ingest_s,
            WorkerType.ENFORCEMENT: self.stale_after_enforcement_s,
            WorkerType.SIMPLICITY: self.stale_after_simplicity_s,
        }
        by_type: dict[str, timedelta] = {
            kind: timedelta(seconds=limit) for kind, limit in own.items() if limit is not None
        }
        return StaleLimits(timedelta(seconds=self.stale_after_s), by_type)


class ChangeSettings(Group):
    """The settings of changes. `connection_limit`: the pooler's, which no query can show.

    `alone_after_s`: how long approvers may stay silent in an incident before emergency self-approval.
    `alone_countdown_s`: the time for a veto afterwards.

    `run_steps_keep_days`: counted from the end of their run; None keeps them forever.

    `golden_path_in_prod`: permits it in prod even if the uploaded rows stay there, because the operated system removes
    none.

    `promotion_secret`: signs proofs for another environment's bot; None: no commit is promoted.

    `sql_directory`: has `migrations/` and `rollbacks/`; with another folder than ours, a rollback can be prepared
    without a new build.
    """

    soak_s: int = Field(120, validation_alias="SOAK_SECONDS", ge=1, le=3600)  # the runbook's two minutes
    alone_after_s: int = Field(180, validation_alias="ALONE_AFTER_SECONDS", ge=1, le=3600)  # 3 minutes
    alone_countdown_s: int = Field(60, validation_alias="ALONE_COUNTDOWN_SECONDS", ge=1, le=3600)
    run_steps_keep_days: int | None = Field(None, validation_alias="RUN_STEPS_KEEP_DAYS", ge=365, le=36_500)
    connection_limit: int | None = Field(None, validation_alias="DATABASE_CONNECTION_LIMIT", ge=1, le=100_000)
    golden_path_in_prod: bool = Field(False, validation_alias="GOLDEN_PATH_IN_PROD")
    promotion_secret: SecretValue | None = Field(None, validation_alias="PROMOTION_SECRET")
    sql_directory: Path = Field(SQL_DIRECTORY, validation_alias="DRAGONFLY_SQL")

    @field_validator("promotion_secret")
    @classmethod
    def _check_promotion_secret(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            check_strength(value)
        return value

    @field_validator("sql_directory")
    @classmethod
    def _check_folder(cls, value: Path) -> Path:
        if not (value / "migrations").is_dir():
            raise ValueError("names no folder with migrations/")
        return value

    @property
    def migrations(self) -> Path:
        return self.sql_directory / "migrations"

    @property
    def rollbacks(self) -> Path:
        return self.sql_directory / "rollbacks"


class PeopleSettings(Group):
    """Slack ids of users or user groups. Empty allows no one. `policy_path`: the policy file, None for the default."""

    operators: Ids = Field((), validation_alias="DRAGONFLY_OPERATORS")
    approvers: Ids = Field((), validation_alias="DRAGONFLY_APPROVERS")
    policy_path: Path | None = Field(None, validation_alias="DRAGONFLY_POLICY")

    @field_validator("operators", "approvers")
    @classmethod
    def _check_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = sum(_SLACK_ID.match(part) is None for part in value)
        if wrong:
            raise ValueError(f"holds {wrong} of {len(value)} entries that are not Slack ids")
        return value


class IdentitySettings(Group):
    """The environment of this bot, and the commit that it runs. `supabase_url` is for links to its dashboard."""

    environment: EnvironmentName = Field(validation_alias="ENVIRONMENT")
    supabase_mode: EnvironmentName = Field(validation_alias="SUPABASE_MODE")
    git_sha: str | None = Field(None, validation_alias="RAILWAY_GIT_COMMIT_SHA")
    railway_service: str | None = Field(None, validation_alias="RAILWAY_SERVICE_NAME")
    supabase_url: str | None = Field(None, validation_alias="SUPABASE_URL")


class SystemSettings(Group):
    """The operated system; None: the one that the database shows. `simplicity`: its fourth service's Railway name."""

    name: str | None = Field(None, validation_alias="OPERATED_SYSTEM")
    simplicity: str | None = Field(None, validation_alias="RAILWAY_SERVICE_SIMPLICITY", max_length=100)

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        if value is not None and find_system(value) is None:
            raise ValueError(f"is not {' or '.join(system.name for system in SYSTEMS)}")
        return value

    @property
    def railway_names(self) -> dict[str, str]:
        """`{Railway's name: our name}` of services that have another name there."""
        return {self.simplicity: Service.SIMPLICITY.value} if self.simplicity else {}

    @property
    def system(self) -> System | None:
        found = find_system(self.name) if self.name else None
        return self.named(found) if found else None

    def named(self, system: System) -> System:
        """The system with its services' names in Railway."""
        return system.renamed({"simplicity": self.simplicity}) if self.simplicity else system


class WebSettings(Group):
    """The port of /healthz, /metrics and /slack/events. 0: the operating system picks one."""

    port: int = Field(8080, validation_alias="PORT", ge=0, le=65_535)


class PrivacySettings(Group):
    """The masking of log lines and errors for their requester (docs/adr/0010)."""

    log_privacy: Literal["strict", "balanced"] = Field("balanced", validation_alias="LOG_PRIVACY")


class LogSettings(Group):
    """The format of the bot's own log."""

    log_format: Literal["plain", "json"] = Field("plain", validation_alias="LOG_FORMAT")


class TraceSettings(Group):
    """The OTLP collector (HTTP) that spans are sent to; None: no spans are recorded."""

    endpoint: Url | None = Field(None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class WeeklyTime:
    """A weekly moment by a wall clock. `weekday`: 0 is Monday."""

    weekday: int
    clock: time


def _weekly_time(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([a-z]{3})[a-z]* ([01]\d|2[0-3]):([0-5]\d)", value.strip().lower())
    if found is None or found[1] not in _WEEKDAYS:
        raise ValueError("is not a weekday and a time of day")
    return WeeklyTime(_WEEKDAYS.index(found[1]), time(int(found[2]), int(found[3])))


class ReportSettings(Group):
    """`weekly`: when last week's report is posted, by the first rotation's clock; None: never."""

    model_config = ConfigDict(**(Group.model_config | {"arbitrary_types_allowed": True}))

    weekly: Annotated[WeeklyTime | None, BeforeValidator(_weekly_time)] = Field(None, validation_alias="WEEKLY_REPORT")
