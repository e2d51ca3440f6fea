"""How one question is asked: with arrow keys where the terminal can, else with numbers and `input`.

Ctrl-C and Ctrl-D raise KeyboardInterrupt. What was asked becomes one line when it is answered.
"""

from __future__ import annotations

import contextlib
import sys
import termios
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from setup_wizard.ui import paper
from setup_wizard.ui.sheet import Page, line
from setup_wizard.world import World

Check = Callable[[str], str]  # what is wrong with a text; "" when it will do


class Option(msgspec.Struct, frozen=True):
    """Something to choose: value, name, a note, the key that chooses it, why it cannot be chosen."""

    value: str
    name: str
    note: str = ""
    key: str = ""
    refused: str = ""


class Ask(msgspec.Struct, frozen=True):
    """A question as it is put: its text and a line of help."""

    text: str
    help: str = ""


class Asker(Protocol):
    """Puts questions, and waits for the answers."""

    def one(self, ask: Ask, options: Sequence[Option], default: str) -> str:
        """The value of one option."""

    def many(self, ask: Ask, options: Sequence[Option], default: Sequence[str]) -> tuple[str, ...]:
        """The values of any number of options."""

    def text(self, ask: Ask, default: str, check: Check) -> str:
        """A text that passes the check."""

    def folder(self, ask: Ask, default: str, check: Check) -> str:
        """The path of a folder that passes the check."""


YES_NO = (Option("yes", "yes", key="y"), Option("no", "no", key="n"))


def asker(world: World) -> Asker:
    """The way to ask that this terminal allows."""
    if can_draw(world):
        try:
            from setup_wizard.ui.arrows import Arrows

            return Arrows(world)
        except ImportError:  # a library that does not fit this Python: the questions can be asked without
            pass
    from setup_wizard.ui.numbers import Numbers

    return Numbers(world)


def can_draw(world: World) -> bool:
    """Whether the terminal can move its cursor."""
    return world.on_terminal and world.env.get("TERM", "dumb") not in ("", "dumb", "unknown")


def forget_keys() -> None:
    """Drop what was typed ahead: nobody agrees to what they have not seen."""
    with contextlib.suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def say(world: World, page: Page) -> None:
    """Show something above the next question."""
    paper.put(page, paper.console(world.env))


def answered(world: World, text: str, answer: str) -> None:
    """The line that stays of a question."""
    say(world, [line(text, (f"  {answer}", "strong"), mark=("✔", "good"))])
