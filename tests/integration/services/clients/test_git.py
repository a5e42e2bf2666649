"""The real Git, on checkouts that each test makes."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from services.clients.git import is_pushed, read_checkout
from services.domain.deployments import Tag
from services.domain.errors import SourceError


def git(directory: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone with one commit, which its remote has."""
    remote, clone = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "init", "--bare", str(remote))
    git(tmp_path, "clone", str(remote), str(clone))
    (clone / "file").write_text("one")
    git(clone, "add", "file")
    git(clone, "commit", "-m", "One")
    git(clone, "push", "origin", "HEAD")
    return clone


async def test_reads_a_clean_tree_without_a_tag(checkout: Path) -> None:
    found = await read_checkout(checkout)

    assert (found.head, found.uncommitted, found.tags) == (git(checkout, "rev-parse", "HEAD"), 0, ())


async def test_counts_what_is_changed_staged_and_unknown(checkout: Path) -> None:
    (checkout / "file").write_text("two")
    (checkout / "new").write_text("")
    (checkout / "staged").write_text("")
    git(checkout, "add", "staged")

    assert (await read_checkout(checkout)).uncommitted == 3


async def test_reports_annotated_tags_from_lightweight_ones(checkout: Path) -> None:
    git(checkout, "tag", "-a", "v1.2.3", "-m", "Release v1.2.3")
    git(checkout, "tag", "nightly")

    found = await read_checkout(checkout)

    assert set(found.tags) == {Tag("v1.2.3", annotated=True), Tag("nightly", annotated=False)}
    assert found.release == Tag("v1.2.3", annotated=True)


async def test_a_tag_of_an_earlier_commit_is_not_this_one(checkout: Path) -> None:
    git(checkout, "tag", "-a", "v1.2.3", "-m", "Release v1.2.3")
    git(checkout, "commit", "--allow-empty", "-m", "Two")

    assert (await read_checkout(checkout)).release is None


async def test_a_tag_is_pushed_when_the_remote_has_the_same_one(checkout: Path) -> None:
    git(checkout, "tag", "-a", "v1.2.3", "-m", "Release v1.2.3")
    before = await is_pushed(checkout, "v1.2.3")
    git(checkout, "push", "origin", "v1.2.3")
    after = await is_pushed(checkout, "v1.2.3")
    git(checkout, "tag", "-f", "-a", "v1.2.3", "-m", "Another")

    assert (before, after, await is_pushed(checkout, "v1.2.3")) == (False, True, False)


async def test_read_checkout_fails_without_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no checkout here"):
        await read_checkout(tmp_path)


async def test_a_remote_that_is_gone_is_not_quoted(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    git(checkout, "remote", "set-url", "origin", "/gone/with-a-token")

    with pytest.raises(SourceError) as caught:
        await is_pushed(checkout, "v1.2.3")

    assert "token" not in str(caught.value)


async def test_a_call_whose_time_runs_out_leaves_no_process(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    started, script = tmp_path / "started", tmp_path / "slow"
    script.write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 600\n")
    script.chmod(0o755)
    git(checkout, "remote", "set-url", "origin", f"ext::{script}")
    git(checkout, "config", "protocol.ext.allow", "always")
    call = asyncio.create_task(is_pushed(checkout, "v1.2.3"))
    while not started.exists() or not started.read_text():
        await asyncio.sleep(0.02)

    call.cancel()
    await asyncio.wait({call})

    assert call.cancelled()
