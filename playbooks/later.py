"""Changes that are approved now and start at a time of their own: how a plan says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from playbooks.freeze import EXCEPTED, EXCEPTION
from services.domain.promotion import PROOF

AT = "at"  # the parameter with the moment, ISO 8601 in UTC: part of what is approved
OPTIONS = frozenset({AT, EXCEPTION, PROOF})  # parameters of which a former release takes no run
LONGEST = timedelta(days=7)  # what was planned longer ago is no plan any more


def write_start(moment: datetime) -> str:
    """The parameter's text, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def start_of(parameters: Mapping[str, str]) -> datetime | None:
    """When the change is to start; None: as soon as it is approved."""
    return datetime.fromisoformat(parameters[AT]) if AT in parameters else None


def asked_again(parameters: Mapping[str, str], now: datetime) -> Mapping[str, str]:
    """Of a request that is made again: without a time that is over, and with an exception from the freezes of now."""
    start = start_of(parameters)
    dropped = {EXCEPTED} | ({AT} if start is not None and start <= now else set())
    return {name: value for name, value in parameters.items() if name not in dropped}
