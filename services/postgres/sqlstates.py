"""Which SQLSTATEs mean that the server failed, not the statement: what was asked may succeed later, unchanged.

One table for every process (docs/sqlstates.md shows it). Codes and meanings: PostgreSQL documentation, appendix A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ServerTrouble:
    """`why`: one clause for people. `takes_no_writes`: it answers reads, and stores nothing."""

    why: str
    takes_no_writes: bool = False


_LOCKED = ServerTrouble("another session holds the lock")
_ENDING = ServerTrouble("server is shutting down")

# A code of five characters, or the two of its class; the code comes first.
SERVER_TROUBLE: Mapping[str, ServerTrouble] = MappingProxyType(
    {
        "08": ServerTrouble("connection lost"),
        "25006": ServerTrouble("the database is read-only", takes_no_writes=True),
        "25P03": ServerTrouble("this process was too slow, and the server ended its session"),
        "40001": _LOCKED,
        "40P01": _LOCKED,
        "53100": ServerTrouble("the database's disk is full", takes_no_writes=True),
        "53200": ServerTrouble("the server is out of memory"),
        "53300": ServerTrouble("too many connections"),
        "53400": ServerTrouble("a limit of the server's configuration was reached"),
        "55P03": _LOCKED,
        "57P01": _ENDING,
        "57P02": ServerTrouble("the server restarts after a crash"),
        "57P03": ServerTrouble("server is not accepting connections now"),
        "57P04": ServerTrouble("the database was dropped"),
        "57P05": ServerTrouble("the server ended an idle session"),
        "58000": ServerTrouble("the server's operating system failed"),
        "58030": ServerTrouble("the server cannot read or write its files"),
        "XX000": ServerTrouble("an internal error of the server"),
    }
)
# A COMMIT that ends like this may have been carried out.
_ANSWER_LOST = ("08", "57P02")


def server_trouble(sqlstate: str | None) -> ServerTrouble | None:
    """What the server suffers from; None when the statement itself is at fault, or nothing is known."""
    if sqlstate is None:
        return None
    return SERVER_TROUBLE.get(sqlstate) or SERVER_TROUBLE.get(sqlstate[:2])


def loses_the_answer(sqlstate: str | None) -> bool:
    """Whether the connection broke, so that nobody knows what the server did last."""
    return sqlstate is None or sqlstate.startswith(_ANSWER_LOST)
