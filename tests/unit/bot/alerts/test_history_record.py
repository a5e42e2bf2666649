"""The history record of a snapshot: numbers only, so that every minute can be stored."""

from __future__ import annotations

import math
from dataclasses import asdict

from bot.alerts.history import record_of
from services.domain.history import DATABASE
from services.domain.services import Service
from services.domain.usage import InstanceUsage, Sample, ServiceUsage, Usage
from tests.unit.bot.alerts.builders import NOW
from tests.unit.bot.alerts.test_rules import seen


def test_history_records_what_is_no_number_as_unknown() -> None:
    instance = InstanceUsage("i", memory=(Sample(NOW, math.inf),), cpu=math.nan, disk_gb=0.0)
    snapshot = seen(usage={Service.API: ServiceUsage((instance,))}, database_usage=Usage(cpu=math.nan, disk_gb=3.0))

    usage = record_of(snapshot).usage

    assert usage is not None
    assert asdict(usage[Service.API.value]) == asdict(Usage(disk_gb=0.0))
    assert usage[DATABASE] == Usage(disk_gb=3.0)
