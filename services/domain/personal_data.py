"""Hides personal data by its shape: parties' names, amounts, addresses, phone, account and docket numbers.

A name in plain words has no shape: it is hidden only beside a docket number or a party's role. Every repetition is
bounded, so that no text takes long.
"""

from __future__ import annotations

import re

from services.domain.secret_shapes import HIDDEN

_NAME = r"[A-Z][\w.'\u2019&-]{0,60}(?:\s+(?:[A-Z][\w.'\u2019&-]{0,60}|&|of|de|van|von)){0,5}"
_PARTY = re.compile(
    r"\b(?P<role>(?i:plaintiff|defendant|debtor|creditor|claimant|petitioner|respondent|garnishee)s?\W{1,3})" + _NAME
)
_TITLED = re.compile(
    r"(?P<title>\b(?:(?:Mr|Mrs|Ms|Dr|MR|MRS|MS|DR|Miss)\b\.?|(?:In\s[Rr]e|IN\sRE)\b:?|(?:Estate|Matter)\sof|[ADFNadfn]/[BKbk]/[Aa])\s+)"
    + _NAME
)
_SCALE = r"(?:\s?(?i:k|m|mm|mln|bn|thousand|million|billion)\b)?"
_NUMBER_WORD = (
    r"(?i:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|and)"
)
_SHAPES = re.compile(
    rf"""<(?:mailto:|https?:)[^<>]{{0,1000}}>
       # an address, not "react@18.2.0"
       |(?:(?<=<)|(?<![\w.+-]))<?[^\s@\uff20<>"'(),;:=]{{1,64}}[@\uff20](?!\d+\.\d+\.\d+(?!\.?\w))[^\s@<>"',;]{{1,200}}>?
       |\b[\w.+-]{{1,64}}\s?[\[(](?i:at)[\])]\s?[\w-]{{1,60}}                        # "jane [at] example.com"
       |\b{_NAME}\s+(?:v|vs)\.?\s+{_NAME}                                          # "Smith v. Jones"
       |(\b(?i:docket(?:\s+(?:no|nr|number)\b)?|(?:case|index)\s+(?:no\b|number\b|\#))(?:\s(?:is|was)\s)?
              [\s.:\#]{{0,3}})[^\s\d{HIDDEN}]{{0,20}}\d\S{{0,40}}(?:\s[A-Z]{{2}}\s\d{{3,}})?       # "index no. 4711"
       |(\b(?i:account|acct|card|routing)(?:\s(?:no|nr|number))?[\s.:\#]{{1,3}})\d[\d -]{{1,30}}\d\b
       |(\b(?i:account|acct|card|ssn)(?:\s(?i:ending|ends|in|with|last|four|digits|number|no|is)\b){{1,4}}[\s.:\#*]{{1,3}})\d{{3,}}
       |(\b(?i:licen[cs]e|passport|dl)(?:\s(?:no|nr|number|is)\b)?[\s.:\#]{{1,3}})[A-Z]{{0,2}}\d{{5,}}
       |(\b(?i:balance|amount|owes|owed|owing|principal)\s(?:of\s|is\s|was\s)?)\d{{3,}}(?:[.,]\d+)?\b
       |\b(?:{_NUMBER_WORD}[\s-]+){{1,8}}(?i:dollars|bucks|euros)\b
       |\b(?:19|20)\d\d\s[A-Z]{{2}}\s\d{{3,}}\b                                      # "2024 CV 00123"
       |\b(?i:P\.?\s?O\.?\s?Box)\s+\d+
       # "24-CV-1234", but no "2024-03-01/part-0001"; "CV-1234-24/KI"
       |\b(?<!\d{{4}}-\d\d-)\d{{2,4}}[-/][A-Za-z]{{1,4}}[-/]\d+\b|\b[A-Z]{{2,4}}-\d{{3,}}[-/][^\s]+
       |\b(?!(?<=/)(?:19|20)\d\d/[01]\d/)\d{{4,}}/(?:19|20)?\d\d\b                   # "12345/2024"
       |[$€£]\s?\d[\d.,]*{_SCALE}|\b(?i:USD|EUR|GBP)\s?\d[\d.,]*{_SCALE}
       |\b\d[\d.,]{{,20}}{_SCALE}\s?(?:(?i:USD|EUR|GBP|dollars?|euros?|bucks)\b|[$€£](?!\w))
       |\b\d{{1,3}}(?:[ .'\u2019\u00a0\u202f]\d{{3}}){{0,4}}(?:[.,]\d{{1,2}})?\s?[$€£](?!\w)  # "1 200,50 €"
       |\b\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?\b|\b\d{{3,}}\.\d\d\b                    # money without a sign
       |\b\d{{3}}[- ]\d\d[- ]\d{{4}}\b                                             # social security numbers
       |(?:\+\d{{1,3}}[\s.-]?)?\(?\b\d{{3}}\)?[\s.-]\d{{3}}[\s.-]\d{{4}}\b|\+\d[\d\s().-]{{7,20}}\d  # phones
       |\(\d{{3}}\)\d{{3}}[\s.-]?\d{{4}}\b
       |\b\d{{1,5}}\s+(?:(?:[A-Z][a-z]{{1,20}}|\d{{1,3}}(?:st|nd|rd|th))\s+){{1,3}}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr)\b""",
    re.VERBOSE,
)


def hide_data(text: str) -> str:
    """Replace each text that has the shape of personal data with "…"; the words beside it stay."""
    named = _TITLED.sub(rf"\g<title>{HIDDEN}", _PARTY.sub(rf"\g<role>{HIDDEN}", text))
    return _SHAPES.sub(lambda found: (found[found.lastindex] if found.lastindex else "") + HIDDEN, named)
