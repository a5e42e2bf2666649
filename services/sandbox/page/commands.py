"""The slash commands that the composer offers while one types."""

from __future__ import annotations

from typing import NamedTuple


class CommandHint(NamedTuple):
    """One line of the completion menu: `name` is what follows `/dragonfly`, `usage` what follows the name."""

    name: str
    usage: str
    summary: str
