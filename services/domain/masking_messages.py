"""What a person wrote, as it may leave the channel: their own words stay, what they pasted becomes its template."""

from __future__ import annotations

import html
import re

from services.domain.masking import HIDDEN, template

_PASTED = re.compile(r"```(?P<block>.*?)```|`(?P<code>[^`\n]+)`|(?m:^>\s?(?P<quote>[^\n]*)$)", re.DOTALL)
# Whatever stands in plain words and is data all the same, whoever wrote it.
_DATA = re.compile(
    r"""<(?:mailto:|https?:)[^>]*>|\S+@\S+\.\S+               # addresses
        |[$€£]\s?\d[\d.,]*|\b\d[\d.,]*\s?(?:USD|EUR|dollars?)\b  # money
        |\b(?=\w*\d)[\w-]{12,}\b|\b\d{5,}\b                 # tokens and long numbers""",
    re.VERBOSE | re.IGNORECASE,
)


def mask_message(text: str) -> str:
    """Of Slack's markup: code and quotes lose every literal; addresses, amounts, long numbers go wherever they are."""
    words = _PASTED.sub(lambda pasted: template(pasted[str(pasted.lastgroup)]), html.unescape(text))
    return _DATA.sub(HIDDEN, words).strip()
