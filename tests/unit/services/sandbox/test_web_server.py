"""Free ports that no other process is given before the intended one listens."""

from __future__ import annotations

import socket

from services.sandbox.web_server import find_free_port

SMALLEST_GIVEN_OUT = 32_768  # the first port that Linux gives to a process that asks for any; elsewhere higher


def test_find_free_port_is_outside_the_ports_that_the_system_hands_out() -> None:
    assert all(1024 <= find_free_port() < SMALLEST_GIVEN_OUT for _ in range(100))


def test_find_free_port_skips_a_port_in_use() -> None:
    free = find_free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]

        assert {find_free_port(among=(taken, free)) for _ in range(20)} == {free}
