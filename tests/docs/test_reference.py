"""The reference is made from the code, and nothing that exists is missing from it.

It is written anew with::

    TASUKI_TEST_REWRITE_CONTRACTS=1 ./dev test tests/docs/test_reference.py
"""

import os
import re

import pytest

from support.pages import ROOT
from support.reference import PAGES

REWRITE = "TASUKI_TEST_REWRITE_CONTRACTS"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_reference_is_what_the_code_says(name: str) -> None:
    """A reference that is written by hand is wrong after the first change."""
    file, text = ROOT / "docs" / "reference" / f"{name}.md", PAGES[name]()
    if os.environ.get(REWRITE):
        file.write_text(text)

    assert file.read_text() == text, f"{file.name} is old; set {REWRITE}=1 once"


def test_every_row_says_what_it_means() -> None:
    """A setting, an option, a field or a route without a word of explanation helps nobody."""
    silent = [
        f"{name}: {row}"
        for name, make in PAGES.items()
        for row in make().splitlines()
        if re.match(r"\| [`\d]", row) and re.search(r"\|  \|$", row)
    ]

    assert silent == []
