"""Receives one uploaded file without holding it in memory and without taking more than is allowed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.api.errors import RefusedError

FORM_OVERHEAD_BYTES = 64 * 1024  # boundaries, part headers and the small fields around the file
MAX_FIELDS = 4


@asynccontextmanager
async def received_form(request: Request, *, max_bytes: int) -> AsyncIterator[FormData]:
    """The form, its file on disk beyond 1 MB; both are gone afterwards. Raises RefusedError (400, 413)."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes + FORM_OVERHEAD_BYTES:
        raise _too_large(max_bytes)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise _malformed("the body is not multipart/form-data")
    stream = _bounded(request, max_bytes)
    try:
        form = await MultiPartParser(request.headers, stream, max_files=1, max_fields=MAX_FIELDS).parse()
    except MultiPartException:
        raise _malformed("the form cannot be read") from None
    finally:
        await stream.aclose()
    try:
        yield form
    finally:
        await form.close()


def file_of(form: FormData) -> UploadFile:
    """The part called `file`. Raises RefusedError (400)."""
    part = form.get("file")
    if not isinstance(part, UploadFile):
        raise _malformed("no part called `file` holds a file")
    return part


async def _bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > max_bytes + FORM_OVERHEAD_BYTES:
            raise _too_large(max_bytes)  # the parser closes its files and lets it pass
        yield chunk


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(
        413,
        "Nothing was stored",
        why=f"the file is larger than {max_bytes:,} bytes",
        what_next="Split it, or raise MAX_UPLOAD_BYTES on dragonfly-api.",
    )


def _malformed(why: str) -> RefusedError:
    return RefusedError(
        400,
        "Nothing was stored",
        why=why,
        what_next="Send multipart/form-data with the CSV in the part `file`: curl -F file=@batch.csv …",
    )
