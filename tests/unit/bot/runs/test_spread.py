"""The spread of replicas over regions: no region is ever removed."""

from __future__ import annotations

import pytest

from bot.runs.executors.scale import spread


@pytest.mark.parametrize(
    ("regions", "to", "wanted"),
    [
        ({"eu": 1}, 3, {"eu": 3}),
        ({"eu": 3}, 1, {"eu": 1}),
        ({"eu": 2, "us": 1}, 4, {"eu": 2, "us": 2}),
        ({"eu": 2, "us": 1}, 2, {"eu": 1, "us": 1}),
        ({"eu": 1, "us": 1}, 2, {"eu": 1, "us": 1}),
        ({"eu": 1, "us": 1}, 1, None),
        ({"eu": 0}, 1, {"eu": 1}),
        ({}, 1, None),
    ],
)
def test_replicas_are_spread_evenly_over_the_same_regions(
    regions: dict[str, int], to: int, wanted: dict[str, int] | None
) -> None:
    assert spread(regions, to) == wanted
