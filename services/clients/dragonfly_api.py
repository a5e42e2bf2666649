"""Calls the Dragonfly API over HTTP and turns its answers into the words of the domain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar

import httpx
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from services.clients.tls import trusted_authorities
from services.domain.errors import REFUSED, SourceError
from services.domain.health import ApiHealth, Endpoint, IntakeHealth
from services.domain.intake import Batch
from services.domain.masking import mask_message
from services.domain.secrets import Secret
from services.domain.text import clean_text

SOURCE = "API"
KEY_HEADER = "X-DRAGONFLY-API-KEY"
MAX_ANSWER_BYTES = 1_000_000  # our longest answer has a few hundred; a proxy's error page must not fill the memory
MAX_WHY_LENGTH = 300


class DragonflyApi:
    """The API at `base_url`, asked over a new connection each time; close it with `aclose()`, or use it in a `with`.

    Every method raises `SourceError("API", …)` when no usable answer comes within `timeout_s` seconds, however slowly
    its bytes arrive. Proxy variables of the environment are honoured only for other machines.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None,
        *,
        timeout_s: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
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

    async def read_health(self) -> ApiHealth:
        """`GET /api/health`. A 503 with the usual body is an answer: the API lives, its database does not."""
        response, elapsed_ms = await self._send("GET", "api/health", accept=(200, 503))
        answer = _parse(_HealthAnswer, response)
        return ApiHealth(http_status=response.status_code, elapsed_ms=elapsed_ms, **dict(answer))

    async def read_intake_health(self) -> IntakeHealth:
        """`GET /api/v1/intake/health`; a 503 with the usual body is an answer too."""
        response, elapsed_ms = await self._send("GET", "api/v1/intake/health", accept=(200, 503))
        answer = _parse(_IntakeAnswer, response)
        return IntakeHealth(http_status=response.status_code, elapsed_ms=elapsed_ms, **dict(answer))

    async def read_endpoints(self) -> frozenset[Endpoint]:
        """What `GET /openapi.json` lists, asked with our key where we have one; a document kept from us raises."""
        headers = self._key_header() if self._api_key else {}
        response, _ = await self._send("GET", "openapi.json", accept=(200,), headers=headers)
        paths = _parse(_OpenApiAnswer, response).paths
        return frozenset(Endpoint(method.upper(), path) for path, methods in paths.items() for method in methods)

    async def upload_csv(
        self, name: str, content: bytes, source_system: str = "simplicity", *, is_golden_path: bool = False
    ) -> str:
        """Upload one file and return its batch id. Not repeated on failure: the API refuses a file it knows (409).

        `is_golden_path` marks it as test data of ours, which is never enforced.
        """
        response, _ = await self._send(
            "POST",
            "api/v1/intake/upload",
            accept=(202,),
            headers=self._key_header(),
            files={"file": (name, content, "text/csv")},
            data={"source_system": source_system, "golden_path": "true" if is_golden_path else "false"},
        )
        try:
            return _parse(_UploadAnswer, response).batch_id
        except SourceError as error:
            error.outcome_unknown = True  # it was accepted, and the answer is something in between's
            raise

    async def read_batch(self, batch_id: str) -> Batch:
        """`GET /api/v1/intake/batches/{id}`: the batch with the counts of its rows so far."""
        path = f"api/v1/intake/batches/{batch_id}"
        response, _ = await self._send("GET", path, accept=(200,), headers=self._key_header())
        return Batch(**dict(_parse(_BatchAnswer, response)))

    async def aclose(self) -> None:
        """Close the connections; calling it twice is harmless."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _key_header(self) -> dict[str, str]:
        if self._api_key is None:
            raise SourceError(SOURCE, "DRAGONFLY_API_KEY is not set, so the intake cannot be used")
        return {KEY_HEADER: self._api_key.reveal()}

    async def _send(
        self, method: str, path: str, *, accept: tuple[int, ...], **request: Any
    ) -> tuple[httpx.Response, float]:
        started = time.perf_counter()
        changes = method != "GET"
        try:
            # httpx bounds each read, not the whole: a server that drips bytes would hold us for ever.
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


_Model = TypeVar("_Model", bound=BaseModel)
Text = Annotated[str, AfterValidator(clean_text)]


_T = TypeVar("_T")


def _unless_odd(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


Lenient = Annotated[_T | None, WrapValidator(_unless_odd)]  # None for what is not said, or said in another way


class _HealthAnswer(BaseModel):
    """Of another version of the API some of it may be missing: only what needs it does without."""

    status: Text
    environment: Lenient[Text] = None
    git_sha: Lenient[Text] = None
    db_connected: Lenient[bool] = None
    timestamp: Lenient[AwareDatetime] = None
    db_writable: Lenient[bool] = None


class _IntakeAnswer(BaseModel):
    """The runbook's own answer has neither of the last two."""

    status: Text
    db_connected: Lenient[bool] = None
    pending_jobs: Lenient[int] = None
    last_batch_at: Lenient[AwareDatetime] = None


class _UploadAnswer(BaseModel):
    batch_id: Text


class _BatchAnswer(BaseModel):
    id: Text
    status: Text
    source_system: Text
    created_at: AwareDatetime
    row_count: int
    validated: int
    failed: int


class _OpenApiAnswer(BaseModel):
    paths: dict[str, dict[str, Any]]


class _ErrorDetail(BaseModel):
    what: str
    why: str


class _ErrorAnswer(BaseModel):
    error: _ErrorDetail


def _parse(model: type[_Model], response: httpx.Response) -> _Model:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        # Railway's edge answers with its own page while no process listens.
        faults = ", ".join(sorted({".".join(map(str, fault["loc"])) or "not JSON" for fault in error.errors()}))
        why = f"HTTP {response.status_code} with an answer that is not the API's own ({faults})"
        status = response.status_code
        raise SourceError(SOURCE, why, retryable=status >= 500, http_status=status) from None


def _refusal(response: httpx.Response, *, changes: bool) -> SourceError:
    status = response.status_code
    why, is_its_own = f"HTTP {status}", False
    with suppress(ValidationError):
        detail = _ErrorAnswer.model_validate_json(response.content).error
        why = f"HTTP {status}: {mask_message(f'{detail.what}: {detail.why}')}"[:MAX_WHY_LENGTH]
        is_its_own = True
    # A proxy that gave up waiting answers too, and the API may have finished behind it.
    is_certain = status in REFUSED or (is_its_own and status < 500)
    unknown = changes and not is_certain
    retryable = status >= 500 or status == 429
    return SourceError(SOURCE, why, retryable=retryable, outcome_unknown=unknown, http_status=status)
