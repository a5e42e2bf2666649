"""Processes of the local Railway under kill, freeze, restart, and the end of the sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.replica import Replica
from tests.outside import QUIET_S

API, WORKER = "dragonfly-api", "dragonfly-worker-ingest"
REPOSITORY = Path(__file__).parents[5]


def replica_of(railway: LocalRailway, service: str) -> Replica:
    active = railway.find_service(service).active
    assert active is not None
    return active.replicas[0]


async def until(railway: LocalRailway, is_so: Callable[[], bool]) -> None:
    """Wait until this is true; the test fails after 60 s."""
    async with asyncio.timeout(60):
        async for _ in railway.subscribe():
            if is_so():
                return


async def until_state(pid: int, is_so: Callable[[str], bool]) -> None:
    """Wait until the process is in this state: a signal takes effect later. The test fails after 60 s."""
    async with asyncio.timeout(60):
        while not is_so(state_of(pid)):
            await asyncio.sleep(0.01)


def state_of(pid: int) -> str:
    """Return the state letter of /proc: T is stopped, Z a zombie; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return state_of(pid) == "Z"


def pids_of(railway: LocalRailway) -> list[int]:
    return [replica.pid for service in railway.snapshot().services for replica in service.replicas if replica.pid]


async def test_output_becomes_log_lines(railway: LocalRailway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test")
    railway.restart(WORKER)
    active = railway.find_service(WORKER).active
    assert active is not None
    async with asyncio.timeout(60):
        while len(active.logs.entries) < 7:
            await asyncio.sleep(0.02)

    lines = {(entry.severity, entry.message) for entry in active.logs.entries}

    assert lines == {
        ("info", "working as dragonfly-worker-ingest without proxy"),
        ("warn", "half full"),
        ("error", "to stderr"),
        ("info", "goodbye"),
    }


async def test_killed_replica_stays_down_until_it_is_started(railway: LocalRailway) -> None:
    replica = replica_of(railway, WORKER)
    pid = replica.pid
    assert pid is not None

    railway.kill(replica.id)
    await until(railway, lambda: replica.status == "CRASHED")
    service = railway.snapshot().services[1]
    railway.start_replica(replica.id)
    await until(railway, lambda: replica.is_running)

    assert is_gone(pid)
    assert service.deployments[0].status == "CRASHED"
    assert service.replicas_configured == 1
    assert railway.snapshot().services[1].deployments[0].status == "SUCCESS"


async def test_process_that_dies_by_itself_is_started_again(railway: LocalRailway) -> None:
    replica = replica_of(railway, WORKER)
    first = replica.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    await until(railway, lambda: replica.is_running and replica.pid not in (None, first))

    assert replica.restarts == 1


async def test_frozen_replica_lives_and_thaws(railway: LocalRailway) -> None:
    replica = replica_of(railway, WORKER)
    pid = replica.pid
    assert pid is not None

    railway.freeze(replica.id)
    await until_state(pid, lambda state: state == "T")
    lives = replica.status
    railway.thaw(replica.id)
    await until_state(pid, lambda state: state != "T")

    assert (lives, replica.is_frozen) == ("RUNNING", False)


async def test_restart_keeps_the_deployment_and_changes_the_process(railway: LocalRailway) -> None:
    replica = replica_of(railway, WORKER)
    active, first = railway.find_service(WORKER).active, replica.pid

    railway.restart(WORKER)
    await until(railway, lambda: replica.is_running and replica.pid not in (None, first))

    assert railway.find_service(WORKER).active is active


async def test_stop_leaves_no_process_not_even_a_frozen_one(railway: LocalRailway) -> None:
    pids = pids_of(railway)
    railway.freeze(replica_of(railway, WORKER).id)
    railway.deploy(API, "b2680fd9")

    await railway.stop()

    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)
    assert pids_of(railway) == []


async def test_process_that_ignores_sigterm_is_killed(build_railway: Callable[..., LocalRailway]) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    railway = build_railway(worker=deaf)
    await railway.start()
    await railway.wait_until_serving(60)
    active = railway.find_service(WORKER).active
    assert active is not None
    async with asyncio.timeout(60):
        while not active.logs.entries:
            await asyncio.sleep(0.02)
    pids = pids_of(railway)

    await railway.stop()

    assert all(is_gone(pid) for pid in pids)


async def test_second_start_resumes_the_deployments(build_railway: Callable[..., LocalRailway]) -> None:
    first = build_railway()
    await first.start()
    await first.wait_until_serving(60)
    deployed = first.deploy(WORKER, "8d02b64e")
    await until(first, lambda: first.find_service(WORKER).active is deployed)
    first.scale(WORKER, 2)
    await first.stop()

    second = build_railway()
    await second.start()
    await second.wait_until_serving(60)
    before, after = first.snapshot(), second.snapshot()
    await second.stop()

    assert after.environment_id == before.environment_id
    assert after.services[1].id == before.services[1].id
    assert after.services[1].active is not None
    assert after.services[1].active.id == deployed.id
    assert len(after.services[1].replicas) == 2
    assert [one.id for one in after.services[0].deployments] == [one.id for one in before.services[0].deployments]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_die_when_the_sandbox_is_killed(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import ServiceSpec

async def main():
    spec = ServiceSpec("dragonfly-worker-ingest", ("python", "-c", "import time; time.sleep(60)"))
    railway = LocalRailway([spec], directory=Path({str(tmp_path)!r}), working_directory=Path("."), token="t")
    await railway.start()
    await railway.wait_until_serving(60)
    print(railway.snapshot().services[0].replicas[0].pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    sandbox = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert sandbox.stdout is not None
    with sandbox.stdout:
        child = int(sandbox.stdout.readline())
        os.kill(child, 0)

        sandbox.kill()
        sandbox.wait(60)

    for _ in range(1200):
        if is_gone(child):
            return
        signal.sigtimedwait([], 0.05)
    pytest.fail("the child outlived the sandbox")


async def test_deploy_right_after_a_second_start_replaces_what_is_resumed(
    build_railway: Callable[..., LocalRailway],
) -> None:
    first = build_railway()
    await first.start()
    await first.wait_until_serving(60)
    await first.stop()

    second = build_railway()
    await second.start()
    deployed = second.deploy(API, "8d02b64e")
    await until(second, lambda: second.find_service(API).active is deployed)
    await until(second, lambda: second.snapshot().services[0].deployments[1].status == "REMOVED")
    pids = pids_of(second)
    await second.stop()

    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.15, 0.4])
async def test_stop_in_the_middle_of_a_start_leaves_no_process(
    build_railway: Callable[..., LocalRailway], tmp_path: Path, seconds: float
) -> None:
    note = "import os, pathlib, time; pathlib.Path(os.environ['NOTES'], str(os.getpid())).touch(); time.sleep(60)"
    first = build_railway()
    await first.start()
    await first.wait_until_serving(60)
    await first.stop()
    notes = tmp_path / "notes"
    notes.mkdir()

    second = build_railway(api=note, worker=note, variables={"NOTES": str(notes)})
    await second.start()
    second.deploy(API, "8d02b64e")
    await asyncio.sleep(seconds)
    await second.stop()
    await asyncio.sleep(QUIET_S)

    assert all(is_gone(int(pid.name)) for pid in notes.iterdir())
