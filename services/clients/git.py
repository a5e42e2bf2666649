"""Read the state of a git checkout. All functions raise SourceError("git", …); none changes anything."""

from __future__ import annotations

import os
from pathlib import Path

from services.clients.programs import run_program
from services.domain.deployments import Checkout, Tag
from services.domain.errors import SourceError
from services.domain.text import clean_text

SOURCE = "git"
REMOTE = "origin"  # as in the runbook's `git push origin v1.x.x`

_TAG_FORMAT = "--format=%(refname:short) %(objecttype)"  # the type is "tag" for an annotated tag

# Reads take no lock, and git must not wait for input: no person would see the prompt.
_QUIETLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}


async def read_checkout(directory: Path) -> Checkout:
    """Return the commit, the number of changed files and the tags of the checkout that contains the directory."""
    head = await _git(directory, "rev-parse", "HEAD")
    status = await _git(directory, "status", "--porcelain")
    tags = await _git(directory, "for-each-ref", "refs/tags", "--points-at=HEAD", _TAG_FORMAT)
    return Checkout(head.strip(), len(status.splitlines()), tuple(map(_parse_tag, tags.splitlines())))


async def is_pushed(directory: Path, tag: str) -> bool:
    """True if the remote has the tag on the same commit."""
    own = await _git(directory, "rev-parse", f"refs/tags/{tag}")
    there = await _git(directory, "ls-remote", "--tags", REMOTE, f"refs/tags/{tag}")
    return own.strip() in there.split()


def _parse_tag(line: str) -> Tag:
    name, _, kind = line.rpartition(" ")
    return Tag(name, annotated=kind == "tag")


async def _git(directory: Path, *arguments: str) -> str:
    try:
        code, out, err = await run_program("git", *arguments, directory=directory, environ={**os.environ, **_QUIETLY})
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        raise SourceError(SOURCE, "git is not installed, or its directory is gone") from None
    if code:
        raise SourceError(SOURCE, _why(err.decode(errors="replace")))
    return clean_text(out.decode(errors="replace"))


def _why(error: str) -> str:
    """The reason for people. Git's own words are not repeated: a remote's address may hold a token."""
    if "not a git repository" in error:
        return "there is no checkout here"
    if "dubious ownership" in error:
        return "the checkout belongs to another user, and git does not trust it"
    return "it does not answer (run it by hand to see why)"
