"""`version`: what is installed here, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.commands.arguments import no_more
from bot.types import Answer
from services.clients.git import read_checkout
from services.clients.postgres.migrations import read_files
from services.domain.errors import SourceError
from services.domain.services import short_sha

PACKAGES = Path(__file__).resolve().parents[2]  # the checkout, or where the wheel is installed


async def print_version(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """What is installed here, from which commit where that is known, and the schema that it brings."""
    no_more(words, 0)
    versions = {
        "version": _own_version(),
        "commit": environ.get("RAILWAY_GIT_COMMIT_SHA", "").strip() or await _own_commit(),
        "schema": read_files()[-1].version,
    }
    text = f"dragonfly {versions['version']}, commit {short_sha(versions['commit'])}, schema {versions['schema']}"
    return Answer(text, (), versions)


def _own_version() -> str:
    """A checkout's pyproject.toml, which need not be installed (Railway installs the requirements), or the wheel's.

    Imported here: both take longer to import than a read takes.
    """
    pyproject = PACKAGES / "pyproject.toml"
    if pyproject.exists():
        import tomllib

        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    from importlib.metadata import version

    return version("dragonfly-chatops")


async def _own_commit() -> str | None:
    """Of the checkout that this code lies in; None for a wheel, whatever repository its environment lies in."""
    if not (PACKAGES / ".git").exists():
        return None
    try:
        return (await read_checkout(PACKAGES)).head
    except SourceError:
        return None
