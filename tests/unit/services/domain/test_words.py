"""Counts as people say them."""

import pytest

from services.domain.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "job", "0 jobs"),
        (1, "job", "1 job"),
        (2, "job", "2 jobs"),
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
    ],
)
def test_one_is_not_plural(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
