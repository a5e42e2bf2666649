"""The environments that can be operated. Another one is one entry in `ENVIRONMENTS`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Environment:
    """`name`: the value of ENVIRONMENT and SUPABASE_MODE. `synonyms`: other words for it, such as those of Railway.

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
    """The value if it is the name of an environment. Raises ValueError with all names, without the value."""
    if value not in NAMES:
        raise ValueError(f"is not {one_of(NAMES)}")
    return value


def find_environment(word: str) -> Environment | None:
    """The environment with this name or synonym, in any case."""
    word = word.strip().lower()
    return next((one for one in ENVIRONMENTS if word in (one.name, *one.synonyms)), None)


def is_production(name: str) -> bool:
    """Whether it holds real data. A name that is not in the list does: a check must not get weaker for it."""
    found = find_environment(name)
    return found is None or found.is_production


def may_be_production(word: str) -> bool:
    """Whether a name that people are free to choose may mean it: "prod-eu", "live2"."""
    found = find_environment(word)
    hints = ("live", *(one.name for one in ENVIRONMENTS if one.is_production))
    return any(hint in word.lower() for hint in hints) or (found is not None and found.is_production)


def one_of(names: Iterable[str]) -> str:
    """ "dev, staging or prod"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
