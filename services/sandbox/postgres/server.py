"""Runs a real Postgres 16 from the binaries of a wheel, set up like Supabase's.

The wheel's own `get_server()` changes the permissions of parent folders, so it is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from services.clients.postgres.installation import install
from services.clients.postgres.migrations import MIGRATIONS
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.sandbox.postgres.home import LOCK, PostgresHome, find_home
from services.sandbox.web_server import find_free_port

STOP_TIMEOUT_S = 15.0

# Postgres must survive Ctrl-C in the terminal until it is stopped in order, but never outlive its parent. So it has its
# own session, and this guard ends it (fast shutdown) when the other end of its standard input closes.
GUARD = """
exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null & watcher=$!
wait "$server"; code=$?
kill "$watcher" 2>/dev/null
exit "$code"
"""


def read_status(data: Path) -> str:
    """The server's status by its pid file: `starting`, `ready`, `stopping`; empty if there is none."""
    lines = _pid_file(data)
    return lines[7].strip() if len(lines) > 7 else ""


def end_left_over(data: Path) -> None:
    """End a server that outlived its guard; remove a pid file whose pid now belongs to another program.

    The caller holds the lock, so no process uses such a server any more.
    """
    lines = _pid_file(data)
    if not lines or not lines[0].strip().isdigit():
        return
    pid = int(lines[0])
    if str(data) not in _command_line(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    _signal(pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while str(data) in _command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.05)


def end_server(process: subprocess.Popen[bytes], data: Path) -> None:
    """Request a fast shutdown, and an immediate one if that takes too long."""
    pid = next((int(line) for line in _pid_file(data)[:1] if line.strip().isdigit()), None)
    if process.stdin is not None:
        process.stdin.close()
    else:
        _signal(pid, signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _signal(pid, signal.SIGQUIT)  # immediate; the next start recovers
        process.wait(STOP_TIMEOUT_S)


def _pid_file(data: Path) -> list[str]:
    """The lines of `postmaster.pid`: pid, data folder, start, port, socket folder, address, memory, status."""
    with contextlib.suppress(OSError):
        return (data / "postmaster.pid").read_text().splitlines()
    return []


def _command_line(pid: int) -> str:
    """The program and arguments of a process; empty if it is gone."""
    if Path("/proc/self/cmdline").exists():  # slim containers have no `ps`
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        return ""
    command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 - a number only


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


SUPERUSER = "supabase_admin"  # as on Supabase, where `postgres` is an ordinary owner
START_TIMEOUT_S = 60.0  # enough for crash recovery of a small cluster on a busy machine

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # TCP only: a socket's path would have to stay below 108 bytes
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}
_FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "scram_iterations": "1",  # 4096 by default, on both sides, which takes most of a login's time
}


