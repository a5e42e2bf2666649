from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.csv_files.identifiers import COUNTIES, canonical_county, known_county


@pytest.mark.parametrize(
    ("written", "county"),
    [
        *((text, "Kings") for text in ("Kings", "KINGS", "kings county", "County of Kings", "Kings Co.", "Kings Co")),
        *((text, "Kings") for text in ("Kings Cnty", "Kings Cty.", "Kings County, NY", "Kings, N.Y.", "Brooklyn")),
        *(
            (text, "Kings")
            for text in ("Kings County New York", "The County of Kings", "Ki\u200bngs", " Kings  County ")
        ),
        *(
            (text, "New York")
            for text in ("New York", "NEW YORK COUNTY", "New York, NY", "Manhattan", "New York County, New York")
        ),
        *((text, "St. Lawrence") for text in ("St. Lawrence", "ST LAWRENCE", "Saint Lawrence", "st.lawrence county")),
        *((text, "DeKalb") for text in ("DEKALB", "DeKalb County", "dekalb co")),
        *((text, "Prince George's") for text in ("PRINCE GEORGE'S", "prince george\u2019s county")),
        *((text, "Miami-Dade") for text in ("MIAMI-DADE", "Miami\u2013Dade County", "miami - dade")),
        *((text, "Lake of the Woods") for text in ("LAKE OF THE WOODS", "Lake of the Woods County")),
        *((text, "O'Brien") for text in ("O'BRIEN", "O\u2019Brien")),
        ("County 17", "County 17"),
        *((text, "Kings") for text in ("Kings (Brooklyn)", "BROOKLYN/KINGS", "Kings [Kings County]")),
        *((text, "Kings") for text in ("Kings County Supreme Court", "Supreme Court, Kings County")),
        *(
            (text, "Kings")
            for text in ("Civil Court of the City of New York, County of Kings", "KINGS COUNTY CIVIL COURT")
        ),
        ("Nassau County District Court", "Nassau"),
        ("Supreme Court of Nassau County", "Nassau"),
        *(
            (text, "Kings")
            for text in (
                *("Supreme Court of the State of New York, Kings County", "Civil Court of New York, Kings County"),
                *("Supreme Court of the State of New York Kings County", "CIVIL COURT OF NEW YORK KINGS COUNTY"),
                *("Supreme Court of the State of New York, County of Kings", "City of New York County of Kings Court"),
                *(
                    "Clerk of Kings County",
                    "Kings County Clerk",
                    "Office of the Kings County Clerk\u2019s",
                    "Kings Co. Clerk",
                ),
                *("Clerk of the County of Kings", "Supreme Court, Kings", "Supreme Court \u2013 KINGS"),
                *("Civil Court of the City of New York, Kings", "Kings County Court, Kings County, New York"),
                *("New York, Kings County", "State of New York, Kings County", "Kings County, State of New York"),
            )
        ),
        *(
            (text, "Warren")
            for text in ("Town Court of Queensbury, Warren County", "Warren County, Town Court of Kings")
        ),
        *(
            (text, "New York")
            for text in ("Surrogates Court New York County", "Supreme Court, New York County, NY", "New York Co. Clerk")
        ),
        ("Supreme Court of the State of New York, County of New York", "New York"),
        ("Surrogate\u2019s Court, Saint Lawrence County", "St. Lawrence"),
        ("Magistrate Court of Georgia, DeKalb County", "DeKalb"),
        ("Clerk of DeKalb County", "DeKalb"),
        ("Richmond (city)", "Richmond (city)"),  # in Virginia a city is not its county
        ("Kings (Queens)", "Kings (queens)"),
    ],
)
def test_one_county_has_one_spelling(written: str, county: str) -> None:
    assert canonical_county(written) == county


@given(
    st.sampled_from(COUNTIES),
    st.sampled_from(["{}", "{} County", "County of {}", "{} Co.", "{} CNTY", "{} County, NY"]),
)
def test_every_county_of_new_york_is_known_however_it_is_written(county: str, form: str) -> None:
    for text in (form.format(county), form.format(county).upper(), form.format(county).lower()):
        assert known_county(text) == county


@pytest.mark.parametrize(
    "caption",
    [
        *("Supreme Court of the State of New York, County of {}", "SUPREME COURT OF NEW YORK COUNTY OF {}"),
        *("Supreme Court, County of {}, State of New York", "Clerk, County of {}", "{} County Supreme Court"),
        *("Supreme Court of the State of New York, {} County", "Surrogate's Court: {} County", "{} County Clerk, NY"),
    ],
)
def test_every_county_of_new_york_is_known_in_the_captions_of_courts(caption: str) -> None:
    """Three counties have the name of a state."""
    assert [known_county(caption.format(county)) for county in COUNTIES] == [*COUNTIES]


@given(st.text(min_size=1))
def test_a_spelling_is_its_own_spelling(text: str) -> None:
    once = canonical_county(text)
    assert canonical_county(once).lower() == canonical_county(once.upper()).lower() or not once.isascii()


@pytest.mark.parametrize("text", ["", "Kingston", "New York City", "York", "St", "County"])
def test_known_county_is_none_for_other_words(text: str) -> None:
    assert known_county(text) is None
