"""A worker that only sends heartbeats: tests start hundreds, each in a twentieth of the time of one with psycopg.

`python -I -S tests/small_worker.py` uses no packages, so it calls libpq itself. Its environment: LIBPQ, the path of
that library; DATABASE, a connection string; WORKER_TYPE; RAILWAY_GIT_COMMIT_SHA; SAID_FIRST, lines for its log if any.
On SIGTERM it sends a last heartbeat, `stopped`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

BEAT_EVERY_S = 0.2
CONNECTED, DONE = 0, 1  # CONNECTION_OK, PGRES_COMMAND_OK
BEAT = (
    "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, git_sha) VALUES ('{}', '{}', '{}', '{}')"
    " ON CONFLICT (worker_id) DO UPDATE SET last_heartbeat_at = now(), status = excluded.status"
)


def load(path: str) -> ctypes.CDLL:
    pq = ctypes.CDLL(path)
    pq.PQconnectdb.restype = pq.PQexec.restype = ctypes.c_void_p
    pq.PQstatus.argtypes = pq.PQresultStatus.argtypes = pq.PQclear.argtypes = [ctypes.c_void_p]
    pq.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return pq


def main() -> None:
    stopped: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    print(os.environ.get("SAID_FIRST", ""), flush=True)  # noqa: T201
    print("DRAGONFLY WORKER STARTING", flush=True)  # noqa: T201 - these lines are in the real worker's log
    pq = load(os.environ["LIBPQ"])
    conn = pq.PQconnectdb(os.environ["DATABASE"].encode())
    if pq.PQstatus(conn) != CONNECTED:
        sys.exit("cannot connect")
    print("PostgreSQL connection established", flush=True)  # noqa: T201
    print("Entering main loop...", flush=True)  # noqa: T201
    worker_id, sha = f"ingest-{os.urandom(4).hex()}", os.environ["RAILWAY_GIT_COMMIT_SHA"]
    while True:
        status = "stopped" if stopped else "running"
        result = pq.PQexec(conn, BEAT.format(worker_id, os.environ["WORKER_TYPE"], status, sha).encode())
        if pq.PQresultStatus(result) != DONE:
            sys.exit("the database went away")
        pq.PQclear(result)
        if status == "stopped":
            return
        if not stopped:
            time.sleep(BEAT_EVERY_S)


if __name__ == "__main__":
    main()
