"""The faults that a test or a person at the demo can cause in the local Slack."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    RATE_LIMIT = "rate_limit"  # 429, nothing applied; `seconds` is Retry-After
    SERVER_ERROR = "server_error"  # 500, nothing applied
    LOST_ANSWER = "lost_answer"  # applied, then the connection is cut
    SLOW = "slow"  # applied after `seconds`
    REFUSED = "refused"  # answered with the error `code`, nothing applied


@dataclass
class Fault:
    kind: FaultKind
    times: int
    seconds: float = 1.0
    code: str = ""


class Faults:
    """Faults that wait for calls, per method, oldest first; the method `*` stands for the whole Web API."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fault]] = defaultdict(list)
        self.is_down = False  # every Web API call is answered 503, and no socket opens

    def plant(self, method: str, kind: FaultKind, *, times: int = 1, seconds: float = 1.0, code: str = "") -> None:
        self._waiting[method].append(Fault(kind, times, seconds, code))

    def clear(self) -> None:
        self._waiting.clear()
        self.is_down = False

    @property
    def is_used_up(self) -> bool:
        """True if every fault has met its call."""
        return not any(self._waiting.values())

    def take(self, method: str) -> Fault | None:
        """Take the fault for this call, which counts as one use; None if there is none."""
        return self.take_own(method) or self.take_own("*")

    def take_own(self, method: str) -> Fault | None:
        """Like `take`, but without faults of `*`."""
        faults = self._waiting.get(method)
        return self._use(faults) if faults else None

    @staticmethod
    def _use(faults: list[Fault]) -> Fault:
        fault = faults[0]
        fault.times -= 1
        if fault.times <= 0:
            faults.pop(0)
        return fault


async def wait_if_slow(fault: Fault | None) -> None:
    if fault is not None and fault.kind is FaultKind.SLOW:
        await asyncio.sleep(fault.seconds)
