"""`explain access`: the same table on the screen, in JSON and in the documents."""

from __future__ import annotations

from pathlib import Path

from setup_wizard import access
from setup_wizard.ui import access_pages
from tests.program import ROOT, Account


def test_the_screen_the_json_and_the_page_say_the_same(tmp_path: Path) -> None:
    """Each drawing and each row of the table is on all three."""
    account = Account(tmp_path / "home")
    screen = account.run("explain", "access").stdout
    facts = account.facts("explain", "access")
    page = (ROOT / "docs/explanation/access.md").read_text()
    for way in access_pages.WAYS:
        assert way.drawing in screen
        assert way.drawing in page
    for who, *cells in access_pages.READERS:
        assert f"| {who} | {' | '.join(cells)} |" in page
        assert all(cell in screen for cell in (who, *cells))
        assert list(facts["readers"][who].values()) == cells


def test_every_way_that_is_explained_can_be_taken() -> None:
    """The names are those of --access."""
    for way in access_pages.WAYS:
        assert access.find(way.name)
