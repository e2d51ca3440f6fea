"""Which versions of a package there are: asked of real channels through the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from setup_wizard.conda.talk import Offer, Seen
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.ui import paper, search_page
from tests.channels import channel
from tests.program import Account


class Market(Account):
    """An account, and two channels: old apples in the one, the newest and a pear in the other."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "home")
        versions = [f"1.{n}" for n in range(12)]
        apples = [stub("apple", v, depends=["core >=1"], noarch="generic") for v in versions]
        self.first = channel(folder / "orchard", apples)
        self.second = channel(folder / "garden", [stub("apple", "1.11"), stub("apple", "2.0"), stub("pear")])

    def search(self, *words: str) -> Any:
        """What is found, as an object."""
        return self.facts("env", "search", *words, "-c", self.first, "-c", self.second)

    def said(self, *words: str) -> str:
        """What is shown on standard output."""
        return self.run("env", "search", *words, "-c", self.first, "-c", self.second).stdout


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """The account and its channels."""
    return Market(tmp_path_factory.mktemp("market"))


def test_the_newest_versions_are_shown(market: Market) -> None:
    """Ten of them, newest first, and how to see the others; nothing is left on the account."""
    before = picture(market.home)
    lines = market.said("apple").splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["2.0", "1.11", "1.11", "1.10"]
    assert ("orchard" in lines[2], "garden" in lines[3]) == (True, True), "channels in the order of asking"
    assert lines[-1].strip() == "and 4 older versions: --all"
    assert len(lines) == 12
    assert len(market.said("apple", "--all").splitlines()) == 1 + 14
    assert picture(market.home) == before


def test_a_version_can_be_asked_for(market: Market) -> None:
    """As conda and pip write it; --json has every offer, with its needs, whatever is shown."""
    found = market.search("apple>=1.3,<1.6")
    assert [o["version"] for o in found["offers"]] == ["1.5", "1.4", "1.3"]
    assert found["offers"][0]["depends"] == ["core >=1"]
    assert found["offers"][0]["noarch"] is True
    assert found["offers"][0]["channel"].rstrip("/") == market.first
    assert [o["version"] for o in market.search("apple=1.1")["offers"]] == ["1.1"]
    assert "core >=1" in market.said("apple=1.1", "--depends")
    assert "nothing" in market.said("pear", "--depends")


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        ("appel", 5, "Did you mean apple?"),
        ("apple>=7", 5, "There is apple 2.0, 1.11"),
        ("apple=", 2, "is no package specification"),
    ],
)
def test_what_is_not_there(market: Market, word: str, code: int, said: str) -> None:
    """A near name, the versions that there are, or what is wrong with the words."""
    ended = market.run("env", "search", word, "-c", market.first, "-c", market.second)
    assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
    assert ended.stdout == ""


def test_names_with_a_star(market: Market) -> None:
    """The names that match, or that none does."""
    assert market.search("*P*")["names"] == ["apple", "pear"]
    assert market.said("pe*") == "pear\n"
    assert "no package whose name is like" in market.said("x*")


def test_no_secret_of_a_channel_is_shown() -> None:
    """A password in its address, or a token, goes nowhere."""
    offers = tuple(
        Offer("1.0", f"h{n}", url, 870_000)
        for n, url in enumerate(("https://me:pw@host/private", "https://host/t/tk-secret/lab"))
    )
    text = paper.text(search_page.found("x", Seen(offers), everything=True, depends=False))
    told = str(search_page.plain(Seen(offers)))
    assert "private" in text
    assert not any(secret in text + told for secret in ("pw", "tk-secret"))


@pytest.mark.parametrize("width", [60, 100])
def test_the_page_fits(width: int) -> None:
    """Builds of one version are one row, which is not folded."""
    builds = tuple(
        Offer("2026.10.18", f"py3{n}h9ed5c5a_{n}", "https://x/conda-forge", 12_345_678) for n in range(3)
    )
    text = paper.text(search_page.found("pkg", Seen(builds), everything=False, depends=False), width)
    assert [len(line) <= width for line in text.splitlines()] == [True, True]
    assert "and 2 more" in text
