"""Ports for processes that are told where to listen."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence

# Below those that systems give to whoever asks for any: nobody gets one by chance before its process listens there.
UNASKED = range(10_000, 32_768)


def find_free_port(among: Sequence[int] = UNASKED) -> int:
    """A TCP port on 127.0.0.1 that nobody listens on now."""
    while True:
        port = random.choice(among)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
