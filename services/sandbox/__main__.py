"""`make demo`, or `dragonfly-demo` of a wheel: the whole product on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.sandbox.environment import NAME, PROD, STAGING, Identity
from services.sandbox.postgres.server import PostgresServer
from services.sandbox.sandbox import Sandbox, SandboxSettings

DATA = Path(".sandbox")  # in the folder in which the demo is started
# slack_sdk and others use a proxy even for 127.0.0.1, where everything here runs.
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def main() -> int:
    """Run or reset the demo; return the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8800, help="the page's port, or the next free one (default 8800)")
    parser.add_argument("--data", type=Path, default=DATA, help="where everything is kept between starts")
    parser.add_argument("--reset", action="store_true", help="empty what is kept, and end")
    chosen = parser.parse_args()
    chosen.data = chosen.data.absolute()  # processes are started in another folder
    for name in PROXY_VARIABLES:
        os.environ.pop(name, None)
    try:
        with _claim(chosen.data):
            if chosen.reset:
                return _reset(chosen.data)
            key = os.environ.get("OPENAI_API_KEY", "").strip()
            settings = SandboxSettings(
                chosen.data,
                chosen.port,
                database_url=_given_database(),
                plant_history=True,
                openai_key=Secret(key) if key else None,
                identity=_identity(chosen.data),
                second=None if _given_database() else STAGING,
            )
            return asyncio.run(_run(settings))
    except OperatorError as error:
        _log(f"\n{error.what}: {error.why}.\n{error.what_next}")
        return 1


async def _run(settings: SandboxSettings) -> int:
    ended, began = asyncio.Event(), time.monotonic()
    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(wanted, ended.set)
    sandbox = Sandbox(settings, progress=lambda line: _log(f"  … {line}"))
    _log("Starting the sandbox")
    starting = asyncio.create_task(sandbox.start())
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            return 130
        await starting
        _log(f"\nReady after {time.monotonic() - began:.0f} s. Open {sandbox.page_url} and type /dragonfly health")
        _log(f"On another terminal: {_shown(settings.directory / NAME)} health")
        _log(f"Logs are in {settings.directory / 'logs'}. Ctrl-C stops everything; the data stays.")
        await waiting
        _log("\nStopping")
    finally:
        waiting.cancel()
        await sandbox.stop()
    _log("Everything is stopped. The next start continues with the same data; --reset (make demo-reset) deletes it.")
    return 0


def _reset(directory: Path) -> int:
    server = PostgresServer(directory / "postgres")
    server.erase()
    shutil.rmtree(directory, ignore_errors=True)
    _log("The demo's data is deleted. The next start begins with none.")
    return 0


@contextlib.contextmanager
def _claim(directory: Path) -> Iterator[None]:
    """Lock the folder, so that only one sandbox uses it. Raises OperatorError."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OperatorError(
                "Nothing was started or emptied",
                why=f"a sandbox is running on {directory}",
                what_next="Stop it with Ctrl-C in its terminal, or name another folder with --data",
            ) from None
        yield


def _identity(directory: Path) -> Identity:
    """The demo is prod, unless an earlier release began this data as dev: a database belongs to one environment."""
    began = directory / "environment"
    if _given_database() is not None or ((directory / "railway.json").exists() and not began.exists()):
        return Identity()
    began.write_text(f"{PROD.environment}\n")
    return PROD


def _given_database() -> Secret | None:
    given = os.environ.get("SUPABASE_DB_URL", "").strip()
    return Secret(given) if given else None


def _shown(path: Path) -> Path:
    """The path as typed in this folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _log(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
