"""The environment variables that the API and the workers have in common, read once at the start."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from typing import Literal, TypeVar

from pydantic import SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.domain.outside_text import clean_text
from services.domain.own_secrets import remember_secrets
from services.domain.secrets import Secret
from services.domain.sha import short_sha
from services.process.log import LogFormat

EXIT_MISCONFIGURED = 2

_DSN = re.compile(r"(postgres|postgresql)://[^\s]+")


class ProcessSettings(BaseSettings):
    """Only `SUPABASE_DB_URL` and `ENVIRONMENT` are needed. An empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    environment: Literal["dev", "staging", "prod"]
    supabase_db_url: SecretStr
    railway_git_commit_sha: str | None = None
    railway_replica_id: str | None = None
    log_format: LogFormat = "plain"

    @field_validator("supabase_db_url")
    @classmethod
    def _is_postgres_url(cls, value: SecretStr) -> SecretStr:
        if not _DSN.fullmatch(value.get_secret_value()):
            raise ValueError("must look like postgresql://user:password@host:port/database")
        return value

    @field_validator("railway_git_commit_sha", "railway_replica_id")
    @classmethod
    def _can_be_stored(cls, value: str | None) -> str | None:
        """They go into rows: a byte of the environment that is no UTF-8 comes as half a character."""
        return value and clean_text(value)

    @property
    def dsn(self) -> Secret:
        return Secret(self.supabase_db_url.get_secret_value())

    @property
    def git_sha(self) -> str:
        """The first 8 characters of the deployed commit, or "unknown"."""
        return short_sha(self.railway_git_commit_sha)

    @property
    def python_version(self) -> str:
        return platform.python_version()


SettingsType = TypeVar("SettingsType", bound=ProcessSettings)


def read_or_exit(settings_class: type[SettingsType]) -> SettingsType:
    """The settings, or the end of the process with every fault on stderr: one failed deploy, not several."""
    try:
        settings = settings_class()
    except ValidationError as error:
        sys.stderr.write(describe_faults(error) + "\n")
        raise SystemExit(EXIT_MISCONFIGURED) from None
    remember_secrets("process", _secrets_of(settings))
    return settings


def _secrets_of(settings: ProcessSettings) -> Iterator[Secret]:
    """Each secret of the environment; of several in one variable, each."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield from (Secret(part.strip()) for part in value.get_secret_value().split(","))


def describe_faults(error: ValidationError) -> str:
    """What is wrong with the environment, one line a variable, without any value."""
    lines = [f"  {'.'.join(map(str, fault['loc'])).upper()}: {_problem(fault)}" for fault in error.errors()]
    first = "CRITICAL: cannot start, the environment is incomplete or malformed:"
    return "\n".join([first, *lines, "Set these variables on the Railway service and deploy again."])


def _problem(fault: ErrorDetails) -> str:
    if fault["type"] == "missing":
        return "is not set"
    return fault["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
