"""docs/checks.md shows each threshold as it is in the code."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.domain import thresholds
from services.domain.text import age

PAGE = (Path(__file__).resolve().parents[2] / "docs/checks.md").read_text()
LIMITS = {name: value for name, value in vars(thresholds).items() if name.isupper()}


@pytest.mark.parametrize("name", LIMITS)
def test_the_page_has_the_threshold_with_its_value(name: str) -> None:
    value = LIMITS[name]

    assert f"| `{name}` | {age(value) if isinstance(value, timedelta) else value} |" in PAGE
