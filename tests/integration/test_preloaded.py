"""A process forked from a preloaded one finds the same as an executed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preloaded import ROOT, WORKER, preload

FORKED, EXECUTED = ["-m"], ["-u", "-m"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is preloaded")


@pytest.fixture(autouse=True)
def preloaded() -> None:
    preload()


def test_forked_process_finds_what_an_executed_one_finds() -> None:
    posted = []
    for how in (FORKED, EXECUTED):
        done = subprocess.run(
            [sys.executable, *how, "tests.echo", "3", "two words"],
            input="given",
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "TZ": "UTC+5", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        assert (done.returncode, done.stderr) == (3, "an error\n")
        posted.append(json.loads(done.stdout))

    assert posted[0] == posted[1]
    assert posted[0]["parent"] == os.getpid()
    assert posted[0]["has_own_session"]


def test_preloaded_module_with_its_own_code_is_executed(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/echo.py").write_text("print('its own')")

    done = subprocess.run([sys.executable, "-m", "tests.echo"], cwd=tmp_path, capture_output=True, text=True)

    assert done.stdout == "its own\n"


def test_forked_process_is_killed_by_its_signal() -> None:
    with subprocess.Popen([sys.executable, "-m", "tests.echo", "0"], stdin=subprocess.PIPE) as process:
        process.send_signal(signal.SIGKILL)

        assert process.wait(60) == -signal.SIGKILL


AS_A_WORKER = """
import os, json, subprocess, sys
started = subprocess.run([sys.executable, "-m", "tests.echo", "0"], input="", capture_output=True, text=True)
print(json.dumps(["bot.app" in sys.modules, json.loads(started.stdout)["parent"] == os.getpid()]))
"""


def test_forked_worker_has_everything_imported_and_forks_what_it_starts() -> None:
    line = f"{AS_A_WORKER!r}\n"

    done = subprocess.run([sys.executable, *WORKER], input=line, capture_output=True, text=True, cwd=ROOT)

    assert (done.stdout, done.stderr) == ("[true, true]\n", "")


IMPORTING = """
import sys
from tests.preloaded import import_tests
import_tests(sys.argv[1:])
print("tests.integration.test_preloaded" in sys.modules)
"""


@pytest.mark.parametrize(("broken", "stays"), [("", "True"), ("import no_such_module", "False")])
def test_no_test_stays_imported_when_one_cannot_be(broken: str, stays: str, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(broken)
    tests = [str(ROOT / "tests/integration/test_preloaded.py"), str(tmp_path / "test_broken.py")]

    done = subprocess.run([sys.executable, "-c", IMPORTING, *tests], capture_output=True, text=True, cwd=ROOT)

    assert (done.stdout, done.stderr) == (f"{stays}\n", "")
