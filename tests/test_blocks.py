"""Marked blocks in text: ours go in and out without a trace, those of others are found and switched off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rc_cases import CORPUS, cases

from setup_wizard import blocks, files

BODY = "if true; then\n    :\nfi"
START, END = next(iter(blocks.OURS.items()))

_marks = [mark for marks in (blocks.OURS, blocks.THEIRS) for pair in marks.items() for mark in pair]
_pieces = st.sampled_from(
    [
        "\n",
        "\r\n",
        "\r",
        "\\",
        "\\\n",
        "#",
        " ",
        "\t",
        "\x0c",
        "\x85",
        "\u2028",
        "\udce4",
        "\ufeff",
        "fi",
        "'",
    ]
    + ["# (undo: 2 newlines before this block)\n", blocks.OFF]
    + _marks
    + [f"{mark}\n" for mark in _marks]
)
_any_text = st.lists(st.one_of(_pieces, st.text(max_size=5)), max_size=25).map("".join)
_without_ours = _any_text.filter(lambda text: START not in text)


@given(_without_ours)
@example("")
@example("a")
@example("a\\")
@example("a \\\n")
@example("a\r")
@example("\n\n\n")
def test_remove_is_the_exact_inverse_of_insert(text: str) -> None:
    """Whatever a file holds, our block leaves it as it found it."""
    assert blocks.remove(blocks.insert(text, BODY)) == text


@given(_any_text)
def test_insert_twice_is_insert_once(text: str) -> None:
    """With our block in place, or a broken part of one, there is nothing more to insert."""
    once = blocks.insert(text, BODY)
    assert any(b.last for b in blocks.ours(once))
    assert blocks.insert(once, BODY) == once


@given(_any_text)
def test_only_whole_lines_are_added(text: str) -> None:
    """Every line of the user is still there, in order, and our block is all there is besides."""
    new = blocks.insert(text, BODY)
    if not any(b.last for b in blocks.ours(text)):
        assert new.startswith(text)
        assert new[len(text) :].lstrip("\n").startswith(START + "\n")


@given(_any_text, _any_text)
def test_remove_keeps_what_was_written_around_the_block(before: str, after: str) -> None:
    """Lines that the user adds behind our block later are kept, on lines of their own."""
    if START in before or START in after or END in after:
        return
    inserted = blocks.insert(before, BODY)
    glue = inserted[: inserted.index(START)].removeprefix(before)
    expected = before + (glue if after else "") + after
    assert blocks.remove(inserted + after) == expected


def test_an_older_block_is_renewed_where_it_is() -> None:
    """A block of an older version gets the new lines and keeps its place and its note about newlines."""
    old = blocks.insert("export A=1", "old lines")
    assert blocks.insert(old + "export B=2\n", BODY) == blocks.insert("export A=1", BODY) + "export B=2\n"


def test_a_cut_block_is_not_taken_for_ours() -> None:
    """A start mark that has lost its end claims nothing: what follows is the user's."""
    text = f"export A=1\n{START}\nexport B=2\n"
    assert blocks.ours(text) == [blocks.Block(blocks.NAME, 2, 0)]
    assert blocks.remove(text) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one-conda-block", [("conda", 8, 21)]),
        ("two-conda-blocks", [("conda", 2, 15), ("conda", 17, 30)]),
        ("mamba-block", [("mamba", 2, 11)]),
        ("micromamba-block", [("micromamba", 1, 10)]),
        ("conda-and-mamba-blocks", [("conda", 1, 14), ("mamba", 16, 25)]),
        ("conda-block-crlf-marks", [("conda", 2, 4)]),
        ("unterminated-conda-block", [("conda", 2, 0)]),
        ("unterminated-then-whole-block", [("conda", 1, 0), ("conda", 3, 16)]),
        ("nested-blocks", [("mamba", 1, 17)]),
        ("end-mark-only", []),
        ("commented-out-by-conda", []),
        ("our-older-block-in-the-middle", []),
    ],
)
def test_foreign_blocks_are_found(name: str, expected: list[tuple[str, int, int]]) -> None:
    """Whose blocks there are, and in which lines; one without an end mark is told apart."""
    found = blocks.foreign(files.read_text(CORPUS / "edited" / name))
    assert [(b.owner, b.first, b.last) for b in found] == expected


def test_a_foreign_block_never_reaches_into_ours() -> None:
    """An unfinished conda block before ours does not end at an end mark behind ours."""
    conda, end = next(iter(blocks.THEIRS.items()))
    text = blocks.insert(f"{conda}\nexport A=1\n", BODY) + f"{end}\n"
    assert [b.last for b in blocks.foreign(text)] == [0]


@given(_any_text.filter(lambda text: blocks.OFF not in text))
def test_switch_on_is_the_exact_inverse_of_switch_off(text: str) -> None:
    """Switched off and on again, the text is the same, and off twice is off once."""
    off = blocks.switch_off(text)
    assert blocks.switch_on(off) == text
    assert blocks.switch_off(off) == off


@pytest.mark.parametrize("case", cases("edited"))
def test_switch_off_changes_only_lines_of_blocks(case: Path) -> None:
    """Each line in a whole block is commented out, every other line is as it was."""
    text = files.read_text(case)
    inside = {n for b in blocks.foreign(text) if b.last for n in range(b.first, b.last + 1)}
    pairs = zip(text.split("\n"), blocks.switch_off(text).split("\n"), strict=True)
    for number, (old, new) in enumerate(pairs, 1):
        assert new == (blocks.OFF + old if number in inside else old)


def test_stray_lines_are_told_with_their_numbers() -> None:
    """Lines that put another conda or Python in the way are found; comments, blocks and others are not."""
    text = "\n".join(
        [
            'export PATH="/home/u/miniconda3/bin:$PATH"',
            "# export PATH=/home/u/miniconda3/bin:$PATH",
            "  source ~/venv/bin/activate",
            "export PATH=$HOME/bin:$PATH",
            ". /opt/forge/etc/profile.d/conda.sh",
            "conda activate work",
            "alias conda='mamba'",
            "conda() { mamba; }",
            "function conda { mamba; }",
            'eval "$(/opt/micromamba shell hook)"',
            "PATH=/opt/miniforge3/condabin:$PATH",
            "echo 'conda activate'",
            blocks.insert("", ". /x/etc/profile.d/conda.sh").rstrip("\n"),
            "# >>> conda initialize >>>\nconda activate inside\n# <<< conda initialize <<<",
        ]
    )
    assert [s.line for s in blocks.stray_lines(text)] == [1, 3, 5, 6, 7, 8, 9, 10, 11]
    assert blocks.stray_lines(text)[1].text == "source ~/venv/bin/activate"
