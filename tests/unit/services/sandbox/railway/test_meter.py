"""The demo's metrics: the usage of its processes, and a leak that a person simulates."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from playbooks.checks.memory import check, was_at_limit
from playbooks.model import Status
from services.clients.railway.parsing import parse_metrics
from services.domain.services import Service
from services.domain.usage import ServiceUsage
from services.sandbox.railway.metrics import EVERY, LIMIT_GB, Meter, answer_metrics

NOW = datetime(2026, 11, 29, 2, tzinfo=UTC)
PIDS = {"i1": os.getpid()}
WITHIN = timedelta(minutes=8)


def usage(meter: Meter, now: datetime) -> ServiceUsage:
    kinds = ("MEMORY_USAGE_GB", "MEMORY_LIMIT_GB", "CPU_USAGE", "CPU_LIMIT", "NETWORK_RX_GB")
    results = list(answer_metrics(meter, "s1", kinds, now - timedelta(hours=1)))
    return parse_metrics(results, {"s1": Service.INGEST})[Service.INGEST]


def test_a_process_shows_what_it_uses_at_most_every_half_minute() -> None:
    meter = Meter()

    for second in range(0, 100, 10):
        meter.measure(PIDS, NOW + timedelta(seconds=second))

    [instance] = usage(meter, NOW).instances
    assert len(instance.memory) == 4
    assert instance.memory_limit_gb == LIMIT_GB
    assert instance.memory_gb is not None
    assert 0 < instance.memory_gb < 8
    assert not meter.is_full
    meter.measure({}, NOW + timedelta(hours=2))
    assert not list(answer_metrics(meter, "s1", ("MEMORY_USAGE_GB",), NOW))


def test_a_made_up_leak_is_seen_at_once_and_meets_the_limit_in_five_minutes() -> None:
    meter = Meter()
    meter.measure(PIDS, NOW)

    meter.start_ramp(NOW)
    meter.measure(PIDS, NOW + EVERY)

    finding = check(usage(meter, NOW), Service.INGEST, now=NOW + EVERY, within=WITHIN, from_share=0.7)
    assert finding.status is Status.WARN
    assert not meter.is_full
    end = NOW + timedelta(minutes=5)
    meter.measure(PIDS, end)
    assert meter.is_full
    assert was_at_limit(usage(meter, end), end, PIDS) is not None
    meter.stop_ramp()
    assert not meter.is_full
