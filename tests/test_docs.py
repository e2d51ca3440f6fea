"""The documents keep to the program: keys, commands and files that they name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setup_wizard.answers import Answers
from tests.program import Account

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_every_answer_is_documented() -> None:
    """docs/reference/answers.md has a row for every field of the answers, and none for others."""
    page = (ROOT / "docs/reference/answers.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)
    assert rows == [name.replace("_", "-") for name in Answers.__struct_fields__]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a document leads to a file of the project."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    lost = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_exist(page: Path, tmp_path: Path) -> None:
    """Every `hpc-jupyter-setup WORD` of a document is a command of the program."""
    known = Account(tmp_path / "home").run("--help").stdout.split("Commands:")[1]
    commands = {line.split()[0] for line in known.splitlines() if line.strip()}
    used = re.findall(r"^(?:.*`)?hpc-jupyter-setup ([a-z]+)", page.read_text(), re.MULTILINE)
    assert set(used) <= commands
