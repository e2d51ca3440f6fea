"""Questions with arrow keys, drawn by questionary; nothing of the asking stays on the screen."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import Any

import questionary
from prompt_toolkit.completion import PathCompleter
from prompt_toolkit.styles import Attrs
from questionary import Choice, Question, Separator, Style

from setup_wizard.ui import paper
from setup_wizard.ui.prompt import Ask, Check, Option, answered
from setup_wizard.world import World

# Readable on a light ground as on a dark one, which no grey is; older versions do not know the word.
QUIET = "dim" if "dim" in Attrs._fields else ""
STYLE = Style(
    [
        ("qmark", "fg:ansicyan bold"),
        ("question", "bold"),
        ("instruction", QUIET),
        ("pointer", "fg:ansicyan bold"),
        ("selected", "noreverse fg:ansigreen"),
        ("name", "bold"),
        ("note", QUIET),
        ("separator", QUIET),
        ("validation-toolbar", "noreverse fg:ansired"),
    ]
)
POINTER = "❯"
ONE, MANY = 3, 5  # columns before the name of an option: the pointer, and the tick


class Arrows:
    """Asks with arrow keys, on the terminal of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._width = min(shutil.get_terminal_size().columns, paper.WIDEST)

    def one(self, ask: Ask, options: Sequence[Option], default: str) -> str:
        keys = ", ".join(["arrow keys", *(o.key for o in options if o.key)])
        question = questionary.select(
            ask.text,
            choices=self._choices(options, ONE),
            default=default,
            instruction=self._help(ask, f"({keys}; Enter)"),
            pointer=POINTER,
            qmark="?",
            style=STYLE,
            use_shortcuts=any(o.key for o in options),
            use_indicator=False,
        )
        value: str = self._run(question)
        answered(self._world, ask.text, next(o.name for o in options if o.value == value))
        return value

    def many(self, ask: Ask, options: Sequence[Option], default: Sequence[str]) -> tuple[str, ...]:
        question = questionary.checkbox(
            ask.text,
            choices=self._choices(options, MANY, default),
            instruction=self._help(ask, "(arrow keys; Space picks; Enter goes on)"),
            pointer=POINTER,
            qmark="?",
            style=STYLE,
        )
        values: list[str] = self._run(question)
        names = [o.name for o in options if o.value in values]
        answered(self._world, ask.text, ", ".join(names) or "none")
        return tuple(values)

    def text(self, ask: Ask, default: str, check: Check) -> str:
        return self._typed(ask, default, check)

    def folder(self, ask: Ask, default: str, check: Check) -> str:
        completer = PathCompleter(only_directories=True, expanduser=True)
        return self._typed(ask, default, check, completer=completer, complete_while_typing=False)

    def _typed(self, ask: Ask, default: str, check: Check, **more: Any) -> str:
        question = questionary.text(
            ask.text,
            default=default,
            validate=lambda text: check(text.strip()) or True,
            instruction=f"{self._help(ask)}\n {POINTER}",
            qmark="?",
            style=STYLE,
            **more,
        )
        text: str = self._run(question)
        answered(self._world, ask.text, text.strip())
        return text.strip()

    def _run(self, question: Question) -> Any:
        question.application.erase_when_done = True
        try:
            return question.unsafe_ask()
        except EOFError:
            raise KeyboardInterrupt from None

    def _help(self, ask: Ask, keys: str = "") -> str:
        """The lines below a question."""
        folded = textwrap.wrap(ask.help, self._width - 3) if ask.help else []
        if keys and folded and len(folded[-1]) + len(keys) + 3 < self._width:
            folded[-1] += f" {keys}"
        elif keys:
            folded.append(keys)
        return "".join(f"\n  {text}" for text in folded)

    def _choices(self, options: Sequence[Option], left: int, picked: Sequence[str] = ()) -> list[Choice]:
        """The options, their names `left` columns in."""
        longest = max(len(o.name) for o in options)
        room = self._width - left - longest - 3
        beside = longest if all(len(_note(o)) <= room for o in options) else 0
        return [_choice(o, self._title(o, left, beside), o.value in picked) for o in options]

    def _title(self, option: Option, left: int, beside: int) -> list[tuple[str, str]]:
        """An option; its note stands beside it in a column, or below it where the lines are short."""
        note = _note(option)
        if beside or not note:
            return [("class:name", option.name.ljust(beside)), ("class:note", f"  {note}" if note else "")]
        indent = " " * (left + 2)
        folded = textwrap.wrap(note, self._width - 1, initial_indent=indent, subsequent_indent=indent)
        return [("class:name", option.name), ("class:note", "\n" + "\n".join(folded))]


def _note(option: Option) -> str:
    return option.refused or option.note


def _choice(option: Option, title: list[tuple[str, str]], picked: bool) -> Choice:
    if option.refused:
        return Separator("".join(text for _, text in title))
    return Choice(title, value=option.value, checked=picked, shortcut_key=option.key or True)
