"""The counties of New York, so that nothing else passes for one."""

from __future__ import annotations

COUNTIES = (
    *("Albany", "Allegany", "Bronx", "Broome", "Cattaraugus", "Cayuga", "Chautauqua", "Chemung", "Chenango", "Clinton"),
    *("Columbia", "Cortland", "Delaware", "Dutchess", "Erie", "Essex", "Franklin", "Fulton", "Genesee", "Greene"),
    *("Hamilton", "Herkimer", "Jefferson", "Kings", "Lewis", "Livingston", "Madison", "Monroe", "Montgomery", "Nassau"),
    *("New York", "Niagara", "Oneida", "Onondaga", "Ontario", "Orange", "Orleans", "Oswego", "Otsego", "Putnam"),
    *("Queens", "Rensselaer", "Richmond", "Rockland", "St. Lawrence", "Saratoga", "Schenectady", "Schoharie"),
    *("Schuyler", "Seneca", "Steuben", "Suffolk", "Sullivan", "Tioga", "Tompkins", "Ulster", "Warren", "Washington"),
    *("Wayne", "Westchester", "Wyoming", "Yates"),
)

_BY_LETTERS = {county.lower().replace(".", ""): county for county in COUNTIES}


def known_county(text: str) -> str | None:
    """The county that is meant, in its usual spelling; None when the text is anything else."""
    return _BY_LETTERS.get(" ".join(text.lower().replace(".", "").removesuffix(" county").split()))
