"""Client of the bot's endpoint for machines (`POST /machines`), used by the MCP server.

Every failure is a SourceError("Dragonfly", …); a refused command is an answer, not a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from services.clients.bounded_http import send_bounded
from services.clients.tls import trusted_authorities
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.text import read_json

SOURCE = "Dragonfly"
TIMEOUT_S = 60.0  # an answer from the language model takes about 20 s


@dataclass(frozen=True)
class DoorAnswer:
    """An answer to one command. `text`: as a terminal shows it. `data`: as `--json` prints it.

    `run`: the run of a change, `{id, state, link, …}`, else None.
    """

    is_refused: bool
    text: str
    data: Mapping[str, Any]
    run: Mapping[str, Any] | None


class MachineDoorClient:
    """Calls the endpoint at `url`, the bot's public address. Close it with `aclose`. `transport`: for tests."""

    def __init__(self, url: str, token: Secret, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {token.reveal()}"},
            timeout=TIMEOUT_S,
            verify=trusted_authorities(),
            transport=transport,
        )

    async def call(self, verb: str, arguments: str, *, request_id: str) -> DoorAnswer:
        """Run one command. Pass the same `request_id` for a repetition, so that a change is filed once."""
        body = {"verb": verb, "arguments": arguments, "request_id": request_id}
        try:
            response = await send_bounded(self._http, "POST", "/machines", json=body)
        except httpx.HTTPError as error:
            why = f"the bot was not reached ({type(error).__name__})"
            raise SourceError(SOURCE, why, retryable=True, outcome_unknown=True) from None
        return _read(response)

    async def aclose(self) -> None:
        await self._http.aclose()


_REFUSED = {
    401: "it does not know this token (MACHINE_TOKENS)",
    404: "no machine may call it (MACHINE_TOKENS is not set, or this is another address)",
    413: "the arguments are too long",
    429: "too many calls; wait a minute",
}


def _read(response: httpx.Response) -> DoorAnswer:
    if response.status_code in _REFUSED:
        raise SourceError(SOURCE, _REFUSED[response.status_code], http_status=response.status_code)
    try:
        body: Any = read_json(response.content)
        run = body["run"]
        answer = DoorAnswer(response.status_code != 200, str(body["text"]), body, run)
        is_understood = run is None or {"id", "state", "link"} <= run.keys()
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        is_understood = False
    if not is_understood:
        raise _unknown(response, f"its answer cannot be understood (HTTP {response.status_code})")
    if response.status_code >= 500 and body.get("outcome_unknown") is not False:
        raise _unknown(response, f"it answered HTTP {response.status_code}")
    return answer


def _unknown(response: httpx.Response, why: str) -> SourceError:
    return SourceError(SOURCE, why, outcome_unknown=True, http_status=response.status_code)
