"""Secrets in an address."""

from __future__ import annotations

import pytest

from bot.web.guesses import Guesses, is_one_of
from services.domain.secrets import Secret

SECRETS = [Secret("older-older-older-older-"), Secret("newer-newer-newer-newer-")]


@pytest.mark.parametrize(
    ("given_secret", "fits"),
    [
        ("newer-newer-newer-newer-", True),
        ("older-older-older-older-", True),
        ("older", False),
        ("", False),
        ("é", False),
    ],
)
def test_either_secret_fits_during_a_rotation(given_secret: str, fits: bool) -> None:
    assert is_one_of(given_secret, SECRETS) is fits


def test_without_secrets_nothing_fits() -> None:
    assert not is_one_of("", [])


def test_guesses_are_counted_by_the_minute() -> None:
    guesses = Guesses(2, "/hooks/railway")

    assert [guesses.count(60.0), guesses.count(61.0), guesses.count(119.9)] == [True, True, False]
    assert guesses.count(120.0)
