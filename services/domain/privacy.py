"""How much of a requested line people see."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from services.domain.masking import mask_line
from services.domain.masking_balanced import mask_balanced
from services.domain.secret_shapes import HIDDEN


class Privacy(StrEnum):
    """STRICT: what a channel sees. BALANCED: words stay, data goes by its shape."""

    STRICT = "strict"
    BALANCED = "balanced"

    @property
    def mask(self) -> Callable[[str], str]:
        """For a log line or an error."""
        return mask_line if self is Privacy.STRICT else mask_balanced


def is_masked(shown: str) -> bool:
    """Whether something was left out of it."""
    return HIDDEN in shown
