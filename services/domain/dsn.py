"""What is wrong with a database address, in words that quote none of it but a parameter of a known name."""

from __future__ import annotations

import re

ENCODE = "percent-encode the password: @ is %40, / is %2F, # is %23, ? is %3F, % is %25"
# Parameters that other programs' addresses carry and libpq does not know.
FOREIGN = frozenset(
    {
        "connection_limit",
        "pgbouncer",
        "pool_timeout",
        "prepared_statements",
        "prepareThreshold",
        "schema",
        "statement_cache_size",
        "supa",
        "uselibpqcompat",
    }
)
_UNKNOWN_PARAMETER = re.compile(r'invalid uri query parameter: "([^"]+)"', re.IGNORECASE)


def foreign_parameter(said: str) -> str | None:
    """The advice for libpq's complaint about a parameter; None for another complaint."""
    match = _UNKNOWN_PARAMETER.search(said)
    return without(match[1]) if match else None


def without(parameter: str) -> str:
    """What to do about a parameter; one of an unknown name may be half a password, and is not quoted."""
    name = f"`{parameter}`" if parameter in FOREIGN else "a parameter"
    return f"the address has {name}, which Postgres does not know: take it out"
