"""The journal: on disk before we go on, whole lines only, folded into the receipt."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from setup_wizard.errors import BadJournal, Busy
from setup_wizard.files import NoFile
from setup_wizard.journal import Began, Journal, Made, Opened, Restored, Undone, fold
from setup_wizard.steps import Condarc, Trash
from setup_wizard.world import World

STEP = Condarc(path=Path("/home/u/.condarc"), channels=("conda-forge",))
OTHER = Condarc(path=Path("/home/u/m/.condarc"), channels=("conda-forge",))


def before(word: str) -> NoFile:
    """What was there before, told apart by a word."""
    return NoFile(Path("/home/u/.condarc"), (Path(f"/home/u/{word}"),))


def test_first_before_wins() -> None:
    """A step begun twice is undone to what was there before the first time."""
    receipt = fold([Began(STEP, before("first")), Made(STEP.key), Began(STEP, before("second"))])
    assert receipt[STEP.key].before == before("first")
    assert not receipt[STEP.key].made


def test_undone_starts_afresh() -> None:
    """After an undo, a new beginning has a new before."""
    events = [Began(STEP, before("first")), Made(STEP.key), Undone(STEP.key), Began(STEP, before("second"))]
    assert fold(events)[STEP.key].before == before("second")
    assert fold(events[:3]) == {}


def test_order_is_that_of_the_beginnings() -> None:
    """The receipt lists the oldest first, so that undo can go backwards."""
    receipt = fold([Began(STEP, before("a")), Began(OTHER, before("b")), Made(STEP.key), Made(OTHER.key)])
    assert list(receipt) == [STEP.key, OTHER.key]


def test_what_is_set_aside_leaves_its_name_and_keeps_its_place() -> None:
    """The name is free for another; restored, it is there as it was; the first before wins here, too."""
    trash = Trash("e", Path("/e"), Path("/t/e"), 0.0, ends=(STEP.key,))
    away = [Began(trash, NoFile(Path("/t/e"))), Made(trash.key)]
    events = [Began(STEP, before("a")), Made(STEP.key), Began(OTHER, before("b")), *away]
    receipt = fold(events)
    assert [e.aside for e in receipt.values()] == [trash.key, "", ""]
    assert STEP.key not in receipt
    assert list(fold([*events, Restored(trash.key)])) == [STEP.key, OTHER.key]
    assert fold([*events, Restored(trash.key)])[STEP.key].before == before("a")
    again = [*events, Undone(trash.key), Began(STEP, before("c")), Made(STEP.key)]
    assert fold(again)[STEP.key].before == before("c")
    assert [e.before for e in fold([*again, *away]).values() if e.aside] == [before("a")]


def test_every_event_survives_the_disk(world: World) -> None:
    """What was written is read back the same, by another process too."""
    with Journal(world) as journal:
        journal.append(Began(STEP, before("x")))
        journal.append(Made(STEP.key))
    again = Journal(world)
    assert again.events == journal.events
    assert again.receipt[STEP.key].step == STEP


def test_torn_line_did_not_happen(world: World) -> None:
    """Half a line at the end is ignored when reading, and cut off before the next is written."""
    with Journal(world) as journal:
        journal.append(Began(STEP, before("x")))
        path = journal.path
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines(keepends=True)[-1][:20])
    assert list(Journal(world).receipt) == [STEP.key]
    with Journal(world) as journal:
        journal.append(Made(STEP.key))
    assert [type(e) for e in Journal(world).events] == [Opened, Began, Made]


def test_damaged_line_is_named(world: World) -> None:
    """A line in the middle that cannot be read stops everything, with its number; nothing is changed."""
    with Journal(world) as journal:
        journal.append(Began(STEP, before("x")))
        journal.append(Made(STEP.key))
        path = journal.path
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = lines[0] + b'{"type": "began", "step": oops}\n' + lines[2]
    path.write_bytes(damaged)
    with pytest.raises(BadJournal, match=r"journal\.jsonl:2: ") as e:
        Journal(world)
    assert str(path) in e.value.fix
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "line",
    [
        {"type": "opened", "format": 99, "version": "9.0"},
        {"type": "opened", "format": 1, "version": "9.0"},
    ],
)
def test_newer_version_is_told(world: World, line: dict[str, object]) -> None:
    """A journal of a newer format, or with a step that we do not know, asks for an upgrade."""
    world.state.mkdir(parents=True)
    step = {"type": "began", "step": {"type": "quantum_env"}, "before": {"type": "no_file", "path": "/x"}}
    text = "".join(json.dumps(x) + "\n" for x in (line, step))
    (world.state / "journal.jsonl").write_text(text)
    with pytest.raises(BadJournal) as e:
        Journal(world)
    assert "newer version" in e.value.problem
    assert "upgrade" in e.value.fix


def test_two_runs_at_once(world: World) -> None:
    """The second run is refused at once, and told which process holds the lock."""
    with Journal(world), pytest.raises(Busy, match=str(os.getpid())):
        Journal(world).__enter__()
    with Journal(world):
        pass  # free again


def test_lock_of_a_killed_run_is_waited_for(world: World) -> None:
    """A program that a killed run left behind holds the lock until it ends; the next run waits for it."""
    code = """
import sys, os, signal
from pathlib import Path
from setup_wizard.journal import Journal
from setup_wizard.world import World
world = World(Path(sys.argv[1]), {"HOME": sys.argv[1], "PATH": "/usr/bin:/bin"})
with Journal(world):
    os.set_inheritable(world.inherit[0], True)
    os.posix_spawn("/bin/sleep", ["sleep", "1"], {})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code, str(world.home)], cwd=Path(__file__).parent.parent)
    assert killed.returncode == -9
    began = world.now()
    with Journal(world):
        assert world.now() - began > 0.2, "the left-over program was not waited for"


def test_folders_are_private_and_forgotten(world: World) -> None:
    """Our folders are 0700, and after `forget` the home is as it was, parents included."""
    (world.home / ".local").mkdir()
    with Journal(world) as journal:
        assert world.state.stat().st_mode & 0o777 == 0o700
        assert world.cache.stat().st_mode & 0o777 == 0o700
        journal.forget()
    assert [p.name for p in world.home.rglob("*")] == [".local"]


def test_a_file_system_without_locks_has_a_lock_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time there as well; what a killed run has left is taken over. That it has none is scripted."""

    def none(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with Journal(world), pytest.raises(Busy, match=str(os.getpid())):
        Journal(world).__enter__()
    dead = subprocess.Popen(["true"])
    dead.wait()
    with Journal(world):
        pass
    (world.state / "held").touch()
    (world.state / "lock").write_text(f"{dead.pid} on {world.hostname}\n")
    with Journal(world) as journal:
        journal.append(Began(STEP, before("first")))
    assert not (world.state / "held").exists()
