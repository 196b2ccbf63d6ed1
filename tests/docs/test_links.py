"""Every link of the documentation leads somewhere."""

import re

from support.pages import ROOT, all_pages


def test_every_link_leads_somewhere() -> None:
    """To a file that is there, and to a heading in it where it names one."""
    dead = []
    for page in all_pages():
        folder = (ROOT / page).parent
        for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", (ROOT / page).read_text()):
            path, _, heading = link.partition("#")
            target = folder / path if path else ROOT / page
            if not target.exists() or (heading and heading not in headings(target.read_text())):
                dead.append(f"{page}: {link}")

    assert dead == []


def headings(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
