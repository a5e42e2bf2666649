"""Finds secrets in any text by their shape, and hides them.

A shape is the beginning of a key, a name before a value (`PGPASSWORD=…`), a scheme (`Bearer …`), an address with a
password, or digits as cards and accounts have them. Invisible characters are removed first, so that none splits a key.
Every repetition is bounded or consumed by its match: the time grows linearly with the length of any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from services.domain.masking_words import WITH_DIGITS, is_class_name, is_exception, is_identifier, is_known_word

HIDDEN = "…"
SHORTEST = 6  # characters; a shorter value occurs in too many words to search for

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e007f\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]"
)
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PASSWORD_ENDINGS = (
    *("password", "passwd", "passphrase", "passcode", "pwd", "passwort", "kennwort", "contraseña", "contrasena"),
    *("wachtwoord", "senha", "hasło", "пароль", "_pass"),
)
_SECRET_ENDINGS = (*_PASSWORD_ENDINGS, "secret", "token", "apikey", "credential", "sessid", "sessionid")
_NUMERIC_NAMES = frozenset({"pin", "otp", "passcode", "cvc", "cvv"})  # their values are a few digits
_SECRET_NAMES = _NUMERIC_NAMES | {
    *("pass", "key", "auth", "dsn", "cookie", "signature", "credentials", "pat", "jwt", "sid", "passe")
}
# Words that programs write about a secret instead of its value ("token: expired").
_NO_VALUE = re.compile(
    r"(?:not|is|was|has|must|no|none|null|true|false|expired?|missing|invalid|required|refused|wrong|empty|malformed|"
    r"unset|set|unknown|denied|rejected|cannot|unauthorized|authentication|failed|revoked|too|does|and|or|of|in|for)"
    r"[.,;:)]?\Z",
    re.IGNORECASE,
)
# Text within JSON within JSON: an inner quote has more backslashes than the one that ends the text.
_ESCAPED = (
    r"""(?:\\"(?:[^"\n]|(?<=\\{3})"){0,2000}"?|\\{2,4}"(?:[^"\n]|(?<=\\{7})"){0,2000}"?|\\{1,4}'[^'\n]{0,2000}'?)"""
)
_VALUE = (  # also a YAML block
    r"""(?:[|>][+-]?[ \t]*\n[ \t]*)?"""
    rf"""(?:{_ESCAPED}|"(?:[^"\\]|\\.){{0,2000}}"?|'[^'\n]{{0,2000}}'?|\S+)"""
)
_EQUALS = r"(?:=>|:=|[=:]|%(?:25){0,2}3[ADad]|&(?:\#(?:61|58|x3[ADad])|equals|colon);)"
_SOURCE = r"(?:py|rb|js|jsx|ts|tsx|mjs|go|rs|sh|sql|java|php)"
_KEYS = r"""sk-|[srp]k_(?:live|test)_|xox[a-z]-|xoxe\.|xapp-|gh[a-z]_|github_pat_|gl[a-z]{2,6}-|AKIA|ASIA
           |(?:df|npm|hf|rnd|gsk|lin_api|dckr_pat|shp[a-z]{2})_(?=\w{0,100}\d|[A-Za-z]{12})|AIza|GOCSPX-|ya29\.|SG\.|pypi-
           |dop_v1_|sbp_|sb_secret_|whsec_|eyJ"""
