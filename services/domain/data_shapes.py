"""What has the shape of personal data, wherever it stands: addresses, money, phones, dockets, captions, named parties.

A name in plain words has no shape: it goes beside a docket number or a party's role, and stays elsewhere. Every
repetition is bounded, so that no text takes long.
"""

from __future__ import annotations

import re

from services.domain.secret_shapes import HIDDEN

NAME = r"[A-Z][\w.'\u2019&-]{0,60}(?:\s+(?:[A-Z][\w.'\u2019&-]{0,60}|&|of|de|van|von)){0,5}"
_PARTY = re.compile(
    r"\b(?P<role>(?i:plaintiff|defendant|debtor|creditor|claimant|petitioner|respondent|garnishee)s?\W{1,3})" + NAME
)
_SHAPES = re.compile(
    rf"""<(?:mailto:|https?:)[^<>]{{0,1000}}>|(?:(?<=<)|(?<![\w.+-]))<?[^\s@<>"'(),;:=]{{1,64}}@[^\s@<>"',;]{{1,200}}>?
       |\b{NAME}\s+(?:v|vs)\.?\s+{NAME}                                          # "Smith v. Jones"
       |\b(?i:docket(?:\s+(?:no|nr|number)\b)?|(?:case|index)\s+(?:no\b|number\b|\#))
              [\s.:\#]{{0,3}}[^\s\d]{{0,20}}\d\S{{0,40}}                                 # "index no. 4711"
       |\b(?i:account|acct|card|routing)(?:\s(?:no|nr|number))?[\s.:\#]{{1,3}}\d[\d -]{{2,30}}\b
       |\b\d{{2,4}}[-/][A-Za-z]{{1,4}}[-/]\d+\b|\b[A-Z]{{2,4}}-\d{{3,}}[-/][^\s]+     # "24-CV-1234", "CV-1234-24/KI"
       |\b\d{{4,}}/(?:19|20)?\d\d\b                                                # "12345/2024"
       |[$€£]\s?\d[\d.,]*|\b(?i:USD|EUR|GBP)\s?\d[\d.,]*|\b\d[\d.,]{{,20}}\s?(?i:USD|EUR|GBP|dollars?|euros?|bucks)\b
       |\b\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?\b|\b\d{{3,}}\.\d\d\b                    # money without a sign
       |\b\d{{3}}[- ]\d\d[- ]\d{{4}}\b                                             # social security numbers
       |(?:\+\d{{1,3}}[\s.-]?)?\(?\b\d{{3}}\)?[\s.-]\d{{3}}[\s.-]\d{{4}}\b|\+\d[\d\s().-]{{7,20}}\d  # phones
       |\b\d{{1,5}}\s+(?:[A-Z][a-z]{{1,20}}\s+){{1,3}}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr)\b""",
    re.VERBOSE,
)


def hide_data(text: str) -> str:
    """The text with "…" for what has the shape of personal data; the words beside it stay."""
    return _SHAPES.sub(HIDDEN, _PARTY.sub(rf"\g<role>{HIDDEN}", text))
