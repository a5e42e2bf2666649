"""Prints what it was started with, as JSON: `python -m tests.echo <exit code>`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    reported = {
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "path": sys.path[0],
        "parent": os.getppid(),
        "has_own_session": os.getsid(0) == os.getpid(),
        "open": sorted(int(one.name) for one in Path("/proc/self/fd").iterdir() if one.exists()),
        "input": sys.stdin.read(),
    }
    sys.stdout.write(json.dumps(reported))
    sys.stderr.write("an error\n")
    sys.exit(int(sys.argv[1]))
