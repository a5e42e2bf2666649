"""A made-up history of the deployed repository: what a person may deploy in the demo."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Behaviour(StrEnum):
    """What a deployment of the commit does. All good commits run the same code under another SHA."""

    GOOD = "good"
    CRASHES = "crashes at start"
    ANSWERS_503 = "runs but answers 503"


@dataclass(frozen=True)
class Commit:
    """One commit; `sha` has 40 characters."""

    sha: str
    message: str
    author: str
    behaviour: Behaviour = Behaviour.GOOD


# Oldest first. The last good one is what a new sandbox deploys; the good ones before it are its past.
HISTORY: tuple[Commit, ...] = (
    Commit("3f1c9a7be04d52c86a91f0d7e35b284cc60a19de", "Accept Excel's semicolons in CSV uploads", "Ana Ruiz"),
    Commit("8d02b64ef7731a5c9e4418b0c2f96d53a7e0b14f", "Index failed jobs by their last update", "Tom Okafor"),
    Commit("c45e17a90b8f3d62e1740ca85d9b36f2081ce7d4", "Show the batch's row counts in the intake health", "Ana Ruiz"),
    Commit(
        "e9a70d3b5c1f48267f0be92d61a83c745d20f6b8",
        "Read the fee schedule at import time",
        "Tom Okafor",
        Behaviour.CRASHES,
    ),
    Commit(
        "b2680fd94a3e7c51d80496be7f12c5a3908d61ef",
        "Check the licence before every request",
        "Mia Chen",
        Behaviour.ANSWERS_503,
    ),
)


def find_commit(commits: tuple[Commit, ...], sha: str) -> Commit | None:
    """The one commit that begins with `sha` (at least 7 characters); None when there is none."""
    found = [commit for commit in commits if len(sha) >= 7 and commit.sha.startswith(sha.lower())]
    return found[0] if len(found) == 1 else None


def newest_good(commits: tuple[Commit, ...]) -> Commit:
    """The last commit that works."""
    return next(commit for commit in reversed(commits) if commit.behaviour is Behaviour.GOOD)
