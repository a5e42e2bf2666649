"""Ask a language model one question through OpenAI's Responses API. Raises SourceError("OpenAI", …).

The request asks for the strict schema of a type; the caller checks whether the answer fits it. The service is asked to
store nothing, and the model gets no hosted tool.

The SDK is imported at the first question: that takes 0.5 s, which a process without a key does not need to spend. The
import runs in a thread, so that the event loop can acknowledge clicks meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.domain import model_prices
from services.domain.errors import SourceError
from services.domain.model_prices import Usage
from services.domain.secrets import Secret, without_own_secrets

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAIError


SOURCE = "OpenAI"
MAX_ANSWER_BYTES = 1_000_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0

Again = Callable[[SourceError], Awaitable[bool]]


async def _always(_: SourceError) -> bool:
    return True


@dataclass(frozen=True)
class Answer:
    """`text`: what the model wrote; None if it wrote nothing usable, and `refused_because` then gives the reason.

    The text is not checked against the schema yet. `usage` is None when the service reported none.
    """

    text: str | None
    refused_because: str | None
    usage: Usage | None


@dataclass(frozen=True)
class Question:
    """A question for the model. `answer_type` gives the strict schema: all its fields required, no others allowed."""

    instructions: str
    text: str
    answer_type: type[BaseModel]
    max_output_tokens: int

    @property
    def most_tokens(self) -> Usage:
        """An upper limit of the tokens that the question can use."""
        letters = len(self.instructions) + len(self.text) + len(str(self.answer_type.model_json_schema()))
        return model_prices.most_tokens(letters, self.max_output_tokens)


class OpenAIClient:
    """Sends questions to one model. Safe for concurrent use on one event loop; close it with `aclose`.

    `timeout_s` limits one attempt. Lost connections, timeouts, 408, 409, 429 and 5xx are retried up to `max_retries`
    times, after the pause that the service asks for; all attempts together end within `timeout_s` times their number.
    """

    def __init__(self, *, api_key: Secret, base_url: str, model: str, timeout_s: float, max_retries: int) -> None:
        self.model = model
        self._api_key = api_key
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._sdk: AsyncOpenAI | None = None
        self._loading = asyncio.Lock()

    async def ask(self, question: Question, *, again: Again = _always) -> Answer:
        """Ask the question and return the answer. Raises SourceError if there is none.

        The error's `retryable` says whether a later try may help, its `outcome_unknown` whether the service may have
        done the work, and charged for it, nevertheless. `again` is called before each retry with the error of the last
        attempt, and decides whether to retry. The SDK's own retries are off: they could not be counted, and each may
        cost as much as the first.
        """
        sdk = await self._loaded()
        all_s = self._timeout_s * (self._max_retries + 1)
        ends_at = asyncio.get_running_loop().time() + all_s
        try:
            async with asyncio.timeout_at(ends_at):
                for attempt in range(self._max_retries):
                    try:
                        return await self._ask_once(sdk, question)
                    except SourceError as error:
                        pause_s = _pause_s(error, attempt)
                        too_late = asyncio.get_running_loop().time() + pause_s >= ends_at
                        if not error.retryable or too_late or not await again(error):
                            raise
                        await asyncio.sleep(pause_s)
                return await self._ask_once(sdk, question)
        except TimeoutError:
            raise _no_answer(all_s) from None

    async def _ask_once(self, sdk: AsyncOpenAI, question: Question) -> Answer:
        from openai import OpenAIError

        try:
            return _read(await self._post(sdk, question))
        except OpenAIError as error:
            raise self._explain(error) from None  # its text may quote the end of the key, or the question

    async def aclose(self) -> None:
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    async def _post(self, sdk: AsyncOpenAI, question: Question) -> bytes:
        known = model_prices.MODELS.get(self.model)
        reasons = {"reasoning": {"effort": known.effort}} if known and known.effort else None
        raw = await sdk.responses.with_raw_response.parse(
            model=self.model,
            instructions=without_own_secrets(question.instructions),
            input=without_own_secrets(question.text),
            text_format=question.answer_type,
            max_output_tokens=question.max_output_tokens,
            store=False,
            extra_body=reasons,
        )
        return bytes(raw.http_response.content)  # validated by `_read`: the SDK itself does not check the answer

    async def _loaded(self) -> AsyncOpenAI:
        async with self._loading:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(self._load)
            return self._sdk

    def _load(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        sdk = AsyncOpenAI(
            api_key=self._api_key.reveal(),
            base_url=self._base_url,
            timeout=self._timeout_s,
            max_retries=0,
        )
        _ = sdk.responses.with_raw_response  # makes the SDK import these modules here, in the thread
        return sdk

    def _explain(self, error: OpenAIError) -> SourceError:
        import openai

        match error:
            case openai.APITimeoutError():
                return _no_answer(self._timeout_s)
            case openai.APIConnectionError():
                # Compared by name, so that this does not depend on the HTTP library that the SDK uses.
                arrived = type(error.__cause__).__name__ not in ("ConnectError", "ConnectTimeout")
                return SourceError(SOURCE, "it cannot be reached", retryable=True, outcome_unknown=arrived)
            case openai.APIStatusError(status_code=status):
                return _answered(status, error.response.headers.get("retry-after", ""))
        return SourceError(SOURCE, f"its client failed ({type(error).__name__})", outcome_unknown=True)


class _BusyError(SourceError):
    """The service asks for a pause: `retry_after_s` seconds, 0 if it names none."""

    retry_after_s = 0.0


_WHY = {
    401: ("it refused the key", False),
    403: ("the key may not use this model", False),
    404: ("it knows no such model or address", False),
    408: ("it answered 408", True),
    409: ("it answered 409", True),
    429: ("its rate limit or quota is used up", True),
}
_NEVER_BEGAN = frozenset({500, 502, 503})  # 5xx after which no work was done; a gateway's 504 may hide an answer


def _answered(status: int, retry_after: str) -> SourceError:
    why, retryable = _WHY.get(status, (f"it answered {status}", status >= 500))
    unknown = status == 408 or (status >= 500 and status not in _NEVER_BEGAN)
    error = _BusyError(SOURCE, why, retryable=retryable, outcome_unknown=unknown, http_status=status)
    with suppress(ValueError):
        error.retry_after_s = min(max(float(retry_after), 0.0), LONGEST_PAUSE_S)
    return error


def _pause_s(error: SourceError, attempt: int) -> float:
    """Seconds before the next attempt: as the service asks, else doubling from 0.5 s, less a random part up to 25%."""
    if isinstance(error, _BusyError) and error.retry_after_s:
        return error.retry_after_s
    return float(min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) * random.uniform(0.75, 1.0))  # noqa: S311 - no secret


_Count = Annotated[int, Field(ge=0, le=10_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Content(_Part):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Item(_Part):
    type: str
    content: list[_Content] | None = None


class _Usage(_Part):
    input_tokens: _Count
    output_tokens: _Count


class _Incomplete(_Part):
    reason: str | None = None


class _Response(_Part):
    """The parts of a response that we use."""

    object: Literal["response"]
    status: str | None = None
    output: list[_Item]
    usage: _Usage | None = None
    incomplete_details: _Incomplete | None = None


def _read(body: bytes) -> Answer:
    try:
        response = _Response.model_validate_json(body[:MAX_ANSWER_BYTES])  # a body that is cut fails to parse
    except ValidationError:
        raise SourceError(SOURCE, "its answer cannot be understood", outcome_unknown=True) from None
    used = response.usage
    usage = Usage(used.input_tokens, used.output_tokens) if used else None
    parts = [part for item in response.output if item.type == "message" for part in item.content or ()]
    if any(part.refusal for part in parts):
        return Answer(None, "the model declined", usage)
    if response.status == "incomplete":
        why = response.incomplete_details.reason if response.incomplete_details else None
        return Answer(None, "the answer is empty" if why == "content_filter" else "the answer was cut off", usage)
    text = "".join(part.text or "" for part in parts if part.type == "output_text")
    return Answer(text, None, usage) if text else Answer(None, "the answer is empty", usage)


def _no_answer(within_s: float) -> SourceError:
    return SourceError(SOURCE, f"no answer within {within_s:g} s", retryable=True, outcome_unknown=True)
