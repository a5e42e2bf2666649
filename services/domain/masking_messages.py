"""What a person wrote (a message, a reason, a commit's message), as it may be stored and passed on.

Their own words stay, what they pasted becomes its template, and what has the shape of data or of a secret goes wherever
it stands (docs/adr/0009).
"""

from __future__ import annotations

import html
import re

from services.domain.data_shapes import hide_data
from services.domain.masking import template
from services.domain.secret_shapes import HIDDEN, hide_secrets

# A block that nobody closed goes to the end, as Slack shows it.
_PASTED = re.compile(r"```(?P<block>.*?)(?:```|\Z)|`(?P<code>[^`\n]+)`|(?m:^>\s?(?P<quote>[^\n]*)$)", re.DOTALL)
# A full SHA and a UUID too: nobody needs them in a sentence, and tokens look like them.
_TOKENS = re.compile(
    r"""\b\w{1,20}://\S+
       |\b(?!\d{4}-\d\d-\d\dT)(?=\w{0,100}\d)[\w-]{12,}\b|\b\d{5,}\b""",
    re.VERBOSE,
)


def mask_message(text: str) -> str:
    """Of Slack's markup: code and quotes lose every literal; names of parties and data go wherever they are."""
    words = _PASTED.sub(lambda pasted: template(pasted[str(pasted.lastgroup)]), html.unescape(text))
    return _TOKENS.sub(HIDDEN, hide_data(hide_secrets(words))).strip()
