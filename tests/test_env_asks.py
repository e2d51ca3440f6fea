"""What `env` asks at a terminal before it harms what runs, or what is somebody else's."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pexpect
import pytest

from setup_wizard import session
from setup_wizard.conda import contents
from setup_wizard.errors import Declined
from tests.program import ROOT
from tests.test_env_delete import Orchard, orchard, shape, url

__all__ = ["orchard", "url"]  # the fixtures


def typed(orchard: Orchard, *words: str) -> Any:
    """A command of `env` on a terminal that has no cursor to move."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "setup_wizard", "env", *words],
        cwd=str(ROOT),
        env={**orchard.env, "TERM": "dumb"},
        encoding="utf-8",
        timeout=30,
        dimensions=(40, 200),
    )


def answered(terminal: Any, question: str, answer: str) -> None:
    """Wait for the question, wherever its lines break, to be ready for an answer, and give it."""
    terminal.expect(r"\s+".join(map(re.escape, question.split())))
    terminal.expect("Enter takes|> ")
    terminal.sendline(answer)


def code(terminal: Any) -> int:
    """How it ended."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return int(terminal.exitstatus)


@contextmanager
def a_session(orchard: Orchard) -> Iterator[str]:
    """A session that runs from the environment; its name."""
    world = orchard.world
    mine = session.reserve(world, session.Job(orchard.prefix, orchard.home), session.this_process(world))
    try:
        yield mine.id
    finally:
        session.remove(mine)


@contextmanager
def a_program(orchard: Orchard) -> Iterator[str]:
    """A program of the user's that runs from the environment; its name and number."""
    sleep, program = shutil.which("sleep"), orchard.prefix / "bin/sleeper"
    assert sleep
    program.parent.mkdir()
    shutil.copy(sleep, program)
    with subprocess.Popen([program, "60"]) as running:
        try:
            yield f"sleeper {running.pid}"
        finally:
            running.kill()


@pytest.mark.parametrize("runs", [a_session, a_program])
def test_a_change_under_what_runs_is_asked_for(orchard: Orchard, runs: Any) -> None:
    """Who runs from it is named; «n» leaves everything as it is, «y» goes on to the plan and does it."""
    words = ("install", "orchard", "quince")
    with runs(orchard) as name:
        was = shape(orchard)
        terminal = typed(orchard, *words)
        terminal.expect_exact(name)
        answered(terminal, "may fail. Change it all the same?", "n")
        terminal.expect_exact("nothing was changed")
        assert code(terminal) == Declined.code
        assert shape(orchard) == was
        terminal = typed(orchard, *words)
        answered(terminal, "may fail. Change it all the same?", "y")
        answered(terminal, "Shall I do this?", "y")
        assert code(terminal) == 0
        assert "quince-1.2-0" in contents.stems(orchard.prefix)


def test_what_is_not_ours_goes_by_its_name(orchard: Orchard) -> None:
    """Another word, «y» for one, ends it with nothing changed; the very name deletes it."""
    theirs = orchard.home / ".conda/envs/theirs"
    (theirs / "conda-meta").mkdir(parents=True)
    (theirs / "conda-meta/history").write_text("==> long ago <==\n")
    was = shape(orchard)
    for wrong in ("y", "their", ""):
        terminal = typed(orchard, "delete", "theirs")
        answered(terminal, "Type its name to delete it all the same", wrong)
        terminal.expect_exact("nothing was changed")
        assert code(terminal) == Declined.code
        assert shape(orchard) == was
    terminal = typed(orchard, "delete", "theirs")
    answered(terminal, "Type its name to delete it all the same", "theirs")
    answered(terminal, "Shall I do this?", "y")
    assert code(terminal) == 0
    assert not theirs.exists()
    assert contents.is_environment(orchard.prefix)
