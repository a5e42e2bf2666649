"""`version`: the installed version, commit and schema, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.commands.arguments import no_more
from bot.types import Answer
from services.clients.git import read_checkout
from services.clients.postgres.migrations import read_files
from services.domain.errors import SourceError
from services.domain.services import short_sha

PACKAGES = Path(__file__).resolve().parents[2]  # the checkout, or the folder of the installed wheel


async def print_version(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Print the installed version, its commit if known, and the newest migration that it includes."""
    no_more(words, 0)
    versions = {
        "version": _own_version(),
        "commit": environ.get("RAILWAY_GIT_COMMIT_SHA", "").strip() or await _own_commit(),
        "schema": read_files()[-1].version,
    }
    text = f"dragonfly {versions['version']}, commit {short_sha(versions['commit'])}, schema {versions['schema']}"
    return Answer(text, (), versions)


def _own_version() -> str:
    """The version from a checkout's pyproject.toml (Railway installs only the requirements, not the package), else from
    the wheel's metadata.

    Imported here: both modules take longer to import than a read takes.
    """
    pyproject = PACKAGES / "pyproject.toml"
    if pyproject.exists():
        import tomllib

        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    from importlib.metadata import version

    return version("dragonfly-chatops")


async def _own_commit() -> str | None:
    """Commit of the checkout that holds this code; None for a wheel, even inside another repository."""
    if not (PACKAGES / ".git").exists():
        return None
    try:
        return (await read_checkout(PACKAGES)).head
    except SourceError:
        return None
