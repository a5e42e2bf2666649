"""Railway's metrics by service and instance; missing ones stay unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.clients.railway.parsing import parse_metrics
from services.domain.services import Service
from services.domain.usage import GONE_AFTER, Usage

NAMES = {"s1": Service.INGEST, "s2": Service.API}


def result(kind: str, *values: float, service: str | None = "s1", instance: str | None = "i1") -> dict[str, Any]:
    points = [{"ts": 1_800_000_000 + 30 * n, "value": value} for n, value in enumerate(values)]
    return {
        "measurement": kind,
        "tags": {"serviceId": service, "deploymentInstanceId": instance},
        "values": points[::-1],  # Railway promises no order
    }


def test_metrics_are_parsed_per_instance() -> None:
    found = parse_metrics(
        [
            result("MEMORY_USAGE_GB", 0.2, 0.3),
            result("MEMORY_USAGE_GB", 0.4, instance="i2"),
            result("MEMORY_LIMIT_GB", 0.5, instance=None),  # of the whole service
            result("CPU_USAGE", 0.1),
            result("CPU_USAGE", 0.2, instance="i2"),
            result("CPU_LIMIT", 2.0),
            result("NETWORK_RX_GB", 0.001, 0.003),
            result("NETWORK_TX_GB", 0.002, instance="i2"),
            result("DISK_USAGE_GB", 9.0, service="another"),
            result("DISK_USAGE_GB"),
        ],
        NAMES,
    )

    assert set(found) == {Service.INGEST}
    one, two = found[Service.INGEST].instances
    assert [sample.value for sample in one.memory] == [0.2, 0.3]
    assert (one.memory_gb, one.memory_limit_gb, one.cpu, one.cpu_limit, one.disk_gb) == (0.3, 0.5, 0.1, 2.0, None)
    assert (two.memory_gb, two.memory_limit_gb, two.cpu_limit) == (0.4, 0.5, None)
    assert found[Service.INGEST].busiest == Usage(0.4, 0.5, 0.2, 2.0, None, 0.003, 0.002)


def test_an_instance_whose_newest_sample_is_old_is_gone() -> None:
    old, new = result("MEMORY_USAGE_GB", 0.48, instance="old"), result("MEMORY_USAGE_GB", *[0.1] * 8, instance="new")
    limits = [result("MEMORY_LIMIT_GB", *[0.5] * 8, instance=one) for one in ("old", "new")]

    used = parse_metrics([old, new, result("CPU_USAGE", 0.3, instance="old"), *limits], NAMES)[Service.INGEST]

    last_seen = datetime.fromtimestamp(1_800_000_000, UTC)
    assert used.current(last_seen + GONE_AFTER).busiest == Usage(0.48, 0.5, 0.3, None, None)
    assert used.current(last_seen + GONE_AFTER + timedelta(seconds=1)).busiest == Usage(0.1, 0.5, None, None, None)
    assert used.current(last_seen + timedelta(hours=1)).busiest == Usage()


def test_metrics_without_instance_ids_are_one_instance() -> None:
    found = parse_metrics([result("MEMORY_USAGE_GB", 0.2, instance=None)], NAMES)

    [one] = found[Service.INGEST].instances
    assert (one.instance_id, one.memory_gb, one.memory_limit_gb, one.memory_share) == ("", 0.2, None, None)


def test_metrics_are_empty_without_results() -> None:
    assert parse_metrics([], NAMES) == {}


def test_a_sample_that_is_no_number_is_none() -> None:
    found = parse_metrics([result("MEMORY_USAGE_GB", 0.2, float("nan")), result("CPU_USAGE", float("inf"))], NAMES)

    assert found[Service.INGEST].busiest == Usage(memory_gb=0.2)
