"""Runs a command that the kernel kills when the sandbox dies: `python bound.py <pid of the sandbox> <command…>`.

It is a separate program, because between fork and exec a process with threads must not run Python (`preexec_fn`). It
imports none of our modules, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; stays set after exec
_NOT_STARTED = 127  # the shell's exit code for a command that can't be started


def main() -> None:
    """Replace this process by the command; never returns."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # the sandbox died before the call above
        sys.exit(_NOT_STARTED)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the purpose of this program
    except OSError as exc:
        sys.stderr.write(f"The container could not be started: {command[0]}: {exc.strerror}\n")
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    main()
