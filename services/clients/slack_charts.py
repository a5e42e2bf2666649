"""Sends a message without its charts if the workspace refuses them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from services.domain.slack_refusals import SlackRefusedError

CHART = "data_visualization"
_BLOCKS_REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format"})

Blocks = Sequence[Mapping[str, Any]]
_T = TypeVar("_T")


CHARTS_AGAIN_S = 24 * 3600.0  # a workspace without charts may have them by then


class Charts:
    """Remembers whether the workspace accepts charts (the block `data_visualization`): yes, until it refuses one.

    Tried again after `again_s`. A message's text contains what its charts show, so they can be left out.
    """

    def __init__(self, again_s: float = CHARTS_AGAIN_S) -> None:
        self._again_s = again_s
        self._refused_until = 0.0

    async def send(self, blocks: Blocks, send: Callable[[Blocks], Awaitable[_T]]) -> _T:
        """Send with charts while the workspace accepts them; when it refuses them, send once more without."""
        if time.monotonic() < self._refused_until:
            blocks = without_charts(blocks)
        try:
            return await send(blocks)
        except SlackRefusedError as refused:
            plain = without_charts(blocks)
            if refused.code not in _BLOCKS_REFUSED or len(plain) == len(blocks):
                raise
            answer = await send(plain)
            self._refused_until = time.monotonic() + self._again_s  # the charts were the reason for the refusal
            return answer


def without_charts(blocks: Blocks) -> Blocks:
    """The blocks without charts."""
    return [block for block in blocks if block.get("type") != CHART]
