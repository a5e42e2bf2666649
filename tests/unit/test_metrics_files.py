"""The dashboard, the alerting rules and the page about metrics name only metrics that are exposed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bot.web.metrics import Health
from bot.web.metrics import Metrics as BotMetrics
from services.api.health import Metrics as ApiMetrics

ROOT = Path(__file__).resolve().parents[2]
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((ROOT / "ops/alerts.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "ops/grafana.json").read_text())
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
PAGE = (ROOT / "docs/metrics.md").read_text()
PARTS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
OF_PROMETHEUS = {"up"}  # Prometheus adds it to each target
WORDS = {"sum", "max", "by", "rate", "increase", "histogram_quantile", "or", "absent", "le"}


def _exposed() -> str:
    """The text of both endpoints, with one sample of every metric that has labels."""
    bot = BotMetrics()
    bot.answers.labels("slash", "answered").observe(1)
    bot.messages.labels("sent").inc()
    bot.notifications.labels("email", "sent").inc()
    bot.alerts.labels("fired").inc()
    bot.task_failures.labels("evaluation").inc()
    api = ApiMetrics(git_sha="a1b2c3d4", environment="dev")
    api.count_request(method="GET", route="/api/live", status=200, seconds=0.1)
    health = Health(slack_connections=1, slack_expected=1, database=None, leader=True)
    return bot.render(health).decode() + api.expose().decode()


def _families() -> Iterator[tuple[str, str, set[str], str]]:
    """`(name in the page, type, labels, help)` of each metric of ours."""
    for family in text_string_to_metric_families(_exposed()):
        own = [one for one in family.samples if not one.name.endswith("_created")]
        if family.name.startswith("dragonfly_") and own:
            labels = {label for one in own for label in one.labels} - {"le"}
            yield (
                family.name + ("_total" if family.type == "counter" else ""),
                family.type,
                labels,
                family.documentation,
            )


FAMILIES = list(_families())
SAMPLES: dict[str, set[str]] = {
    name.removesuffix("_total") + part: labels for name, kind, labels, _ in FAMILIES for part in PARTS[kind]
}


def _names(expression: str) -> set[str]:
    """The metrics of an expression: words outside braces, brackets and quotes, without PromQL's own and labels."""
    bare = re.sub(r"\bby\s*\([^)]*\)|\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    return {word for word in re.findall(r"[A-Za-z_:]\w*", bare) if word not in WORDS}


def _labels(expression: str) -> set[str]:
    matched = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression)
    grouped = [word for words in re.findall(r"\bby\s*\(([^)]*)\)", expression) for word in words.split(",")]
    return {label.strip() for label in (*matched, *grouped)} - {"le"}


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + [
    (f"{panel['title']} {target['refId']}", target["expr"])
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_an_expression_asks_for_metrics_and_labels_that_are_exposed(name: str, expression: str) -> None:
    used = _names(expression)

    assert used
    assert used - OF_PROMETHEUS <= set(SAMPLES), name
    known = set().union(*(SAMPLES.get(one, {"job"}) for one in used))
    assert _labels(expression) <= known, name


def test_the_dashboard_shows_every_metric() -> None:
    shown = {re.sub(r"_(?:bucket|count|sum)$", "", name) for target in TARGETS for name in _names(target["expr"])}

    assert shown == {name for name, _, _, _ in FAMILIES}


def test_the_page_lists_every_metric_with_its_type_labels_and_meaning() -> None:
    rows = {
        name: (kind, labels, meaning)
        for name, kind, labels, meaning in re.findall(
            r"^\| `(dragonfly_\w+)` \| (\w+) \|([^|]*)\| (.+) \|$", PAGE, re.M
        )
    }

    assert set(rows) == {name for name, _, _, _ in FAMILIES}
    for name, kind, labels, documentation in FAMILIES:
        assert rows[name][0] == kind
        assert labels <= set(re.findall(r"`(\w+)`", rows[name][1]))
        assert rows[name][2] == documentation


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_reports_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "warn"}
    assert set(rule["annotations"]) == {"summary", "next_step"}


@pytest.mark.skipif(shutil.which("promtool") is None and not os.environ.get("CI"), reason="promtool is not installed")
def test_the_rules_fire_when_they_should_and_not_otherwise() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", ROOT / "ops/alerts.test.yml"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
