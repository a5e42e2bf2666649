"""The masking levels of log lines and errors that people request."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from services.domain.masking import mask_line
from services.domain.masking_balanced import mask_balanced
from services.domain.secret_shapes import HIDDEN


class Privacy(StrEnum):
    """STRICT: the level for a channel. BALANCED: words stay, data is hidden by its shape."""

    STRICT = "strict"
    BALANCED = "balanced"

    @property
    def mask(self) -> Callable[[str], str]:
        """The function that masks a log line or an error."""
        return mask_line if self is Privacy.STRICT else mask_balanced


def is_masked(shown: str) -> bool:
    """True if something in it is hidden."""
    return HIDDEN in shown
