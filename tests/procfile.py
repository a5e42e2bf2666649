"""The commands of the Procfile."""

from __future__ import annotations

from pathlib import Path

_LINES = (Path(__file__).parents[1] / "Procfile").read_text().splitlines()

START_COMMANDS = {
    name: command.strip() for name, _, command in (line.partition(":") for line in _LINES) if command.strip()
}
"""`{process name: command}`."""
