"""What a person wrote (a message, a reason, a commit's message), as it may be stored and passed on.

Their own words stay, what they pasted becomes its template, and what has the shape of data goes wherever it stands.
A name in plain words has no shape: it goes beside a docket number or a party's role, and stays elsewhere.
"""

from __future__ import annotations

import html
import re

from services.domain.masking import HIDDEN, template

_PASTED = re.compile(r"```(?P<block>.*?)```|`(?P<code>[^`\n]+)`|(?m:^>\s?(?P<quote>[^\n]*)$)", re.DOTALL)
# Every repetition is bounded, so that no message takes long.
_NAME = r"[A-Z][\w.'&-]*(?:\s+(?:[A-Z][\w.'&-]*|&|of|de|van|von)){0,5}"
_PARTY = re.compile(rf"\b(?P<role>(?i:plaintiff|defendant|debtor|creditor|claimant)s?\W{{1,3}}){_NAME}")
_DATA = re.compile(
    rf"""<(?:mailto:|https?:)[^>]*>|\b\w+://\S+|<?[^\s@<>]{{1,64}}@[^\s@<>]+>?          # addresses
       |\b{_NAME}\s+(?:v|vs)\.?\s+{_NAME}                                          # "Smith v. Jones"
       |\b(?i:docket|(?:case|index)\s+(?:no\b|number\b|\#))[\s.:\#]*\S*\d\S*         # "index no. 4711"
       |\b\d{{2,4}}[-/][A-Za-z]{{1,4}}[-/]\d+\b|\b[A-Z]{{2,4}}-\d{{3,}}[-/]\S+     # "24-CV-1234", "CV-1234-24/KI"
       |\b\d{{4,}}/(?:19|20)?\d\d\b                                                # "12345/2024"
       |[$€£]\s?\d[\d.,]*|\b(?i:USD|EUR)\s?\d[\d.,]*|\b\d[\d.,]{{,20}}\s?(?i:USD|EUR|dollars?)\b
       |\b\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?\b|\b\d{{3,}}\.\d\d\b                    # money without a sign
       |\b\d{{3}}[- ]\d\d[- ]\d{{4}}\b                                             # social security numbers
       |(?:\+\d{{1,3}}[\s.-]?)?\(?\b\d{{3}}\)?[\s.-]\d{{3}}[\s.-]\d{{4}}\b|\+\d[\d\s().-]{{7,}}\d  # phones
       |\b(?i:password|passwd|secret|token|api[_-]?key)\s*[:=]\s*\S+
       |\b(?:sk-|xox[a-z]-|xapp-|df_|eyJ|gh[a-z]_|AKIA)[\w.-]{{8,}}                # keys by how they begin
       |\b(?!\d{{4}}-\d\d-\d\dT)(?=\w*\d)[\w-]{{12,}}\b|\b\d{{5,}}\b               # tokens and long numbers""",
    re.VERBOSE,
)


def mask_message(text: str) -> str:
    """Of Slack's markup: code and quotes lose every literal; names of parties and data go wherever they are."""
    words = _PASTED.sub(lambda pasted: template(pasted[str(pasted.lastgroup)]), html.unescape(text))
    return _DATA.sub(HIDDEN, _PARTY.sub(rf"\g<role>{HIDDEN}", words)).strip()
