"""Lints migrations with the program `squawk`, which the extra `[schema]` installs. Changes nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from services.clients.programs import run_program

# Rules that do not apply: `dragonfly migrate` sets both timeouts and runs each file in a transaction; widths are style.
NOT_OURS = (
    "prefer-robust-stmts",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-text-field",
    "prefer-identity",
)
TIMEOUT_S = 3.0
AT_ONCE = 4  # processes


async def lint(sqls: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """`{version_name: ("ban-drop-column in line 3", …)}`; a file that could not be linted is absent."""
    program = _find()
    if program is None:
        return {}
    room = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_lint(program, sql, room) for sql in sqls.values()))
    return {title: rules for title, rules in zip(sqls, found, strict=True) if rules is not None}


def _find() -> str | None:
    """The path of squawk: beside the interpreter, where the extra installs it, else on PATH."""
    own = Path(sys.executable).with_name("squawk")
    return str(own) if own.exists() else shutil.which("squawk")


async def _lint(program: str, sql: str, room: asyncio.Semaphore) -> tuple[str, ...] | None:
    arguments = ("--reporter=json", "--assume-in-transaction", f"--exclude={','.join(NOT_OURS)}", "--stdin-filepath=m")
    async with room:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                _, out, _ = await run_program(program, *arguments, stdin=sql.encode())
            return tuple(f"{one['rule_name']} in line {one['line'] + 1}" for one in json.loads(out))
        except (OSError, TimeoutError, ValueError, KeyError, TypeError):
            return None
