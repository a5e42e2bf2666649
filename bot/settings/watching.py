"""How often the watch asks what it is not told of, in seconds. Other ones in tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WatchSettings:
    """A hint (Railway's webhook) does not wait for it."""

    railway_every_s: float = 20.0  # 180 an hour, less than a quarter of what the smallest paid plan allows
