"""The API's errors: each is answered as `{"error": {"what", "why", "what_next"}}`."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import redacted

log = logging.getLogger(__name__)

DOCUMENT = "/openapi.json"  # needs the API key by default
RETRY_AFTER_S = 10  # about the time that a database takes to restart


class RefusedError(OperatorError):
    """A request that is refused with an HTTP status. No sentence repeats the request's content: it may be personal."""

    def __init__(self, status: int, what: str, *, why: str, what_next: str) -> None:
        super().__init__(what, why=why, what_next=what_next)
        self.status = status


class ErrorDetail(BaseModel):
    """An error in three sentences: what failed, why, and what to do next."""

    what: str
    why: str
    what_next: str


class ErrorAnswer(BaseModel):
    """The body of every answer with a status of 400 or more."""

    error: ErrorDetail


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route for these errors: the OpenAPI document names all possible ones."""
    return {status: {"model": ErrorAnswer, "description": HTTPStatus(status).phrase} for status in statuses}


def show_errors(app: FastAPI) -> None:
    """Register one handler per kind of error; any other error becomes a 500 without details."""

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(SourceError)
    async def source_failed(_: Request, error: SourceError) -> JSONResponse:
        log.warning("%s", error)
        what = "It is not known whether the request took effect" if error.outcome_unknown else "Nothing was changed"
        why = f"the {error.source} failed: {error.why}"
        answer = _answer(503, what, why, "Check /api/health, then try again.")
        if error.is_outage:
            answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        names = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
        return _answer(422, "The request was not understood", f"malformed: {names}", f"Its shape is in {DOCUMENT}.")

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        why = HTTPStatus(error.status_code).phrase.lower()
        answer = _answer(error.status_code, "The request was refused", why, f"The endpoints are in {DOCUMENT}.")
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(ClientDisconnect)
    async def went_away(_: Request, __: ClientDisconnect) -> JSONResponse:
        return _answer(400, "Nothing was stored", "the connection broke before the end of the file", "Send it again.")

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        # Starlette raises it again afterwards, and uvicorn logs it.
        return _answer(500, "The request failed", "an error in the API", "Look at its log (`logs api`).")


def refusal(error: RefusedError) -> JSONResponse:
    """The error response for a middleware, where exception handlers don't apply."""
    return _answer(error.status, error.what, error.why, error.what_next)


def _answer(status: int, what: str, why: str, what_next: str) -> JSONResponse:
    error = redacted({"what": what, "why": why, "what_next": what_next})
    return JSONResponse({"error": error}, status_code=status)
