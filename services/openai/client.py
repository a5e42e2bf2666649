"""Asks a language model one question and gets text that should fit a JSON schema. Raises SourceError("OpenAI", …).

The SDK is imported with the first question: it costs half a second that a process without a key need not pay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.domain.errors import SourceError
from services.domain.own_secrets import without_own_secrets
from services.domain.secrets import Secret

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAIError
    from openai.types.chat import ChatCompletionMessageParam
    from openai.types.shared_params import ResponseFormatJSONSchema

SOURCE = "OpenAI"
MAX_ANSWER_BYTES = 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens as the service counts them, for which it wants money."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Answer:
    """`text` is what the model wrote, None when it wrote nothing usable: `refused_because` then says why.

    Nothing in it is checked against the schema yet. `usage` is None when the service told none.
    """

    text: str | None
    refused_because: str | None
    usage: Usage | None


@dataclass(frozen=True)
class Question:
    """`schema` is a JSON schema of OpenAI's strict subset: all fields required, no others allowed."""

    instructions: str
    text: str
    schema_name: str
    schema: Mapping[str, Any]
    max_output_tokens: int


class OpenAIClient:
    """Safe for concurrent use on one event loop; close it with `aclose`.

    `timeout_s` bounds one attempt. The SDK retries lost connections, timeouts, 408, 409, 429 and 5xx, waits as the
    service asks, and all attempts together end within `timeout_s` times their number.
    """

    def __init__(self, *, api_key: Secret, base_url: str, model: str, timeout_s: float, max_retries: int) -> None:
        self.model = model
        self._api_key = api_key
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._sdk: AsyncOpenAI | None = None

    async def ask(self, question: Question) -> Answer:
        """One answer. Raises SourceError when there is none; its `retryable` says whether a later try may help."""
        from openai import OpenAIError

        all_s = self._timeout_s * (self._max_retries + 1)
        try:
            async with asyncio.timeout(all_s):
                return _read(await self._post(question))
        except TimeoutError:
            raise _no_answer(all_s) from None
        except OpenAIError as error:
            raise self._explain(error) from None  # its text may repeat the key's end or the question

    async def aclose(self) -> None:
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    async def _post(self, question: Question) -> bytes:
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": without_own_secrets(question.instructions)},
            {"role": "user", "content": without_own_secrets(question.text)},
        ]
        answer_format: ResponseFormatJSONSchema = {
            "type": "json_schema",
            "json_schema": {"name": question.schema_name, "strict": True, "schema": dict(question.schema)},
        }
        raw = await self._client().chat.completions.with_raw_response.create(
            model=self.model,
            messages=messages,
            response_format=answer_format,
            max_completion_tokens=question.max_output_tokens,
        )
        return bytes(raw.http_response.content)

    def _client(self) -> AsyncOpenAI:
        if self._sdk is None:
            from openai import AsyncOpenAI

            self._sdk = AsyncOpenAI(
                api_key=self._api_key.reveal(),
                base_url=self._base_url,
                timeout=self._timeout_s,
                max_retries=self._max_retries,
            )
        return self._sdk

    def _explain(self, error: OpenAIError) -> SourceError:
        import openai

        match error:
            case openai.APITimeoutError():
                return _no_answer(self._timeout_s)
            case openai.APIConnectionError():
                return SourceError(SOURCE, "it cannot be reached", retryable=True)
            case openai.APIStatusError(status_code=status):
                why, retryable = _WHY.get(status, (f"it answered {status}", status >= 500))
                return SourceError(SOURCE, why, retryable=retryable, http_status=status)
        return SourceError(SOURCE, f"its client failed ({type(error).__name__})")


_WHY = {
    401: ("it refused the key", False),
    403: ("the key may not use this model", False),
    404: ("it knows no such model or address", False),
    429: ("its rate limit or quota is used up", True),
}

_Count = Annotated[int, Field(ge=0, le=10_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Message(_Part):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Part):
    message: _Message
    finish_reason: str | None = None


class _Usage(_Part):
    prompt_tokens: _Count
    completion_tokens: _Count


class _Completion(_Part):
    """The part of a chat completion that we use. The SDK itself checks nothing of what comes."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


def _read(body: bytes) -> Answer:
    try:
        completion = _Completion.model_validate_json(body[:MAX_ANSWER_BYTES])  # what is longer is no JSON any more
    except ValidationError:
        raise SourceError(SOURCE, "its answer cannot be understood") from None
    used = completion.usage
    usage = Usage(used.prompt_tokens, used.completion_tokens) if used else None
    choice = completion.choices[0]
    if choice.message.refusal:
        return Answer(None, "the model declined", usage)
    if choice.finish_reason == "length":
        return Answer(None, "the answer was cut off", usage)
    if choice.finish_reason == "content_filter" or not choice.message.content:
        return Answer(None, "the answer is empty", usage)
    return Answer(choice.message.content, None, usage)


def _no_answer(within_s: float) -> SourceError:
    return SourceError(SOURCE, f"no answer within {within_s:g} s", retryable=True, outcome_unknown=True)