_MORE_LINES = r"(?:\\?[ \t]*\n[ \t]*(?=[\w-]{0,40}\d)[\w-]{6,200})*"  # a key that a narrow terminal wrapped
_APART = "[ \u00a0\u2009\u202f._/\u2010-\u2015-]{1,2}"
_IS = r"(?i:is|was|ist|war|lautet|est|es)\s{0,3}[:=]?"
_PATTERN = re.compile(
    rf"""(?P<pem>-----BEGIN[^-]{{0,40}}-----(?:[^-]|-(?!----END))*(?:-----END[^-]{{0,40}}-----)?)
       |(?P<header>\b(?i:(?:Proxy-)?Authorization|(?:Set-)?Cookie)(?:\\{{0,4}}["'])?\s{{0,3}}[:=]\s{{0,3}})
           (?P<header_value>{_ESCAPED}|[^\n]+)
       |(?P<scheme>\b(?i:Bearer|Basic)\s{{1,3}})(?P<scheme_value>[\w.~+/=-]{{4,}})
       |(?P<address>(?<![\w+.-])[A-Za-z][\w+.-]{{1,20}}://[^\s"'<>@]{{1,200}}@[^\s"'<>]*   # with a password
           |\b(?i:postgres(?:ql)?|rediss?|mysql|amqps?|mongodb(?:\+srv)?|smtps?)://\S+
           |\b[A-Za-z][\w+.-]{{1,20}}%(?:25)?3[Aa](?:%(?:25)?2[Ff]){{2}}\S*      # the same, percent-encoded
           |\b(?:https?://hooks\.[\w-]{{1,60}}\.|hooks\.[\w-]{{1,60}}\.(?!{_SOURCE}/))[a-z]{{2,20}}/\S+)
       |(?P<begins>(?<![A-Za-z0-9])(?:(?:{_KEYS})[\w.=-]{{6,}}{_MORE_LINES}
           |sk-[\w-]{{0,40}}\*{{3,}}[\w*]{{0,40}}))   # as OpenAI repeats a wrong key
       |(?P<option>(?<![\w-])(?:--?(?i:password|passwd|token|secret|api-?key|auth)[ =]
           |(?i:identified\s{{1,3}}by)\s{{1,3}}(?=["'])
           |-(?P<letter>[ap])[ ]?(?![\s-])
           |(?:-u|--user)[ =]?["']?(?P<user>[\w.@+%-]{{1,80}}):))(?P<option_value>{_VALUE})
       |(?P<tagged><(?P<tag>[A-Za-z][\w.:-]{{0,60}})(?:\s[^<>=]{{1,60}}=[^<>]{{1,200}})?>)(?:(?:\s{{0,80}}<!\[CDATA\[)?[^<]{{1,500}}(?=</(?P=tag)>)
           |(?=[\w$\#%@!~^])[^<\n]{{1,500}}   # "<Token> expected but" is no value, nor "Map<Key>, …"
           |[ \t]{{1,9}}(?P<tag_word>[^\s<]{{1,200}})(?=[ \t]{{0,9}}(?:[<\n]|\Z)))
       |(?P<padded>(?<![\w+/.-])[A-Za-z0-9+/]{{16,}}={{1,2}}(?![\w.="'(]))
       |(?P<named>(?:(?<![\w.%-])|(?<=%26))(?P<name>[^\W\d][\w.-]{{0,80}})(?P<mark>(?:\\{{0,4}}["'\]]){{0,2}}\s{{0,3}}{_EQUALS}\s{{0,3}}
           |\s{{1,3}}{_IS}\s{{1,3}}(?=\S{{0,100}}[^\s\w.,;:]|\S{{0,100}}\d)
           |\s{{1,3}}(?=[^\s=:]{{0,100}}\d)))
       |(?P<spoken>\b(?i:pass(?:word|wd|phrase|wort|code|e)|pwd|kennwort|contrase[ñn]a)\s{{1,3}}{_IS}\s{{1,3}})
           (?P<spoken_value>[^\W\d_]{{4,60}})   # it ends its clause
           (?=\s{{0,3}}(?:[.,;!()]|\Z|\n)|\s{{1,3}}(?:and|but|und)\b)
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
_WHEN = re.compile(
    r"(?:19|20)\d\d-\d\d-\d\d(?:T\d\d(?::?\d\d){0,2}(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)
_FILE = re.compile(
    rf"(?:[\w.@+=-]{{0,100}}/){{1,20}}[\w.@+-]{{1,100}}\.(?:[ct]sv|xlsx?|pdf|txt|log|jsonl?|xml|ya?ml|toml|parquet|zip|t?gz|{_SOURCE})"
)
_WORD_AND_NUMBER = re.compile(r"([a-z]*|[A-Z][a-z]*|[A-Z]+)((?:19|20)\d{6}|\d{0,4})")
_MOST_MIXED = 1  # parts of letters and digits in a name ("cache:v2:job"); a license key has more
# After these, any word with a number is a name ("partition key p2024_03"); elsewhere only our own words are.
_KEY_OF_DATA = re.compile(
    r"\b(?:cache|duplicate|foreign|idempotency|index|lock|message|missing|object|partition|primary|redis|s3|shard|sort|unique|unknown)"
    r"[\s_-]{1,3}key\Z",
    re.IGNORECASE,
)
_FAILURES = frozenset({"invalid", "expired", "no", "not", "missing", "unknown", "bad", "wrong", "revoked", "malformed"})
# "-u a:b" is a user with a password for the first programs, and an owner or a branch for the others.
_PROGRAM = re.compile(r"\b(?:(?P<with_password>curl|wget|https?|xh|login)|git|docker|podman|nerdctl|chown|rsync)\b")
# The option of one letter whose value is a password, by the program: mysql asks for it when a space follows.
_PASSWORD_LETTERS = re.compile(
    r"\b(?:(?P<mysql>(?:mysql|mariadb)(?:-?[a-z]{2,10})?\b[^|;&]*)|(?P<redis>redis-cli\b[^|;&]*)|sshpass(?:\s+-\S+)*\s+)\Z"
)
_PLACEHOLDER = re.compile(r"<([A-Za-z][A-Za-z_-]{0,40})>\W{0,3}\Z")  # "--token <token>" in a usage line
_MOST_IN_A_DATE = 8  # digits in a name with a number
_MOST_IN_A_MONTH = 6  # the same, in a text as long as a token
_FEWEST_GROUPED = 8  # digits of a card or an account in groups
_FEWEST_DIGITS = 3  # in a token; with fewer it is a name with a number ("dragonfly-worker-ingest-2")


def hide_secrets(text: str) -> str:
    """Remove invisible characters, and replace each secret of a known shape with "…"; the names of secrets stay."""
    text, pieces, place = without_invisible(text), [], 0
    while found := _PATTERN.search(text, place):
        shown, end = _shown(found)
        pieces += [text[place : found.start()], shown]
        place = end
    return "".join([*pieces, text[place:]])


def without_invisible(text: str) -> str:
    """The text without invisible characters: zero-width and bidirectional marks, tags, controls."""
    return _INVISIBLE.sub("", text)


def is_secret_name(name: str) -> bool:
    """True if a variable, an option or a field of this name holds a secret: `PGPASSWORD`, `apiKey`, `access_token`."""
    if name.endswith(("Error", "Exception", "Warning")) or is_exception(name.rpartition(".")[2]):
        return False  # `KeyError: …` names no key
    parts = [hump.lower() for part in re.split(r"[_.\-]+", name) for hump in _HUMPS.findall(part)]
    whole = [part.lower() for part in re.split(r"[_.\-]+", name)]
    return any(part in _SECRET_NAMES or part.endswith(_SECRET_ENDINGS) for part in (*parts, *whole))


def _shown(found: re.Match[str]) -> tuple[str, int]:
    """The replacement for the match, and the index at which the search continues."""
    whole = (found.group(), found.end())
    if found["header"]:
        return found["header"] + HIDDEN, found.end()
    if found["option"]:
        return _option(found)
    if found["scheme"]:
        return whole if _is_phrase(found["scheme"], found["scheme_value"]) else (found["scheme"] + HIDDEN, found.end())
    if found["named"]:
        # The value of a name that holds no secret is searched on its own.
        return _assigned(found) if is_secret_name(found["name"]) else whole
    if found["tagged"]:
        is_word = is_known_word((found["tag_word"] or "").lower().strip(".,;:!?()[]{}"))
        is_secret = is_secret_name(found["tag"].rpartition(":")[2]) and not is_word
        return (found["tagged"] + HIDDEN, found.end()) if is_secret else (found["tagged"], found.end("tagged"))
    if found["spoken"]:
        return whole if is_known_word(found["spoken_value"].lower()) else (found["spoken"] + HIDDEN, found.end())
    if any(is_plain(found[kind] or "") for kind, is_plain in _PLAIN.items()):
        return whole
    return HIDDEN, found.end()


def _option(found: re.Match[str]) -> tuple[str, int]:
    """An option without a secret is searched after its name: what looks like a user may be the scheme of an address."""
    if _is_password(found):
        return found["option"] + HIDDEN, found.end()
    rest = found.start("user") if found["user"] else found.end("option")
    return found.string[found.start() : rest], rest


def _is_password(found: re.Match[str]) -> bool:
    if found["user"]:
        return not _is_owner(found)
    if found["letter"]:
        return _is_password_letter(found)
    return not _is_placeholder(found["option_value"])


def _is_phrase(scheme: str, value: str) -> bool:
    """True for "bearer token" and "basic configuration", not for `Bearer abcdef`."""
    word = value.lower().rstrip(".")
    return (scheme.lower().startswith("basic") and value.islower() and word.isalpha()) or word in _PHRASES


def _assigned(found: re.Match[str]) -> tuple[str, int]:
    value = _ASSIGNED.match(found.string, found.end())
    if value is None or ("=" not in found["mark"] and _NO_VALUE.match(value.group().strip("\\\"'"))):
        return found.group(), found.end()
    if _is_no_value(found, value.group().strip("\\\"'.,;)")):
        return found.group(), found.end()
    return found.group() + HIDDEN, value.end()


def _is_owner(found: re.Match[str]) -> bool:
    """True for `docker run -u 1000:1000`, `git push -u origin:main`, `--user app:app`: no user with a password."""
    line = _line_before(found)
    value = found["option_value"].strip("\"'.,;)")
    programs = list(_PROGRAM.finditer(line))
    if not programs:
        return bool(found["user"] == value)
    options = line[programs[-1].end() :].split()[1:]  # after the subcommand, not a container program's
    is_its_own = (found["user"] + value).isdigit() or all(
        option.startswith("-") or option in ("exec", "run") for option in options
    )
    return programs[-1]["with_password"] is None and is_its_own


def _is_password_letter(found: re.Match[str]) -> bool:
    """`mysql -pswordfish`, `sshpass -p swordfish`, `redis-cli -a swordfish`; not `psql -p 5432`."""
    program = _PASSWORD_LETTERS.search(_line_before(found))
    if program is None:
        return False
    if program["mysql"]:
        return found["option"] == "-p"
    return found["letter"] == ("a" if program["redis"] else "p")


def _line_before(found: re.Match[str]) -> str:
    return found.string[max(0, found.start() - 200) : found.start()].rpartition("\n")[2]


def _is_placeholder(value: str) -> bool:
    found = _PLACEHOLDER.match(value)
    return found is not None and all(map(is_known_word, re.split(r"[_-]", found[1].lower())))


def _is_no_value(found: re.Match[str], value: str) -> bool:
    """True if the text after a secret's name is not its value, but a word of the sentence, a file or a number."""
    name = found["name"]
    if found["mark"].isspace():
        is_of_data = _KEY_OF_DATA.search(found.string, max(0, found.start() - 20), found.end("name")) is not None
        return not _is_bare_value(name, value, is_of_data=is_of_data)
    if name.lower() == "key" and _FILE.fullmatch(value):
        return True
    last = name.rpartition(".")[2]  # "NoSuchKey: key …", "InvalidToken: the …"
    is_failure = is_class_name(last) and not _FAILURES.isdisjoint(map(str.lower, _HUMPS.findall(last)))
    return is_failure and is_known_word(value.lower())


def _is_bare_value(name: str, value: str, *, is_of_data: bool) -> bool:
    """True if the text after a name without a mark ("the api key 3f1c9a7e") is its value, not a word or a count."""
    if name.lower() in _NUMERIC_NAMES:
        return value.isdigit() and len(value) >= _FEWEST_DIGITS
    if not any(map(str.isalpha, value)) or len(value) < SHORTEST or value.lower() in WITH_DIGITS:
        return False
    if _WHEN.fullmatch(value) or _FILE.fullmatch(value):
        return False
    if name.lower().endswith(_PASSWORD_ENDINGS):
        return True
    is_word = name.isalpha() and _is_word_with_number(value)
    return not (_is_program_name(value) or is_word or (is_of_data and _is_word_with_number(value, is_any=True)))


def _is_word_with_number(text: str, *, is_any: bool = False) -> bool:
    """True for `job_queue_2024_03`, `PORT8080`: our words (`is_any`: any words), each with or without a number."""
    parts = [_WORD_AND_NUMBER.fullmatch(part) for part in re.split(r"[/._:@+-]+", text) if part]
    words = [part[1].lower() for part in parts if part and part[1]]
    mixed = [part for part in parts if part and part[1] and part[2] and part[1] != "v"]
    is_named = is_any or (all(word == "v" or is_known_word(word) for word in words) and any(map(is_known_word, words)))
    return all(parts) and len(mixed) <= _MOST_MIXED and _count_digits(text) <= _MOST_IN_A_DATE and is_named


def _is_few(text: str) -> bool:
    """True if digits in groups are no card and no account: too few, or a date."""
    return bool(text) and (_count_digits(text) < _FEWEST_GROUPED or _DATE.match(text) is not None)


def _is_moment(text: str) -> bool:
    """True for `20251201000900`: the number of a migration."""
    return _MOMENT.match(text) is not None


def _is_named_with_number(text: str) -> bool:
    if not text or _UUID.match(text):
        return bool(text)
    if _count_digits(text) <= _MOST_IN_A_MONTH and _is_word_with_number(text):
        return True
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
