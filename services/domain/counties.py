"""Counties by the many ways in which people write them, and the counties of New York.

A judgment is identified by its county and case number, so `KINGS`, `Kings County`, `County of Kings`, `Kings Co.` and
`Kings County, NY` have to be one.
"""

from __future__ import annotations

import re
import unicodedata

from services.domain.identifiers import unify_marks, visible

COUNTIES = (
    *("Albany", "Allegany", "Bronx", "Broome", "Cattaraugus", "Cayuga", "Chautauqua", "Chemung", "Chenango", "Clinton"),
    *("Columbia", "Cortland", "Delaware", "Dutchess", "Erie", "Essex", "Franklin", "Fulton", "Genesee", "Greene"),
    *("Hamilton", "Herkimer", "Jefferson", "Kings", "Lewis", "Livingston", "Madison", "Monroe", "Montgomery", "Nassau"),
    *("New York", "Niagara", "Oneida", "Onondaga", "Ontario", "Orange", "Orleans", "Oswego", "Otsego", "Putnam"),
    *("Queens", "Rensselaer", "Richmond", "Rockland", "St. Lawrence", "Saratoga", "Schenectady", "Schoharie"),
    *("Schuyler", "Seneca", "Steuben", "Suffolk", "Sullivan", "Tioga", "Tompkins", "Ulster", "Warren", "Washington"),
    *("Wayne", "Westchester", "Wyoming", "Yates"),
)

# Boroughs of New York City that are a county of another name, and what clerks write for those that are not.
_OTHER_NAMES = {
    "brooklyn": "Kings",
    "manhattan": "New York",
    "staten island": "Richmond",
    "the bronx": "Bronx",
    "ny": "New York",
}
# Capitals within a word, which no rule finds.
_IRREGULAR = (
    *("DeBaca", "DeKalb", "DeSoto", "DeWitt", "DuPage", "LaMoure", "LaPorte", "LaSalle", "LaGrange", "LaPlata"),
    *("McClain", "McCone", "McCook", "McCormick", "McCracken", "McCreary", "McCulloch", "McCurtain", "McDonald"),
    *("McDonough", "McDowell", "McDuffie", "McHenry", "McIntosh", "McKean", "McKenzie", "McKinley", "McLean"),
    *("McLennan", "McLeod", "McMinn", "McMullen", "McNairy", "McPherson", "O'Brien", "D'Iberville"),
)
_SAINTS = {"st": "St.", "saint": "St.", "ste": "Ste.", "sainte": "Ste."}
_GLUED = re.compile(r"\b(ste?)\.(?=\w)")  # st.lawrence
_SMALL = frozenset(("of", "the", "and", "du", "del"))
_STATE = re.compile(r",? *(?:n\.?y\.?|new york(?: state)?)$")
_KIND_BEFORE = re.compile(r"^(?:the )?county of ")
_KIND_BEHIND = re.compile(r",? (?:county|co\.?|cnty\.?|cty\.?)$")


def _key(text: str) -> str:
    return " ".join(text.lower().replace(".", "").replace(" - ", "-").split())


_BY_KEY = {**{_key(county): county for county in COUNTIES}, **_OTHER_NAMES}
_IRREGULAR_BY_LETTERS = {name.lower(): name for name in _IRREGULAR}


def known_county(text: str) -> str | None:
    """The county of New York that is meant, in its usual spelling; None when the text is anything else."""
    name = canonical_county(text)
    return name if name in COUNTIES else None


def canonical_county(text: str) -> str:
    """The one spelling of a county, whatever state it is in: `County of Kings` and `KINGS CO` are `Kings`."""
    written = " ".join(unify_marks(visible(unicodedata.normalize("NFKC", text))).lower().split()).strip(" ,;")
    bare = _KIND_BEHIND.sub("", _KIND_BEFORE.sub("", _without_state(written)))
    words = [_SAINTS.get(word.rstrip("."), word) for word in _GLUED.sub(r"\1. ", bare.replace(" - ", "-")).split()]
    spelled = " ".join(words)
    return _BY_KEY.get(_key(spelled)) or " ".join(map(_capitalized, range(len(words)), words))


def _without_state(written: str) -> str:
    """`kings county, ny` names a county and its state; `new york` alone names a county."""
    bare = _STATE.sub("", written)
    names_a_county = _KIND_BEHIND.search(bare) or _key(bare) in _BY_KEY or "," in written[len(bare) :]
    return bare if bare and names_a_county else written


def _capitalized(position: int, word: str) -> str:
    if word in _SMALL and position:
        return word
    return "-".join(_IRREGULAR_BY_LETTERS.get(part, part[:1].upper() + part[1:]) for part in word.split("-"))
