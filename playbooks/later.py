"""Changes that are approved now and start at a later time: their parameters in a plan."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from playbooks.freeze import EXCEPTED, EXCEPTION
from services.domain.promotion import PROOF

AT = "at"  # the parameter with the moment, ISO 8601 in UTC: part of the approved plan
OPTIONS = frozenset({AT, EXCEPTION, PROOF})  # a former release executes no run with these parameters
LONGEST = timedelta(days=7)  # a plan that waits longer for its start would be outdated


def write_start(moment: datetime) -> str:
    """The parameter's text, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def start_of(parameters: Mapping[str, str]) -> datetime | None:
    """The start time of the change; None: as soon as it is approved."""
    return datetime.fromisoformat(parameters[AT]) if AT in parameters else None


def asked_again(parameters: Mapping[str, str], now: datetime) -> Mapping[str, str]:
    """The parameters for a repeated request: without a start time that is over, and with an exception from the current
    freezes."""
    start = start_of(parameters)
    dropped = {EXCEPTED} | ({AT} if start is not None and start <= now else set())
    return {name: value for name, value in parameters.items() if name not in dropped}
