"""What the terminal does not import for a read, so that it starts fast. It counts modules, not seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"aiohttp", "aiosmtplib", "apscheduler", "fastapi", "openai", "prometheus_client", "pydantic_settings"}
HEAVY |= {"slack_bolt", "slack_sdk", "starlette", "uvicorn", "bot.wiring"}
CLOSED = "127.0.0.1:9"  # nothing listens on the discard port
CONFIGURED = {
    "SLACK_BOT_TOKEN": "xoxb-made-up",
    "SLACK_APP_TOKEN": "xapp-made-up",
    "SUPABASE_DB_URL": f"postgresql://u:p@{CLOSED}/d",
    "RAILWAY_TOKEN": "made-up",
    "RAILWAY_PROJECT_ID": "p",
    "RAILWAY_ENVIRONMENT_ID": "e",
    "RAILWAY_API_URL": f"http://{CLOSED}/",
    "DRAGONFLY_API_BASE": f"http://{CLOSED}/",
    "ENVIRONMENT": "dev",
    "SUPABASE_MODE": "dev",
}
PROGRAM = """
import json, sys
from bot.cli import main
try:
    main()
except SystemExit:
    print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("line", ["--help", "health --json", "queue", "scale ingest 2 --dry-run"])
def test_terminal_imports_nothing_heavy_for_a_read(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()], capture_output=True, text=True, check=True, env=CONFIGURED
    )

    modules = set(json.loads(done.stdout.splitlines()[-1]))

    assert "bot.commands.registry" in modules
    assert modules & HEAVY == set()
