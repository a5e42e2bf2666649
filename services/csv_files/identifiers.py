"""Normalizes the identifiers of cases and payments, and county names; pure.

Two cells name the same thing if their normalized texts are equal. Normalizing means, in this order:

1. a formula's wrapping is removed: `="00123401"`, which keeps a spreadsheet from dropping the zeros,
2. Unicode's NFKC: full-width digits, ligatures and non-breaking spaces become the usual characters,
3. invisible characters are removed: zero-width, soft hyphen, byte order mark, writing directions, controls,
4. every kind of dash is `-`, every kind of apostrophe is `'`,
5. white space is folded, a leading apostrophe is removed (how a spreadsheet marks a number as text),
6. letters are capitals.

Leading zeros stay: `0012` and `12` may be two cases.

A judgment is identified by its county and case number, so `KINGS`, `Kings County`, `County of Kings`, `Kings Co.` and
`Kings County, NY` have to be one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# Text for a missing value, by databases, statistics programs and people, and spreadsheets' error values.
_PLACEHOLDERS = frozenset(
    (
        *(
            "null",
            "(null)",
            "<null>",
            "[null]",
            "\\n",
            "<na>",
            "<nat>",
            "(none)",
            "none",
            "nil",
            "nan",
            "na",
            "n/a",
            "n.a.",
            "n.a",
            "n / a",
            "not available",
        ),
        *("#n/a", "#ref!", "#value!", "#name?", "#num!", "#null!", "#div/0!", "#spill!", "#calc!", "#getting_data"),
        *("#error!", "#field!", "#blocked!", "#unknown!", "#connect!", "#busy!", "#external!"),
        *(
            "#python!",
            "#timeout!",
            "#nv",
            "#n/d",
            "#n/b",
            "#bezug!",
            "#wert!",
            "#zahl!",
            "#valeur!",
            "#nombre!",
            "#nom?",
        ),
        *("#¡ref!", "#¡valor!", "#¡num!", "#¿nombre?", "#valor!", "#valore!", "#rif!", "#nome?", "#waarde!"),
        *("unknown", "unk", "undefined"),
        *("(blank)", "(empty)", "tbd", "tba", "?", "??", "???", ".", "..", "...", "-", "--", "---", "_", "xxx"),
        *("0", "00", "000", "0000", "0.0", "0.00"),
    )
)
LONGEST_PLACEHOLDER = max(map(len, _PLACEHOLDERS))
_MONTH = r"(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|SEPT|OCT|NOV|DEC)[A-Z]{0,6}"
_DAMAGE = {
    "scientific": "it is in scientific notation",
    "date": "it became a date",
    "decimal": "it became a decimal number",
    "thousands": "it got thousands separators",
    "time": "it became a time of day",
    "narrow": "its column was too narrow",
    "boolean": "it became TRUE or FALSE",
    "infinite": "it became infinite",
    "error": "it became an error of a formula",
}
_DAMAGED = re.compile(
    r"(?P<scientific>[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,3}|[0-9][.,][0-9]+E-[0-9]{1,3})"
    r"|(?P<decimal>[0-9]+\.0+)"
    r"|(?P<thousands>[0-9]{1,3}(?:,[0-9]{3})+)"
    r"|(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?: ?[AP]M)?| ?[AP]M))"
    r"|(?P<narrow>#+)"
    r"|(?P<boolean>TRUE|FALSE|WAHR|FALSCH|VRAI|FAUX|VERDADERO|FALSO|VERO|VERDADEIRO|WAAR|ONWAAR)"
    r"|(?P<infinite>[+-]?INF(?:INITY)?|[+-]?1\.#(?:INF|QNAN|IND)0*)"
    r"|(?P<error>ERR:[0-9]{3})"
    r"|(?P<date>(?:"
    rf"[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2,4}})?"  # 17-MAR, 17-MAR-24
    rf"|{_MONTH}-[0-9]{{1,4}}"  # MAR-17, MAR-2017
    r"|(?:0?[1-9]|1[0-2])/(?:[0-2]?[0-9]|3[01])/[0-9]{2,4}"  # 3/17/2024; a spreadsheet's zero is 1/0/1900
    r"|(?:[0-2]?[0-9]|3[01])/(?:0?[1-9]|1[0-2])/(?:18|19|20)[0-9]{2}"  # 17/3/2024
    r"|(?:18|19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:[0-2][0-9]|3[01])"  # 2024-03-17; a spreadsheet's zero is 1899-12-31
    r"|(?:18|19|20)[0-9]{2}/(?:0?[1-9]|1[0-2])/(?:[0-2]?[0-9]|3[01])"  # 2024/3/17
    r"|NAT"  # "not a time", as data frames write a missing time
    r")(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?[AP]M)?)?)"
)
_FORMULA = re.compile(r'=\s*(?:T\()?"(.*)"\)?', re.DOTALL)
_APOSTROPHES: Mapping[int, str] = dict.fromkeys(map(ord, "‘’‛ʼʹ′`´＇"), "'")  # noqa: RUF001 - intended characters
# Letters and marks by category that are drawn as nothing: joiners, fillers, Braille's blank, variation selectors.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10))))
PLACEHOLDER = "missing, the cell holds a placeholder"
FORMULA = "holds a formula, export the values instead"
UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def normalize_identifier(text: str) -> str:
    """The normalized text by which two cells are compared; see the module. Empty if the cell shows nothing."""
    plain = unwrap_formula(text)
    if not plain.isascii() or not plain.isprintable():
        plain = unify_marks(visible(unicodedata.normalize("NFKC", plain)))
    return " ".join(plain.split()).removeprefix("'").strip().upper()


def check_identifier(identifier: str, name: str) -> str:
    """Return the normalized identifier unchanged; `name` is its name for people, such as "case number".

    Raises ValueError with the broken rule, never with the text, if it identifies nothing: a placeholder, a formula, or
    text that a spreadsheet has damaged.
    """
    if not identifier:
        raise ValueError("empty")
    if is_placeholder(identifier):
        raise ValueError(PLACEHOLDER)
    if damage := find_damage(identifier, name):
        raise ValueError(damage)
    if identifier.startswith("="):
        raise ValueError(FORMULA)
    if UNREADABLE in identifier:
        raise ValueError("holds a character that cannot be read")
    return identifier


def find_damage(identifier: str, name: str) -> str | None:
    """The damage that a spreadsheet did to a cell, as a reason; None if there is none. `identifier` is normalized."""
    damaged = _DAMAGED.fullmatch(identifier)
    return f"a spreadsheet damaged the {name} ({_DAMAGE[damaged.lastgroup or '']})" if damaged else None


def check_name(name: str) -> str:
    """Return a party's name unchanged. Raises ValueError if a spreadsheet destroyed it; `May` and `True` are names."""
    damaged = _DAMAGED.fullmatch(name.upper())
    if damaged and damaged.lastgroup in ("narrow", "error"):
        raise ValueError(f"a spreadsheet damaged the name ({_DAMAGE[damaged.lastgroup]})")
    if name.startswith("="):
        raise ValueError(FORMULA)
    return name


