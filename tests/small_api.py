"""An API that only reports ok: `python -I -S tests/small_api.py`, without the start time of `http.server`.

Its environment: PORT; RAILWAY_GIT_COMMIT_SHA; SAID_FIRST, lines for its log if any; REFUSES_WITH, the body of its 500
to an upload. One answer per connection, whatever the path.
"""

import _thread
import os
import socket
import time

BODY = '{{"status": "ok", "environment": "prod", "db_connected": true, "git_sha": "{sha}", "timestamp": "{now}+00:00"}}'
HEAD = "HTTP/1.0 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


def answer(line: socket.socket) -> None:
    with line, line.makefile("rb") as asked:
        method, length = asked.readline().split(b" ")[0], 0
        while header := asked.readline().strip().lower():
            name, _, value = header.partition(b":")
            length = int(value) if name == b"content-length" else length
        asked.read(length)
        if not method:
            return  # the client closed the connection
        status, body = ("500 Refused", os.environ["REFUSES_WITH"]) if method == b"POST" else ("200 OK", _health())
        line.sendall((HEAD.format(status, len(body.encode())) + body).encode())


def _health() -> str:
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return BODY.format(sha=os.environ["RAILWAY_GIT_COMMIT_SHA"], now=now)


def main() -> None:
    print(os.environ.get("SAID_FIRST", ""), flush=True)  # noqa: T201
    with socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=100) as server:
        while True:
            _thread.start_new_thread(answer, (server.accept()[0],))


if __name__ == "__main__":
    main()
