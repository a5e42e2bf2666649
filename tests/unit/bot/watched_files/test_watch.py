"""A watched file: a good one is taken at once, a bad one leaves the last good one in force, also over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.fields import Fault, Invalid
from bot.watched_files.watch import LARGEST, FileWatch
from services.domain.errors import SourceError


def read(content: bytes, name: str) -> str | Invalid:
    return (
        Invalid("words", (Fault(f"{name} line 1", "is bad", "correct it"),)) if b"bad" in content else content.decode()
    )


class Words(FileWatch[str]):
    """`stored`: what the leader keeps; the database is away while it is an error."""

    def __init__(self, path: Path, stored: bytes | SourceError | None = None) -> None:
        super().__init__(path, "file", "words", read)
        self.in_force: str | None = None
        self.fault: Invalid | None = None
        self.stored = stored
        self.error: Exception | None = None

    async def _take_over(self, value: str) -> None:
        if self.error is not None:
            raise self.error
        self.in_force = value

    def _refuse(self, fault: Invalid) -> bool:
        self.fault = fault
        return self.in_force is not None

    async def _stored(self) -> bytes | None:
        if isinstance(self.stored, SourceError):
            raise self.stored
        return self.stored


async def seen(watch: Words, path: Path, content: str) -> None:
    """Written, and the same twice."""
    path.write_text(content)
    await watch.check()
    await watch.check()


async def test_a_good_file_is_taken_and_a_bad_one_leaves_the_last_good_one(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    watch = Words(path)
    await seen(watch, path, "one")
    assert watch.in_force == "one"

    await seen(watch, path, "bad, and longer")
    assert watch.in_force == "one"
    assert "file.toml line 1" in str(watch.fault)
    await seen(watch, path, "x" * (LARGEST + 1))
    assert watch.in_force == "one"
    path.unlink()
    await watch.check()
    assert (watch.in_force, "cannot be read" in str(watch.fault)) == ("one", True)

    await seen(watch, path, "two")
    assert watch.in_force == "two"


async def test_a_process_that_begins_with_a_bad_file_goes_on_with_the_last_good_one_once_that_can_be_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file.toml"
    path.write_text("bad")
    watch = Words(path, SourceError("database", "away"))
    await watch.check()
    assert watch.in_force is None

    watch.stored = b"the last good one"
    await watch.check()

    assert watch.in_force == "the last good one"


async def test_file_watch_tries_a_good_file_again_after_an_unexpected_error(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text("one")
    watch = Words(path)
    watch.error = UnicodeError()
    for _ in range(2):
        with pytest.raises(UnicodeError):
            await watch.check()
    assert watch.latest is None  # nothing is told of it yet

    watch.error = None
    await watch.check()

    assert watch.in_force == "one"


async def test_a_file_that_comes_back_as_it_was_is_taken_again(tmp_path: Path) -> None:
    path, away = tmp_path / "file.toml", tmp_path / "away.toml"
    watch = Words(path)
    await seen(watch, path, "one")
    path.rename(away)  # the same moment, size and inode
    await watch.check()
    assert isinstance(watch.latest and watch.latest.value, Invalid)

    away.rename(path)
    await watch.check()

    assert watch.latest is not None
    assert watch.latest.value == "one"