class PostgresServer:
    """One server and its data. Its methods block: call them in a thread from async code.

    `port`: None takes a free one at each start. `fast`: gives up crash safety and slow hashes, for tests. `lifeline`: a
    named pipe; the server then lives while any process holds it open for writing, instead of while this process lives.
    """

    def __init__(
        self, data_dir: Path, port: int | None = None, *, fast: bool = False, lifeline: Path | None = None
    ) -> None:
        self._home: PostgresHome = find_home(data_dir)
        self._wanted_port = port
        self._fast = fast
        self._lifeline = lifeline
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self.port = port or 0

    @property
    def home(self) -> Path:
        """The folder that has data, log and passwords; as root not the folder asked for."""
        return self._home.path

    @property
    def is_running(self) -> bool:
        """True if the server process that this object started is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when the server accepts connections. Keeps existing data, also after a crash.

        Raises OperatorError if the server cannot start or another process uses the same data.
        """
        if self.is_running:
            return
        self._take_lock()
        try:
            self._home.prepare()
            self._initialise()
            end_left_over(self._home.data)
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut down fast: sessions end, data is safe. Does nothing if no server runs."""
        process, self._process = self._process, None
        if process is not None:
            end_server(process, self._home.data)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def erase(self) -> None:
        """Stop the server, even if another process started it, and delete the data and the passwords."""
        self.stop()
        end_left_over(self._home.data)
        self._home.erase()

    def program(self, name: str) -> Path:
        """The path of one of Postgres's own programs, of this server's version."""
        return self._home.binary(name)

    def dsn(self, user: str, password: str, database: str) -> str:
        """The connection string of one role on this server."""
        return f"postgresql://{quote(user)}:{quote(password)}@127.0.0.1:{self.port}/{quote(database)}"

    def superuser_dsn(self, database: str = "postgres") -> str:
        """The superuser's connection string, for creating the owner, as Supabase does, and nothing else."""
        return self.dsn(SUPERUSER, self._home.passwords()[SUPERUSER], database)

    def password(self, role: str) -> str:
        """The generated password of a role: made at the first call, then kept beside the data (mode 0600)."""
        known = self._home.passwords()
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            self._home.keep_passwords(known)
        return known[role]

    def _take_lock(self) -> None:
        self._home.path.mkdir(parents=True, exist_ok=True)
        lock = (self._home.path / LOCK).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise OperatorError(
                "Postgres was not started",
                why=f"another process runs it on the data in {self._home.path}",
                what_next="Stop that process, or use another data folder.",
            ) from None
        self._lock = lock

    def _initialise(self) -> None:
        """Create the cluster under another name first, so that an interrupted `initdb` never looks finished."""
        if self._home.data.exists():
            return
        unfinished, password_file = self._home.data.with_suffix(".new"), self._home.run / "password"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file.touch(mode=0o600)
        password_file.write_text(self.password(SUPERUSER))
        self._home.give(password_file)
        command = [str(self._home.binary("initdb")), "--pgdata", str(unfinished), "--username", SUPERUSER]
        options = ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        options += [f"--set={name}={value}" for name, value in _FAST_SETTINGS.items() if self._fast]
        try:
            done = subprocess.run(  # noqa: S603 - our own binary and arguments
                [*command, *options], capture_output=True, text=True, check=False, **self._home.identity
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise OperatorError(
                "Postgres could not make its data folder",
                why=(done.stderr.strip().splitlines() or ["initdb failed"])[-1],
                what_next=f"Look into {self._home.path}, or use another data folder.",
            )
        unfinished.rename(self._home.data)

    def _launch(self) -> None:
        settings = _SETTINGS | (_FAST_SETTINGS if self._fast else {})
        for _ in range(3):  # another process may take the free port before the server does
            self.port = self._wanted_port or find_free_port()
            options = [f"--{name}={value}" for name, value in {**settings, "port": str(self.port)}.items()]
            self._process = self._spawn([str(self._home.binary("postgres")), "-D", str(self._home.data), *options])
            if self._wait_until_ready():
                return
            end_server(self._process, self._home.data)
        raise OperatorError(
            "Postgres did not start",
            why=self._last_words(),
            what_next=f"Read {self._home.log}; a taken port or a full disk is the usual cause.",
        )

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        lifeline = subprocess.PIPE if self._lifeline is None else os.open(self._lifeline, os.O_RDONLY)
        try:
            with self._home.log.open("ab") as log:
                return subprocess.Popen(  # noqa: S603 - our own binary and arguments
                    ["/bin/sh", "-c", GUARD, "postgres-guard", *command],
                    stdin=lifeline,
                    stdout=log,
                    stderr=log,
                    cwd=self._home.run,
                    start_new_session=True,
                    **self._home.identity,
                )
        finally:
            if self._lifeline is not None:
                os.close(lifeline)

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.is_running and time.monotonic() < deadline:
            if read_status(self._home.data) == "ready":
                return True
            time.sleep(0.02)
        return False

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = [line for line in self._home.log.read_text(errors="replace").splitlines() if "FATAL" in line]
            if lines:
                return lines[-1].partition("FATAL:")[2].strip()
        return f"it was not ready within {START_TIMEOUT_S:.0f} s"


OWNER, APP, BOT = "postgres", "dragonfly_app", "dragonfly_bot"
DATABASE = "dragonfly"


@dataclass(frozen=True)
class SandboxDatabase:
    """The connection strings of one database, one per role."""

    owner: Secret
    app: Secret
    bot: Secret


def prepare_cluster(
    server: PostgresServer, *, environment: str = "dev", migrations: Path = MIGRATIONS, name: str = DATABASE
) -> SandboxDatabase:
    """Create the owner and the database if they are missing, migrate as the owner, and set the roles' passwords.

    Blocking; call it in a thread from async code. Safe to repeat at each start.
    """
    make_owner(server)
    make_database(server, name)
    database = dsns(server, name)
    asyncio.run(install(database.owner, environment=environment, directory=migrations))
    give_passwords(server, name)
    return database


def dsns(server: PostgresServer, database: str) -> SandboxDatabase:
    """The connection strings of one database."""
    return SandboxDatabase(*(Secret(server.dsn(role, server.password(role), database)) for role in (OWNER, APP, BOT)))


def make_owner(server: PostgresServer) -> None:
    """Create the owner unless it exists: the only thing done as superuser."""
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        if not _exists(conn, "SELECT FROM pg_roles WHERE rolname = %s", OWNER):
            conn.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB CREATEROLE BYPASSRLS PASSWORD {}").format(
                    sql.Identifier(OWNER), sql.Literal(server.password(OWNER))
                )
            )


def make_database(server: PostgresServer, name: str, *, template: str = "template0") -> None:
    """Create a database as the owner, unless it exists."""
    with psycopg.connect(dsns(server, "template1").owner.reveal(), autocommit=True) as conn:
        if not _exists(conn, "SELECT FROM pg_database WHERE datname = %s", name):
            # Our templates are small: copying their files takes half as long as writing them through the log.
            command = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            conn.execute(command.format(sql.Identifier(name), sql.Identifier(template)))


def give_passwords(server: PostgresServer, database: str) -> None:
    """Set the passwords of app and bot, because the migrations create these roles without one."""
    with psycopg.connect(dsns(server, database).owner.reveal(), autocommit=True) as conn:
        for role in (APP, BOT):
            command = sql.SQL("ALTER ROLE {} PASSWORD {}")
            conn.execute(command.format(sql.Identifier(role), sql.Literal(server.password(role))))


def _exists(conn: psycopg.Connection[tuple[object, ...]], query: LiteralString, name: str) -> bool:
    return conn.execute(query, (name,)).fetchone() is not None
