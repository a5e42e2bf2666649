"""A value that must not be shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Secret:
    """Hides its value from `repr`, logs and tracebacks; `reveal()` is the only way to it."""

    _value: str

    def reveal(self) -> str:
        """The value itself: for comparing and calling, never for showing."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__
