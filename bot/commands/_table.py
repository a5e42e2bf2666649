"""The table of all changes with their risk, as `docs/changes.md` has it."""

from __future__ import annotations

from bot.commands._registry import REGISTRY
from bot.commands._verbs import Change


def changes_table() -> str:
    """Markdown, one row a change; made from the registry, so that the document cannot be wrong."""
    rows = ["| command | what it does | risk |", "|---|---|---|"]
    rows += [
        f"| `{_escaped(f'{verb.name} {verb.usage}')}` | {_escaped(verb.summary)} | {verb.risk} |"
        for verb in REGISTRY.values()
        if isinstance(verb, Change)
    ]
    return "\n".join(rows)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
