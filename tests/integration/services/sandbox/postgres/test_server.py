"""The embedded Postgres: starts, survives the usual events on a laptop, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services.domain.errors import OperatorError
from services.sandbox.postgres.home import MEMORY, SHARED, UNPRIVILEGED_USER, find_home
from services.sandbox.postgres.server import PostgresServer, prepare_cluster

PATIENCE_S = 60.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path / "postgres", fast=True)
    yield server
    server.erase()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A started server, for tests that only read."""
    server = PostgresServer(tmp_path_factory.mktemp("running"), fast=True)
    server.start()
    yield server
    server.erase()


def write(server: PostgresServer) -> None:
    with psycopg.connect(server.superuser_dsn()) as conn:
        conn.execute("CREATE TABLE kept (id integer)")


def is_kept(server: PostgresServer) -> bool:
    with psycopg.connect(server.superuser_dsn()) as conn:
        return conn.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)


def postmaster(home: Path) -> int:
    return int((home / "cluster" / "data" / "postmaster.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def parent_of(pid: int) -> int | None:
    """Return the parent's pid, None if the process is gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def test_a_second_start_keeps_data_and_passwords(server: PostgresServer) -> None:
    server.start()
    password = server.password("somebody")
    write(server)
    server.stop()
    server.start()

    assert is_kept(server)
    assert server.password("somebody") == password


def test_stopping_twice_or_before_the_start_does_nothing(server: PostgresServer) -> None:
    server.stop()
    server.start()
    pid = postmaster(server.home)
    server.stop()
    server.stop()

    assert not server.is_running
    assert not is_alive(pid)


def test_a_crash_of_everything_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres")
    try:
        server.start()
        write(server)
        os.kill(postmaster(server.home), signal.SIGKILL)
        server.stop()
        server.start()

        assert is_kept(server)
    finally:
        server.erase()


def test_a_pid_file_whose_number_went_to_another_program_is_no_obstacle(server: PostgresServer) -> None:
    server.start()
    lines = (server.home / "cluster/data/postmaster.pid").read_text().split("\n")
    server.stop()
    (server.home / "cluster/data/postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))

    server.start()

    assert server.is_running


def test_an_interrupted_first_start_is_made_good(server: PostgresServer) -> None:
    unfinished = server.home / "cluster" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("16\n")

    server.start()

    assert server.is_running


def test_two_servers_on_one_folder_are_refused(tmp_path: Path) -> None:
    first = PostgresServer(tmp_path, fast=True)
    first.start()
    try:
        with pytest.raises(OperatorError, match="another process runs it"):
            PostgresServer(tmp_path).start()
        assert first.is_running
    finally:
        first.erase()


def test_a_taken_port_is_reported(running: PostgresServer, tmp_path: Path) -> None:
    other = PostgresServer(tmp_path / "other", running.port, fast=True)
    try:
        with pytest.raises(OperatorError, match="Postgres did not start: could not create any TCP/IP sockets"):
            other.start()
    finally:
        other.erase()


def start_elsewhere(data: Path) -> subprocess.Popen[str]:
    code = (
        "import sys, time; from pathlib import Path; from services.sandbox.postgres.server import PostgresServer\n"
        "server = PostgresServer(Path(sys.argv[1]), fast=True); server.start(); print('started', flush=True)\n"
        "time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "started\n"
    return process


def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    with start_elsewhere(tmp_path / "postgres") as parent:
        pid = postmaster(find_home(tmp_path / "postgres").path)
        parent.kill()

    wait_until_gone(pid)
    PostgresServer(tmp_path / "postgres").erase()


def test_a_server_that_outlived_parent_and_guard_is_ended_by_the_next_start(
    tmp_path: Path, server: PostgresServer
) -> None:
    with start_elsewhere(tmp_path / "postgres") as parent:
        pid = postmaster(server.home)
        guard = parent_of(pid)
        assert guard is not None
        watcher = [child for child in processes() if parent_of(child) == guard and child != pid]
        for process in (guard, *watcher):  # the watcher alone would end the server a moment after the parent
            os.kill(process, signal.SIGKILL)
        parent.kill()
    assert is_alive(pid)

    server.start()

    assert not is_alive(pid)
    assert server.is_running


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(running: PostgresServer) -> None:
    assert os.getpgid(postmaster(running.home)) != os.getpgid(0)
    assert os.getsid(postmaster(running.home)) != os.getsid(0)


def test_no_one_enters_without_the_password(running: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(running.dsn("supabase_admin", "guess", "postgres"))


def test_passwords_are_for_the_owner_only(running: PostgresServer) -> None:
    running.password("somebody")

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in running.home.glob("passwords*")}
    assert modes == {"passwords.json": "0o600"}


def test_the_cluster_is_prepared_once_and_again(server: PostgresServer) -> None:
    server.start()
    first = prepare_cluster(server)
    second = prepare_cluster(server)

    assert [dsn.reveal() for dsn in (first.owner, first.app, first.bot)] == [
        dsn.reveal() for dsn in (second.owner, second.app, second.bot)
    ]
    with psycopg.connect(second.bot.reveal()) as conn:
        assert conn.execute("SELECT environment FROM chatops.installation").fetchone() == ("dev",)


def test_the_cluster_is_utf8_with_plain_sorting(running: PostgresServer) -> None:
    query = "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = 'template1'"
    with psycopg.connect(running.superuser_dsn()) as conn:
        assert conn.execute(query).fetchone() == ("UTF8", "C")


@as_root
def test_server_runs_as_an_unprivileged_user_when_started_as_root(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "postgres", fast=True)
    try:
        server.start()
        owner = Path(f"/proc/{postmaster(server.home)}").owner()
    finally:
        server.erase()

    assert owner == UNPRIVILEGED_USER
    assert not server.home.exists()


@as_root
def test_as_root_deleting_the_folder_deletes_the_data(server: PostgresServer, tmp_path: Path) -> None:
    server.start()
    write(server)
    server.stop()
    shutil.rmtree(tmp_path / "postgres")

    server.start()

    assert not is_kept(server)


@as_root
def test_as_root_data_of_deleted_folders_is_removed_by_the_next_start(server: PostgresServer, tmp_path: Path) -> None:
    gone = PostgresServer(tmp_path / "gone", fast=True)
    gone.start()
    gone.stop()
    shutil.rmtree(tmp_path / "gone")

    server.start()

    assert not gone.home.exists()
    assert server.is_running


@as_root
@pytest.mark.skipif(not MEMORY.exists(), reason="this system has no files in memory")
@pytest.mark.parametrize(("folder", "place"), [(MEMORY, MEMORY), (SHARED.parent, SHARED.parent)])
def test_as_root_data_asked_for_in_memory_lies_in_memory(folder: Path, place: Path) -> None:
    home = find_home(folder / f"dragonfly-never-made-{os.getpid()}" / "postgres")

    assert home.path.is_relative_to(place / SHARED.name)
    assert home.install.is_relative_to(SHARED)  # some folders don't allow programs to be run


@as_root
def test_an_ordinary_user_keeps_everything_below_the_folder_asked_for() -> None:
    """In a child that gives up root: this interpreter may be where other users cannot read it."""
    home = Path(f"/var/tmp/dragonfly-test-{os.getpid()}")  # noqa: S108 - other users cannot enter pytest's own folder
    home.mkdir()
    os.chown(home, 65534, 65534)
    try:
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os._exit(_start_and_stop(home))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (home / "postgres" / "cluster" / "data" / "PG_VERSION").read_text() == "16\n"
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


def _start_and_stop(home: Path) -> int:
    try:
        server = PostgresServer(home / "postgres", fast=True)
        server.start()
        write(server)
        server.stop()
    except BaseException:
        return 1
    return 0
