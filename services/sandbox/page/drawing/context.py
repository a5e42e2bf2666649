"""What drawing needs besides the block itself: names for ids, who looks, and what was typed so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Drawing:
    """`users`, `channels` and `groups` are `{id: display name}`.

    `scope` makes DOM ids unique on a page that shows the same block twice (channel and thread pane). `block_id` is
    that of the block being drawn, which its controls report when they are used; `label` names the control being drawn
    for those who listen. `errors` is `{block_id: message}`.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    viewer: str = ""
    scope: str = ""
    block_id: str = ""
    label: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    def within(self, block_id: str) -> Drawing:
        """The same context inside one block."""
        return replace(self, block_id=block_id)

    def naming(self, label: str) -> Drawing:
        """The same context for one control of this name."""
        return replace(self, label=label)

    def dom_id(self, *parts: str) -> str:
        """An id that is unique on the page as long as `scope` and the parts are."""
        return "-".join(part for part in (self.scope, self.block_id, *parts) if part)
