"""Asks the API over HTTP within limits of time and size, and reads its JSON; each system's reader knows what to ask."""

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
MAX_ANSWER_BYTES = 1_000_000  # our longest answer has a few hundred; a proxy's error page must not fill the memory
MAX_WHY_LENGTH = 300


class ApiHttp:
    """The API at `base_url`, asked over a new connection each time; close it with `aclose()`.

    `send` raises `SourceError("API", …)` when no usable answer comes within `timeout_s` seconds, however slowly its
    bytes arrive. Proxy variables of the environment are honoured only for other machines.
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
            # It is asked every few seconds, about as long as servers keep an idle connection: one that it closes at
            # that very moment would look like an API in trouble, and leave open whether an upload arrived.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=base.host not in ("127.0.0.1", "localhost", "::1"),
        )

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    def key_header(self) -> dict[str, str]:
        """Raises SourceError without a key."""
        if self._api_key is None:
            raise SourceError(SOURCE, "DRAGONFLY_API_KEY is not set, so the intake cannot be used")
        return {KEY_HEADER: self._api_key.reveal()}

    def key_header_if_known(self) -> dict[str, str]:
        """Empty without a key: what is asked may be open to everyone."""
        return self.key_header() if self._api_key else {}

    async def send(
        self, method: str, path: str, *, accept: tuple[int, ...], **request: Any
    ) -> tuple[httpx.Response, float]:
        """The answer, if its status is among `accept`, and how many milliseconds it took."""
        started = time.perf_counter()
        changes = method != "GET"
        try:
            # httpx bounds each read, not the whole: a server that drips bytes would hold us forever.
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


def _unless_odd(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


Lenient = Annotated[_T | None, WrapValidator(_unless_odd)]  # None for what is not said, or said in another way


class ApiAnswer(BaseModel):
    """What the API says. Built when its first answer comes: a command needs one or two of them, of one system."""

    model_config = ConfigDict(defer_build=True)


class _UploadAnswer(ApiAnswer):
    batch_id: Text


class _ErrorDetail(ApiAnswer):
    what: str
    why: str


class _ErrorAnswer(ApiAnswer):
    """`{error: {what, why}}`; the system `civil` has `{error, message}`, both text."""

    error: _ErrorDetail | str
    message: str = ""

    @property
    def words(self) -> str:
        detail = self.error
        parts = (detail, self.message) if isinstance(detail, str) else (detail.what, detail.why)
        return ": ".join(part for part in parts if part)


def parse_answer(model: type[_Model], response: httpx.Response) -> _Model:
    """Raises SourceError, with the names of the fields that do not fit."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        # Railway's edge answers with its own page while no process listens.
        faults = ", ".join(sorted({_fault(fault) for fault in error.errors()}))
        why = f"HTTP {response.status_code} with an answer that is not the API's own ({faults})"
        status = response.status_code
        raise SourceError(SOURCE, why, retryable=status >= 500, http_status=status) from None


def _fault(fault: ErrorDetails) -> str:
    """The field, or what is wrong with the whole."""
    whole = "not JSON" if fault["type"] == "json_invalid" else fault["msg"].removeprefix("Value error, ")
    return ".".join(map(str, fault["loc"])) or whole


def parse_upload(response: httpx.Response) -> str:
    """The id of the batch that an accepted upload became."""
    try:
        return parse_answer(_UploadAnswer, response).batch_id
    except SourceError as error:
        error.outcome_unknown = True  # it was accepted, and the answer is something in between's
        raise


def _refusal(response: httpx.Response, *, changes: bool) -> SourceError:
    status = response.status_code
    why, is_its_own = f"HTTP {status}", False
    with suppress(ValidationError):
        words = _ErrorAnswer.model_validate_json(response.content).words
        why = f"HTTP {status}: {mask_message(words)}"[:MAX_WHY_LENGTH]
        is_its_own = True
    # A proxy that gave up waiting answers too, and the API may have finished behind it.
    is_certain = status in REFUSED or (is_its_own and status < 500)
    unknown = changes and not is_certain
    retryable = status >= 500 or status == 429
    return SourceError(SOURCE, why, retryable=retryable, outcome_unknown=unknown, http_status=status)
