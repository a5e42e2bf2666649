"""When it is certain that Railway did nothing; pure. After any other error it may have been done, and is read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.domain.errors import REFUSED

TOKEN_REFUSALS = ("not authorized", "project token not found", "two factor authentication")  # in Railway's words
# What a GraphQL server says of a document or of its variables before it carries anything out, and of an id it has not.
_REFUSALS = (
    *TOKEN_REFUSALS,
    "not found",
    "validation",
    "syntax error",
    "cannot query field",
    "unknown argument",
    "unknown type",
    "must have a selection of subfields",
    "must not have a selection",
    "got invalid value",
    "of required type",
)
# Of `extensions.code`, as Apollo's server sets it.
_CODES = frozenset(
    {
        "BAD_USER_INPUT",
        "FORBIDDEN",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "NOT_FOUND",
        "UNAUTHENTICATED",
    }
)


def is_refusal(status: int, answer: Mapping[str, Any]) -> bool:
    """Whether an answer with errors proves that nothing was done. `status` is the HTTP status it came with."""
    data, errors = answer.get("data"), answer.get("errors")
    if isinstance(data, dict) and any(value is not None for value in data.values()):
        return False
    if status in REFUSED:
        return True
    return status < 300 and isinstance(errors, list) and bool(errors) and all(map(_is_known, errors))


def _is_known(error: object) -> bool:
    if not isinstance(error, dict):
        return False
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    said = str(error.get("message") or "").lower()
    return code in _CODES or any(refusal in said for refusal in _REFUSALS)
