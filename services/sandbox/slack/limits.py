"""What real Slack would refuse in a message, a modal or a Home tab."""

from dataclasses import dataclass
from typing import Any, Literal

Surface = Literal["message", "modal", "home"]


@dataclass(frozen=True)
class Violation:
    """`path` is a JSON pointer into the payload, such as `/blocks/0/text/text`."""

    path: str
    rule: str
    message: str

    @property
    def is_refused(self) -> bool:
        return True


def violations(payload: dict[str, Any], *, surface: Surface, method: str = "") -> list[Violation]:
    return []
