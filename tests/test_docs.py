"""The documents say what is so: exit codes, links, and the figures' place."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from setup_wizard.cli import boundary
from setup_wizard.errors import SetupError

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_exit_codes_are_those_of_the_code() -> None:
    """docs/reference/exit-codes.md lists each error with its code, and no other."""
    page = (ROOT / "docs/reference/exit-codes.md").read_text()
    rows = re.findall(r"^\| (\d+) \| *(\w*) *\|", page, flags=re.M)
    assert {(str(e.code), e.__name__) for e in SetupError.__subclasses__()} == {row for row in rows if row[1]}
    assert [code for code, name in rows if not name] == [
        "0",
        "1",
        str(boundary.BUG),
        str(boundary.INTERRUPTED),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of ours names one that is there."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    ours = [link for link in links if "://" not in link]
    assert [link for link in ours if not (page.parent / link).exists()] == []


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """scripts/figures.py as a module, with a page of its own to record in."""
    spec = importlib.util.spec_from_file_location("bench_figures", ROOT / "scripts/figures.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_figures", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RECORD", tmp_path / "benchmarks.md")
    (tmp_path / "benchmarks.md").write_text((ROOT / "docs/benchmarks.md").read_text())
    return module


def test_figures_are_recorded_between_their_marks(figures: ModuleType) -> None:
    """Recording replaces the table, twice if need be, and nothing of the page around it."""
    page = figures.RECORD.read_text()
    head, tail = page.split(figures.BEGIN)[0], page.split(figures.END)[1]
    for seconds in (1.0, 2.0):
        figures.record(figures.table([figures.over("thing", seconds, "least", 1.0)]))
    written = figures.RECORD.read_text()
    assert written.startswith(head)
    assert written.endswith(tail)
    assert "| thing | 2.00 s | least 1.00 s | 2.00 | ≤ 1.3 | **no** |" in written
    assert "1.00 s | least" not in written
