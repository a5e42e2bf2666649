"""Hides what has the shape of a secret, in any text, whoever wrote it and whoever reads it.

A shape is a key's beginning, a name before a value (`PGPASSWORD=…`), a scheme (`Bearer …`), an address with a password,
or digits as cards and accounts have them. Invisible characters are taken out first, so that none splits a key. Every
repetition is bounded or consumed by its match: the time grows with the length of the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from services.domain._program_names import is_class_name, is_identifier

HIDDEN = "…"

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e007f\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"
)
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_ENDINGS = ("password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "credential")
_SECRET_NAMES = frozenset({"pass", "key", "auth", "dsn", "cookie", "signature", "credentials", "pat", "otp", "jwt"})
# What programs say of a secret instead of showing it ("token: expired").
_NO_VALUE = re.compile(
    r"(?:not|is|was|has|must|no|none|null|true|false|expired?|missing|invalid|required|refused|wrong|empty|malformed|"
    r"unset|set|unknown|denied|rejected|cannot|unauthorized|authentication|failed|revoked|too|does|and|or|of|in|for)"
    r"[.,;:)]?\Z",
    re.IGNORECASE,
)
_VALUE = r"""(?:"(?:[^"\\]|\\.){0,2000}"?|'[^'\n]{0,2000}'?|\S+)"""
_MORE_LINES = r"(?:\\?[ \t]*\n[ \t]*(?=[\w-]{0,40}\d)[\w-]{6,200})*"  # a key that a narrow terminal broke
_APART = "[ \u00a0\u2009\u202f._/\u2010-\u2015-]{1,2}"
_PATTERN = re.compile(
    rf"""(?P<pem>-----BEGIN[^-]{{0,40}}-----(?:[^-]|-(?!----END))*(?:-----END[^-]{{0,40}}-----)?)
       |(?P<header>\b(?i:(?:Proxy-)?Authorization|(?:Set-)?Cookie)["']?\s{{0,3}}[:=]\s{{0,3}})(?P<header_value>[^\n]+)
       |(?P<scheme>\b(?i:Bearer|Basic)\s{{1,3}})(?P<scheme_value>[\w.~+/=-]{{4,}})
       |(?P<address>(?<![\w+.-])[A-Za-z][\w+.-]{{1,20}}://[^\s"'<>@]{{1,200}}@[^\s"'<>]*   # with a password
           |\b(?i:postgres(?:ql)?|rediss?|mysql|amqps?|mongodb(?:\+srv)?|smtps?)://\S+
           |\b[A-Za-z][\w+.-]{{1,20}}%(?:25)?3[Aa](?:%(?:25)?2[Ff]){{2}}\S*      # the same, percent-encoded
           |\bhttps?://hooks\.\S+)
       |(?P<begins>(?<![A-Za-z0-9])(?:sk-|[srp]k_(?:live|test)_|xox[a-z]-|xapp-|gh[a-z]_|github_pat_|glpat-|AKIA|ASIA
           |(?:df|npm|hf|rnd)_(?=\w{{0,100}}\d|[A-Za-z]{{12}})|AIza|SG\.|pypi-|dop_v1_|sbp_|sb_secret_|whsec_|eyJ)
           [\w.=-]{{6,}}{_MORE_LINES})
       |(?P<option>(?<![\w-])--?(?i:password|passwd|token|secret|api-?key|auth)[ =])(?P<option_value>{_VALUE})
       |(?P<padded>(?<![\w+/.-])[A-Za-z0-9+/]{{16,}}={{1,2}}(?![\w.="'(]))
       |(?P<named>(?<![\w.%-])(?P<name>[A-Za-z_][\w.-]{{0,80}})(?P<mark>["'\]]{{0,2}}\s{{0,3}}(?:=>|:=|[=:])\s{{0,3}}
           |\s{{1,3}}(?:is|was)\s{{1,3}}(?=\S{{0,100}}[^\s\w.,;:]|\S{{0,100}}\d)))
       |(?P<iban>\b[A-Z]{{2}}\d\d(?:[ -]?[A-Z0-9]{{4}}){{2,7}}(?:[ -]?[A-Z0-9]{{1,3}})?\b
           |\b[A-Za-z]{{2}}\d\d(?:[ -]?\d{{4}}){{3,7}}(?:[ -]?\d{{1,3}})?\b)
       |(?P<groups>(?<![\w.:/-])\d{{2,19}}(?:{_APART}\d{{2,19}}){{1,12}}(?![\w:]|\.\d))
       |(?P<digits>(?<![\w.-])\d{{9,}}(?!\w))
       |(?P<token>(?<![\w-])(?=[A-Za-z_-]{{0,200}}\d)(?=[\d_-]{{0,200}}[A-Za-z])[\w-]{{20,}}{_MORE_LINES})
       |(?P<base64>(?<![\w+/.-])(?=[a-z0-9+/]{{0,200}}[A-Z])(?=[A-Z0-9+/]{{0,200}}[a-z])[A-Za-z0-9+/]{{24,}}={{0,2}}(?![\w.]))
    """,
    re.VERBOSE,
)
_BASE64 = re.compile(r"(?=[a-z0-9]{0,200}[A-Z])(?=[A-Z0-9]{0,200}[a-z])[A-Za-z0-9]{24,}")
_ASSIGNED = re.compile(_VALUE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_PHRASES = frozenset({"token", "tokens", "auth", "authentication", "authorization", "scheme", "is"})
_MOMENT = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d\Z")
_DATE = re.compile(r"(?:19|20)\d\d[-/.](?:0[1-9]|1[0-2])[-/.](?:0[1-9]|[12]\d|3[01])(?:[T ]\d\d)?\Z")
_FEWEST_GROUPED = 8  # digits of a card or an account in groups
_FEWEST_DIGITS = 3  # of a token; below, it is a name with a number ("dragonfly-worker-ingest-2")


def hide_secrets(text: str) -> str:
    """The text without invisible characters, and with "…" for every secret by its shape; names of secrets stay."""
    text, pieces, place = without_invisible(text), [], 0
    while found := _PATTERN.search(text, place):
        shown, end = _shown(found)
        pieces += [text[place : found.start()], shown]
        place = end
    return "".join([*pieces, text[place:]])


def without_invisible(text: str) -> str:
    """The text without characters that are not seen: zero-width and bidirectional marks, tags, controls."""
    return _INVISIBLE.sub("", text)


def is_secret_name(name: str) -> bool:
    """Whether a variable, an option or a field of this name holds a secret: `PGPASSWORD`, `apiKey`, `access_token`."""
    if name.endswith(("Error", "Exception", "Warning")):
        return False  # `KeyError: …` names no key
    parts = [hump.lower() for part in re.split(r"[_.\-]+", name) for hump in _HUMPS.findall(part)]
    whole = [part.lower() for part in re.split(r"[_.\-]+", name)]
    return any(part in _SECRET_NAMES or part.endswith(_SECRET_ENDINGS) for part in (*parts, *whole))


def _shown(found: re.Match[str]) -> tuple[str, int]:
    """What stands for the match, and where to go on."""
    whole = (found.group(), found.end())
    if found["header"] or found["option"]:
        return (found["header"] or found["option"]) + HIDDEN, found.end()
    if found["scheme"]:
        return whole if _is_phrase(found["scheme"], found["scheme_value"]) else (found["scheme"] + HIDDEN, found.end())
    if found["named"]:
        # What stands behind a name that holds no secret is looked at on its own.
        return _assigned(found) if is_secret_name(found["name"]) else whole
    if any(is_plain(found[kind] or "") for kind, is_plain in _PLAIN.items()):
        return whole
    return HIDDEN, found.end()


def _is_phrase(scheme: str, value: str) -> bool:
    """ "bearer token" and "basic configuration", not `Bearer abcdef`."""
    word = value.lower().rstrip(".")
    return (scheme.lower().startswith("basic") and value.islower() and word.isalpha()) or word in _PHRASES


def _assigned(found: re.Match[str]) -> tuple[str, int]:
    value = _ASSIGNED.match(found.string, found.end())
    if value is None or ("=" not in found["mark"] and _NO_VALUE.match(value.group().strip("\"'"))):
        return found.group(), found.end()
    return found.group() + HIDDEN, value.end()


def _is_few(text: str) -> bool:
    """Digits in groups that are no card and no account: too few, or a date."""
    return bool(text) and (_count_digits(text) < _FEWEST_GROUPED or _DATE.match(text) is not None)


def _is_moment(text: str) -> bool:
    """`20251201000900`: the number of a migration."""
    return _MOMENT.match(text) is not None


def _is_named_with_number(text: str) -> bool:
    if not text or _UUID.match(text):
        return bool(text)
    return _count_digits(text) < _FEWEST_DIGITS and (is_class_name(text) or _BASE64.fullmatch(text) is None)


def _is_program_name(text: str) -> bool:
    return is_class_name(text) or is_identifier(text)


def _count_digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


_PLAIN: Mapping[str, Callable[[str], bool]] = {
    "groups": _is_few,
    "digits": _is_moment,
    "token": _is_named_with_number,
    "base64": _is_program_name,
}
