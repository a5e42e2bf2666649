"""The terminal command as a process: the effects of Ctrl-C and of a closed pipe."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

# A test run in the background ignores Ctrl-C, and so do its children; those of a terminal do not.
MAIN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from bot.cli import main; main()"


def start(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], **environment},
    )


def test_ctrl_c_ends_it_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        url = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d"
        process = start("queue", SUPABASE_DB_URL=url, SUPABASE_MODE="dev", ENVIRONMENT="dev")
        accepted, _ = silent.accept()

        process.send_signal(signal.SIGINT)
        posted = process.communicate(timeout=30)
        accepted.close()

    assert process.returncode == 130
    assert posted == ("", "")


def test_a_reader_that_went_away_costs_no_traceback() -> None:
    with start("help") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        complaint = process.stderr.read()

    assert process.returncode == 0
    assert complaint == ""
