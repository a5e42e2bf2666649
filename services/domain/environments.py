"""The environments that can be operated. To add one, add an entry to `ENVIRONMENTS`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Environment:
    """`name`: the value of ENVIRONMENT and SUPABASE_MODE. `synonyms`: other names for it, such as Railway's.

    `is_production`: it holds real data, so a test that writes to it needs an approval.
    """

    name: str
    synonyms: tuple[str, ...] = ()
    is_production: bool = False


ENVIRONMENTS = (
    Environment("dev", ("development",)),
    Environment("qa", ("quality-assurance",)),
    Environment("staging", ("stage",)),
    Environment("prod", ("production",), is_production=True),
)
NAMES = tuple(one.name for one in ENVIRONMENTS)


def check_environment(value: str) -> str:
    """Return the value if it is the name of an environment. Raises ValueError with all names, without the value."""
    if value not in NAMES:
        raise ValueError(f"is not {one_of(NAMES)}")
    return value


def find_environment(word: str) -> Environment | None:
    """The environment with this name or synonym, in any case; None if there is none."""
    word = word.strip().lower()
    return next((one for one in ENVIRONMENTS if word in (one.name, *one.synonyms)), None)


def is_production(name: str) -> bool:
    """True if it holds real data. An unknown name counts as production, so that no check gets weaker."""
    found = find_environment(name)
    return found is None or found.is_production


def may_be_production(word: str) -> bool:
    """True if a freely chosen name may mean production: "prod-eu", "live2"."""
    found = find_environment(word)
    hints = ("live", *(one.name for one in ENVIRONMENTS if one.is_production))
    return any(hint in word.lower() for hint in hints) or (found is not None and found.is_production)


def one_of(names: Iterable[str]) -> str:
    """ "dev, staging or prod"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
