"""Checks secrets of requests in constant time, and limits wrong ones per minute."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Sequence

from services.domain.secrets import Secret

logger = logging.getLogger(__name__)


class Guesses:
    """Limits wrong secrets to `limit` per minute. `path`: the endpoint, for the log."""

    def __init__(self, limit: int, path: str) -> None:
        self._limit = limit
        self._path = path
        self._minute = 0
        self._count = 0

    def count(self, now_s: float) -> bool:
        """Count a wrong secret. True if it is within the limit. `now_s`: seconds of any steady clock."""
        if int(now_s // 60) != self._minute:
            self._minute, self._count = int(now_s // 60), 0
        self._count += 1
        if self._count == self._limit + 1:
            logger.warning("%s: more than %d wrong secrets in a minute", self._path, self._limit)
        return self._count <= self._limit


def is_one_of(given: str, secrets: Sequence[Secret]) -> bool:
    """True if `given` is one of the secrets. Constant time: all are compared."""
    found = [hmac.compare_digest(given.encode(), secret.reveal().encode()) for secret in secrets]
    return any(found)