def is_placeholder(text: str) -> bool:
    """True if the text stands for no value: `NULL`, `#N/A`, `-`. `text` has no surplus spaces."""
    return len(text) <= LONGEST_PLACEHOLDER and text.lower() in _PLACEHOLDERS


def unwrap_formula(text: str) -> str:
    """Turn `="00123401"` into `00123401`; any other text stays as it is."""
    if not text.lstrip().startswith("="):
        return text
    match = _FORMULA.fullmatch(text.strip())
    return text if match is None else match[1].replace('""', '"')


def visible(text: str) -> str:
    """The text without invisible characters: format characters (zero-width, soft hyphen, directions) and controls."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(filter(_is_visible, text))


def unify_marks(text: str) -> str:
    """Replace the many similar dashes and apostrophes with `-` and `'`."""
    return "".join("-" if _is_dash(mark) else mark for mark in text.translate(_APOSTROPHES))


def _is_visible(character: str) -> bool:
    if character in _BLANK:
        return False
    return character.isspace() or unicodedata.category(character) not in ("Cf", "Cc")


def _is_dash(character: str) -> bool:
    return character == "\N{MINUS SIGN}" or (not character.isascii() and unicodedata.category(character) == "Pd")


COUNTIES = (
    *("Albany", "Allegany", "Bronx", "Broome", "Cattaraugus", "Cayuga", "Chautauqua", "Chemung", "Chenango", "Clinton"),
    *("Columbia", "Cortland", "Delaware", "Dutchess", "Erie", "Essex", "Franklin", "Fulton", "Genesee", "Greene"),
    *("Hamilton", "Herkimer", "Jefferson", "Kings", "Lewis", "Livingston", "Madison", "Monroe", "Montgomery", "Nassau"),
    *("New York", "Niagara", "Oneida", "Onondaga", "Ontario", "Orange", "Orleans", "Oswego", "Otsego", "Putnam"),
    *("Queens", "Rensselaer", "Richmond", "Rockland", "St. Lawrence", "Saratoga", "Schenectady", "Schoharie"),
    *("Schuyler", "Seneca", "Steuben", "Suffolk", "Sullivan", "Tioga", "Tompkins", "Ulster", "Warren", "Washington"),
    *("Wayne", "Westchester", "Wyoming", "Yates"),
)

# Boroughs of New York City whose county has another name, and other names that clerks write.
_OTHER_NAMES = {
    "brooklyn": "Kings",
    "manhattan": "New York",
    "staten island": "Richmond",
    "the bronx": "Bronx",
    "ny": "New York",
}
# Names with capitals within a word, which no rule can derive.
_IRREGULAR = (
    *("DeBaca", "DeKalb", "DeSoto", "DeWitt", "DuPage", "LaMoure", "LaPorte", "LaSalle", "LaGrange", "LaPlata"),
    *("McClain", "McCone", "McCook", "McCormick", "McCracken", "McCreary", "McCulloch", "McCurtain", "McDonald"),
    *("McDonough", "McDowell", "McDuffie", "McHenry", "McIntosh", "McKean", "McKenzie", "McKinley", "McLean"),
    *("McLennan", "McLeod", "McMinn", "McMullen", "McNairy", "McPherson", "O'Brien", "D'Iberville"),
)
_SAINTS = {"st": "St.", "saint": "St.", "ste": "Ste.", "sainte": "Ste."}
_GLUED = re.compile(r"\b(ste?)\.(?=\w)")  # st.lawrence
_SMALL = frozenset(("of", "the", "and", "du", "del"))
_STATE = re.compile(r",? *(?:n\.?y\.?|(?:state of )?new york(?: state)?)$")
_STATE_BEFORE = re.compile(
    r"^(?:(?:the )?(?:state|city) of )?(?:n\.?y\.?|new york(?: state| city)?)(?:,| (?=.*\b(?:county|co|cnty|cty)\b))"
)
_OFFICE = re.compile(r"\b(?:court(?:s|house)?|clerks?|surrogates?)\b")
_COURT_OF = re.compile(
    r"(?P<before>[^,]{1,60}?) county,? (?:[^,]{1,60} )?(?:court|clerk)\b.*"
    r"|.*\b(?:court|clerk)\b.{0,80}?\bcounty of (?P<of>[^,]{1,60})(?:,.*)?"
    r"|.*\b(?:court|clerk)\b(?:.{0,80},| of| for| -) (?:the )?"
    r"(?P<behind>(?![^,]*\b(?:state|city|town|village) of\b)[^,]{1,60}?) county\b.*"
)
_KIND_BEFORE = re.compile(r"^(?:the )?county of ")
_KIND_BEHIND = re.compile(r",? (?:county|co\.?|cnty\.?|cty\.?)$")


def _key(text: str) -> str:
    return " ".join(text.lower().replace(".", "").replace(" - ", "-").split())


_BY_KEY = {**{_key(county): county for county in COUNTIES}, **_OTHER_NAMES}
_IRREGULAR_BY_LETTERS = {name.lower(): name for name in _IRREGULAR}
_NAME = rf"(?:(?:st\.?|saint) ?lawrence|{'|'.join(key for key in map(_key, COUNTIES) if key != 'st lawrence')})\b"
_NAMED = re.compile(rf"\bcounty of (?:the )?({_NAME})|\b({_NAME}) (?:county|co|cnty|cty)\b(?! of (?:the )?{_NAME})")
_NAMED_TOGETHER = re.compile(rf"\b{_NAME} (?:and|&) {_NAME}")
# Orange is a county in New York, California and Florida. Three counties of New York have the name of a state.
_OTHER_STATE = re.compile(
    r"\b(?:alabama|alaska|arizona|arkansas|california|colorado|connecticut|florida|georgia|hawaii|idaho|illinois|indiana"
    r"|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri|montana"
    r"|nebraska|nevada|new (?:hampshire|jersey|mexico)|north (?:carolina|dakota)|ohio|oklahoma|oregon|pennsylvania"
    r"|rhode island|south (?:carolina|dakota)|tennessee|texas|utah|vermont|virginia|wisconsin)\b"
    r"|(?:,|(?<!county) of) (?:delaware|washington|wyoming)(?:,|$)"
    r"|\b(?:superior|circuit|chancery) court\b|\bcommon pleas\b"  # New York has no such courts
    # States by their codes. Not Colorado: "Kings, Co." is a county.
    r"|(?:,| of|\bcourt|\bclerk) "
    r"(?:a\.?[klrz]|c\.?[at]|d\.?e|f\.?l|g\.?a|h\.?i|i\.?[adln]|k\.?[sy]|l\.?a|m\.?[adeinost]|n\.?[cdehjmv]"
    r"|o\.?[hkr]|p\.?a|r\.?i|s\.?[cd]|t\.?[nx]|u\.?t|v\.?[at]|w\.?[aivy])\.?(?: [0-9]{5}(?:-[0-9]{4})?)?(?:,|$)"
)
_CITY_OR_STATE = re.compile(r"\b(?:city|state) of new york\b")
# Courts of one county each; a town with a county's name may be elsewhere: the Town of Clinton is in Dutchess.
_COURT_OF_A_COUNTY = re.compile(
    r".*\b(?:supreme court|surrogate'?s?'? court|civil court of the city of new york)\b.*(?:,| -) *"
    rf"(?P<name>(?!new york){_NAME})(?:,? *(?:n\.?y\.?|new york))?"
)


def known_county(text: str) -> str | None:
    """The county of New York that the text names, in its usual spelling; None for any other text."""
    name = canonical_county(text)
    return name if name in COUNTIES else None


def canonical_county(text: str) -> str:
    """The canonical spelling of a county in any state: `County of Kings` and `KINGS CO` are `Kings`."""
    written = " ".join(unify_marks(visible(unicodedata.normalize("NFKC", text))).lower().split()).strip(" ,;")
    return _county_named_twice(written) or _spelled(_county_of_court(written) or written)


def _county_named_twice(written: str) -> str | None:
    """The county that `Kings (Brooklyn)` or `Brooklyn/Kings` names by both of its names; None for other texts."""
    parts = [part for part in re.split(r"[()/\[\]]", written) if part.strip()]
    named = {_spelled(part.strip()) for part in parts} if len(parts) > 1 else set()
    return named.pop() if len(named) == 1 and named <= set(COUNTIES) else None


def _county_of_court(written: str) -> str | None:
    """`kings` for `Kings County Supreme Court`, `Supreme Court of the State of New York, Kings County` and the like.

    None if the text names no court or clerk, no county, more than one county, or a county of New York in another state.
    """
    if not _OFFICE.search(written):
        return None
    named = {_spelled(of or name) for of, name in _NAMED.findall(_CITY_OR_STATE.sub(",", written))}
    if len(named) > 1 or _NAMED_TOGETHER.search(written):
        return None
    if named:
        return None if _OTHER_STATE.search(written) else named.pop().lower()
    if found := _COURT_OF_A_COUNTY.fullmatch(written):
        return found["name"]
    found = _COURT_OF.fullmatch(written)
    return (found["before"] or found["of"] or found["behind"]) if found else None


def _spelled(written: str) -> str:
    bare = _KIND_BEHIND.sub("", _KIND_BEFORE.sub("", _without_state(written)))
    words = [_SAINTS.get(word.rstrip("."), word) for word in _GLUED.sub(r"\1. ", bare.replace(" - ", "-")).split()]
    spelled = " ".join(words)
    return _BY_KEY.get(_key(spelled)) or " ".join(map(_capitalized, range(len(words)), words))


def _without_state(written: str) -> str:
    """Remove the state from `kings county, ny` or `new york, kings county`; `new york` alone is a county."""
    behind = _STATE_BEFORE.sub("", written).strip()
    if behind != written and _key(_KIND_BEHIND.sub("", _KIND_BEFORE.sub("", behind))) in _BY_KEY:
        return behind
    bare = _STATE.sub("", written)
    names_a_county = _KIND_BEHIND.search(bare) or _key(bare) in _BY_KEY or "," in written[len(bare) :]
    return bare if bare and names_a_county else written


def _capitalized(position: int, word: str) -> str:
    if word in _SMALL and position:
        return word
    return "-".join(_IRREGULAR_BY_LETTERS.get(part, part[:1].upper() + part[1:]) for part in word.split("-"))
