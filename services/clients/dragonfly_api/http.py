"""Send HTTP requests to the API within limits of time and size, and parse its JSON; each system's reader calls this."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeVar

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import ErrorDetails

from services.clients.tls import trusted_authorities
from services.domain.errors import REFUSED, SourceError
from services.domain.masking import mask_message
from services.domain.secrets import Secret
from services.domain.text import clean_text

SOURCE = "API"
KEY_HEADER = "X-DRAGONFLY-API-KEY"
MAX_ANSWER_BYTES = 1_000_000  # the API's longest answer has a few hundred; a proxy's error page must not fill memory
MAX_WHY_LENGTH = 300


class ApiHttp:
    """HTTP access to the API at `base_url`, with a new connection per request; close it with `aclose()`.

    `send` raises `SourceError("API", …)` when no usable answer comes within `timeout_s` seconds, however slowly its
    bytes arrive. Proxy environment variables apply only when the API is on another machine.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None,
        *,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._api_key = api_key
        self._timeout_s = timeout_s
        base = httpx.URL(base_url.rstrip("/") + "/")
        self._http = httpx.AsyncClient(
            base_url=base,
            timeout=timeout_s,
            transport=transport,
            verify=trusted_authorities(),
            # Requests are a few seconds apart, about as long as servers keep an idle connection open. A connection
            # closed at that moment would look like a broken API, or leave unknown whether an upload arrived.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=base.host not in ("127.0.0.1", "localhost", "::1"),
        )

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    def key_header(self) -> dict[str, str]:
        """The header with the API key. Raises SourceError without a key."""
        if self._api_key is None:
            raise SourceError(SOURCE, "DRAGONFLY_API_KEY is not set, so the intake cannot be used")
        return {KEY_HEADER: self._api_key.reveal()}

    def key_header_if_known(self) -> dict[str, str]:
        """The header with the API key; empty without a key, for endpoints that may be open to everyone."""
        return self.key_header() if self._api_key else {}

    async def send(
        self, method: str, path: str, *, accept: tuple[int, ...], **request: Any
    ) -> tuple[httpx.Response, float]:
        """Return the answer and its duration in milliseconds. Raises SourceError if its status is not in `accept`."""
        started = time.perf_counter()
        changes = method != "GET"
        try:
            # httpx limits each read, not the whole request: a server that sends bytes slowly would never time out.
            async with asyncio.timeout(self._timeout_s):
                response = await self._receive(method, path, request)
        except (TimeoutError, httpx.TimeoutException) as error:
            why = f"no answer within {self._timeout_s:g} s"
            raise SourceError(SOURCE, why, retryable=True, outcome_unknown=changes) from error
        except httpx.ConnectError as error:
            raise SourceError(SOURCE, "connection refused or host unknown", retryable=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = f"the connection broke ({type(error).__name__})"
            raise SourceError(SOURCE, why, retryable=True, outcome_unknown=changes) from error
        if response.status_code not in accept:
            raise _refusal(response, changes=changes)
        return response, (time.perf_counter() - started) * 1000

    async def _receive(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response:
        async with self._http.stream(method, path, **request) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    why = f"the answer is longer than {MAX_ANSWER_BYTES} bytes"
                    raise SourceError(SOURCE, why, outcome_unknown=method != "GET")
        return httpx.Response(response.status_code, content=bytes(body))


_Model = TypeVar("_Model", bound="ApiAnswer")
Text = Annotated[str, AfterValidator(clean_text)]


_T = TypeVar("_T")


def _none_if_invalid(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


Lenient = Annotated[_T | None, WrapValidator(_none_if_invalid)]  # None for a field that is absent or has another type


class ApiAnswer(BaseModel):
    """An answer of the API. Validators are built at first use, because a command needs only 1 or 2 of these models."""

    model_config = ConfigDict(defer_build=True)


class _UploadAnswer(ApiAnswer):
    batch_id: Text


class _ErrorDetail(ApiAnswer):
    what: str
    why: str


class _ErrorAnswer(ApiAnswer):
    """An error of the API: `{error: {what, why}}`; the system `civil` sends `{error, message}`, both text."""

    error: _ErrorDetail | str
    message: str = ""

    @property
    def words(self) -> str:
        detail = self.error
        parts = (detail, self.message) if isinstance(detail, str) else (detail.what, detail.why)
        return ": ".join(part for part in parts if part)


def parse_answer(model: type[_Model], response: httpx.Response) -> _Model:
    """Parse an answer. Raises SourceError with the names of the fields that do not fit."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        # While no process listens, Railway's edge answers with an error page of its own.
        faults = ", ".join(sorted({_fault(fault) for fault in error.errors()}))
        why = f"HTTP {response.status_code} with an answer that is not the API's own ({faults})"
        status = response.status_code
        raise SourceError(SOURCE, why, retryable=status >= 500, http_status=status) from None


def _fault(fault: ErrorDetails) -> str:
    """The name of the field that does not fit, or the problem with the whole answer."""
    whole = "not JSON" if fault["type"] == "json_invalid" else fault["msg"].removeprefix("Value error, ")
    return ".".join(map(str, fault["loc"])) or whole


def parse_upload(response: httpx.Response) -> str:
    """The id of the batch that was created from an accepted upload."""
    try:
        return parse_answer(_UploadAnswer, response).batch_id
    except SourceError as error:
        error.outcome_unknown = True  # the status says accepted, but the answer may come from a proxy
        raise


def _refusal(response: httpx.Response, *, changes: bool) -> SourceError:
    status = response.status_code
    why, is_its_own = f"HTTP {status}", False
    with suppress(ValidationError):
        words = _ErrorAnswer.model_validate_json(response.content).words
        why = f"HTTP {status}: {mask_message(words)}"[:MAX_WHY_LENGTH]
        is_its_own = True
    # A 5xx or a foreign answer may come from a proxy that gave up waiting while the API finished the work.
    is_certain = status in REFUSED or (is_its_own and status < 500)
    unknown = changes and not is_certain
    retryable = status >= 500 or status == 429
    return SourceError(SOURCE, why, retryable=retryable, outcome_unknown=unknown, http_status=status)
