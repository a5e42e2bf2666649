"""A file is read once per state, and not while it is being written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.watched_file import WatchedFile


async def test_a_file_is_read_once_two_looks_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "oncall.toml"
    path.write_bytes(b"one")
    file = WatchedFile(path)

    assert [await file.read_if_changed() for _ in range(3)] == [b"one", None, None]

    path.write_bytes(b"half")
    assert await file.read_if_changed() is None
    path.write_bytes(b"half and whole")
    assert [await file.read_if_changed() for _ in range(3)] == [None, b"half and whole", None]


async def test_a_file_that_is_replaced_by_another_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "oncall.toml"
    path.write_bytes(b"one")
    file = WatchedFile(path)
    assert await file.read_if_changed() == b"one"

    (tmp_path / "new").write_bytes(b"two")
    (tmp_path / "new").replace(path)

    assert [await file.read_if_changed(), await file.read_if_changed()] == [None, b"two"]


async def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await WatchedFile(tmp_path / "gone").read_if_changed()
