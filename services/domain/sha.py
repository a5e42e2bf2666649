"""Git commit SHAs: compared by prefix, because one place shows 8 characters and another 40."""

from __future__ import annotations

import re

SHORT_LENGTH = 8  # what the runbook's banner and health answer show

_SHA = re.compile(r"[0-9a-f]{7,40}\Z")  # 7: git's own default abbreviation; fewer characters match too easily


def is_sha(text: str) -> bool:
    """Whether the text is a commit SHA of 7 to 40 lower-case hexadecimal characters."""
    return _SHA.match(text) is not None


def same_sha(one: str, other: str) -> bool:
    """Whether the two name the same commit: one is a prefix of the other. Never true for text that is no SHA."""
    one, other = one.lower(), other.lower()
    return is_sha(one) and is_sha(other) and (one.startswith(other) or other.startswith(one))


def short_sha(sha: str | None) -> str:
    """The first 8 characters, or "unknown"."""
    return sha[:SHORT_LENGTH] if sha else "unknown"
