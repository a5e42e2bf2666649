"""Two replicas as separate processes, with the leases of production; each test writes one line of figures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.bot.runs.conftest import admin_line as admin_line
from tests.integration.bot.runs.conftest import bench as bench
from tests.integration.bot.runs.conftest import make_bench as make_bench
from tests.integration.bot.runs.conftest import pace as pace
from tests.integration.bot.runs.conftest import railway as railway
from tests.integration.bot.runs.conftest import sql_directory as sql_directory
from tests.integration.bot.runs.conftest import start_replica as start_replica
from tests.integration.bot.runs.conftest import wire as wire

FIGURES = Path(os.environ.get("CHAOS_FIGURES", "build/chaos.jsonl"))

Record = Callable[..., None]


@pytest.fixture
def record() -> Record:
    """`record(act=…, boundary=…, …)` appends one line in one write, so that several test workers can write."""

    def append(**figures: object) -> None:
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        with FIGURES.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")

    return append
