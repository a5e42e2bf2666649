"""The bot's command line on a running sandbox, as one file to call from another terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "dragonfly"


def write_terminal(directory: Path, variables: Mapping[str, str], *, working_directory: Path) -> Path:
    """Write `dragonfly` into the sandbox's folder: the CLI with the bot's environment and nothing of the caller's.

    Only its owner may read it, as the variables are secrets elsewhere.
    """
    path = directory / NAME
    path.unlink(missing_ok=True)
    path.touch(mode=0o700)
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
    path.write_text(
        "#!/bin/sh\n"
        "# Made at each start of the sandbox: the terminal's side of its bot.\n"
        f"cd {shlex.quote(str(working_directory))} || exit 1\n"
        f'exec env -i HOME="$HOME" PATH="$PATH" LANG="${{LANG:-C.UTF-8}}" {given} '
        f'{shlex.quote(sys.executable)} -m bot.cli "$@"\n'
    )
    return path
