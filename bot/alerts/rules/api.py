"""The API down, degraded or slow, and its intake (runbook, "API Health Check")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.alerts.rules.rule import rule_result
from bot.alerts.snapshot import Snapshot
from bot.alerts.suppression import RuleResult
from bot.config.alerts import Rules
from playbooks.checks import api
from playbooks.model import Finding, Status
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.services import Service


def evaluate(snapshot: Snapshot, rules: Rules) -> Iterator[RuleResult]:
    """Results of `api`, `slow_api` and `intake`."""
    if snapshot.api is not None:
        railway_answers = not isinstance(snapshot.services, Unavailable)
        [finding] = api.check(
            api.Facts(snapshot.api, snapshot.environment, others_answer=railway_answers, system=snapshot.system)
        )
        yield rule_result("api", rules["api"], _blame_api(snapshot, finding))
        yield rule_result(
            "slow_api",
            rules["slow_api"],
            _response_time(snapshot.api, rules["slow_api"].limit("slower_than_ms"), snapshot.system.api),
        )
    if snapshot.intake is not None:
        [finding] = api.check_intake(snapshot.intake, system=snapshot.system)
        yield rule_result("intake", rules["intake"], finding)


def _blame_api(snapshot: Snapshot, finding: Finding) -> Finding:
    """Blame the API for a missing answer only if the bot reaches others, as it does the database.

    An API that is cut off from the database, or can't write there, reports that itself, and `database` or `writes`
    announces it: one cause, one page.
    """
    if isinstance(snapshot.api, ApiHealth) and (
        snapshot.api.db_connected is False or snapshot.api.db_writable is False
    ):
        return replace(finding, status=Status.UNKNOWN)
    if not isinstance(snapshot.api, Unavailable) or finding.status is not Status.UNKNOWN:
        return finding
    if isinstance(snapshot.services, Unavailable):
        return finding  # Railway does not answer either: the bot's own network is the problem
    return replace(finding, status=Status.FAIL, title="api does not answer", detail=snapshot.api.why)


def _response_time(health: ApiHealth | Unavailable, slower_than_ms: float, api: Service) -> Finding:
    if isinstance(health, Unavailable):
        return Finding("", Status.UNKNOWN, "the response time of api is unknown", health.why, api)
    status = Status.WARN if health.elapsed_ms > slower_than_ms else Status.OK
    title = f"api answers in {health.elapsed_ms:.0f} ms"
    return Finding("", status, title, f"slow is beyond {slower_than_ms:.0f} ms", api)
