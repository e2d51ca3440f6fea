"""Blocks of other condas: commented out with consent, line by line, and switched on again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rc_cases import CORPUS, age, bash, cases, fake_prefix, make, photo, refused

from setup_wizard import blocks
from setup_wizard.step import Blocked, Done, Todo
from setup_wizard.steps.old_blocks import OldBlocks, old_blocks
from setup_wizard.steps.shell_block import ShellBlock
from setup_wizard.world import World


@pytest.fixture
def step(world: World) -> OldBlocks:
    return OldBlocks.of(world.home, "bash")


def _put(name: str, step: OldBlocks) -> None:
    shutil.copyfile(CORPUS / "edited" / name, step.path)
    age(step.path)


@pytest.mark.parametrize("case", cases("edited", "unreached"))
def test_off_and_on_again_is_no_change(case: Path, world: World, step: OldBlocks) -> None:
    """Where there are whole blocks they are switched off, bash can read it, and undo gives every byte."""
    _put(f"../{case.parent.name}/{case.name}", step)
    before = photo(world.home)
    state = step.check(world)
    if not isinstance(state, Todo):
        whole = any(b.last for b in blocks.foreign(case.read_bytes().decode("utf-8", "surrogateescape")))
        assert isinstance(state, Blocked) if whole else isinstance(state, Done)
        assert photo(world.home) == before
        return
    made = make(step, world)
    assert bash(world, "-n", str(step.path))[0::2] == (0, "")
    assert old_blocks(world) == []
    assert step.undo(made, world) == []
    assert photo(world.home) == before


def test_the_blocks_are_listed_for_people(world: World, step: OldBlocks) -> None:
    """Whose they are, and in which lines, so that the user knows what the question is about."""
    _put("conda-and-mamba-blocks", step)
    assert old_blocks(world) == [f"{step.path}: conda, lines 1 to 14", f"{step.path}: mamba, lines 16 to 25"]


def test_undo_finds_its_lines_after_edits(world: World, step: OldBlocks) -> None:
    """Edits elsewhere are kept, and the lines of the blocks come back though they have moved."""
    _put("two-conda-blocks", step)
    old = step.path.read_text()
    made = make(step, world)
    step.path.write_text("export FIRST=1\n" + step.path.read_text() + "export LAST=1\n")
    assert step.undo(made, world) == []
    assert step.path.read_text() == "export FIRST=1\n" + old + "export LAST=1\n"


def test_an_unfinished_block_is_named_and_left(world: World, step: OldBlocks) -> None:
    """Nobody knows where it ends, so nothing is done to it, and the line is told."""
    _put("unterminated-conda-block", step)
    state = step.check(world)
    assert isinstance(state, Done)
    assert "conda, line 2, without an end mark" in state.note


def test_a_block_inside_of_something_else_is_left(world: World, step: OldBlocks) -> None:
    """A function of the user around the block would be empty, which bash cannot read: refused."""
    _put("conda-block-in-a-function", step)
    assert "The change would break the file" in refused(step, world).problem


def test_with_our_block_both_come_and_go(world: World, step: OldBlocks, tmp_path: Path) -> None:
    """Switched off, then our block, then undone newest first: the same file as before."""
    _put("two-conda-blocks", step)
    before = photo(world.home)
    ours = ShellBlock.of(world.home, "bash", fake_prefix(tmp_path))
    off, on = make(step, world), make(ours, world)
    assert bash(world, "-ic", "conda")[1] == f"conda of {ours.prefix}\n"
    ours.undo(on, world)
    step.undo(off, world)
    assert photo(world.home) == before


def test_our_block_first_and_the_old_ones_later(world: World, step: OldBlocks, tmp_path: Path) -> None:
    """The order in which the two were made does not matter to undo."""
    _put("mamba-block", step)
    before = photo(world.home)
    ours = ShellBlock.of(world.home, "bash", fake_prefix(tmp_path))
    on, off = make(ours, world), make(step, world)
    ours.undo(on, world)
    assert not blocks.ours(step.path.read_text())
    step.undo(off, world)
    ours.undo(on, world)
    assert photo(world.home).keys() == before.keys()
    assert step.path.read_bytes() == (CORPUS / "edited/mamba-block").read_bytes()


def test_a_missing_file_has_no_blocks(world: World, step: OldBlocks) -> None:
    """Nothing to switch off, nothing to do; a directory in its place is no trouble either."""
    assert isinstance(step.check(world), Done)
    step.path.mkdir()
    assert isinstance(step.check(world), Done)


def test_the_file_of_another_shell_is_left(world: World) -> None:
    """A block in the file of fish is told, not touched."""
    step = OldBlocks.of(world.home, "fish")
    step.path.parent.mkdir(parents=True)
    step.path.write_text("# >>> conda initialize >>>\neval x\n# <<< conda initialize <<<\n")
    assert "conda, lines 1 to 3" in refused(step, world).fix
