"""The state of a git checkout before a deploy (runbook, "Pre-Deployment Checklist")."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RELEASE = re.compile(r"v\d+\.\d+\.\d+\Z")  # the runbook's v1.x.x


@dataclass(frozen=True)
class Tag:
    """A tag on the checked out commit. `annotated`: made with `git tag -a`, so that it says who released and when."""

    name: str
    annotated: bool

    @property
    def is_release(self) -> bool:
        return _RELEASE.match(self.name) is not None


@dataclass(frozen=True)
class Checkout:
    """`uncommitted`: how many files differ from the commit or are not known to git. `tags`: those on the commit."""

    head: str
    uncommitted: int
    tags: tuple[Tag, ...]

    @property
    def release(self) -> Tag | None:
        """The release that this commit is; None when it is none."""
        return next((tag for tag in self.tags if tag.is_release), None)
