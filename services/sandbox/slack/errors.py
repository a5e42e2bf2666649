"""What can go wrong: answers of `ok: false`, and people reaching for what is not there."""

from services.sandbox.slack.model import Json


class ApiError(Exception):
    """Carries Slack's error code and what else the answer holds."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.code = code
        self.more: Json = dict(more)

    def to_answer(self) -> Json:
        return {"ok": False, "error": self.code, **self.more}


class RateLimitedError(Exception):
    """Answered with 429. `retry_after_s` is in whole seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("ratelimited")
        self.retry_after_s = retry_after_s


class NothingThereError(Exception):
    """The person, channel, message, view or element is gone, or this person cannot see it."""
