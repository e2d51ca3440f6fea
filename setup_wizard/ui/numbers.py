"""Questions with numbers and plain lines, for terminals that cannot move their cursor."""

from __future__ import annotations

from collections.abc import Sequence

from setup_wizard.ui.prompt import Ask, Check, Option, say
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line
from setup_wizard.world import World


class Numbers:
    """Asks with numbers, on the terminal of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def one(self, ask: Ask, options: Sequence[Option], default: str) -> str:
        self._put(ask, options, [default])
        words = {o.key or str(i): o.value for i, o in enumerate(options, 1) if not o.refused}
        words |= {o.value: o.value for o in options if not o.refused}
        usual = next(word for word, value in words.items() if value == default)
        while True:
            said = self._read(f"Which one? Enter takes {usual}: ") or usual
            if said in words:
                return words[said]
            self._again(f"«{said}» is none of them. Type {' or '.join(k for k in words if len(k) < 3)}.")

    def many(self, ask: Ask, options: Sequence[Option], default: Sequence[str]) -> tuple[str, ...]:
        self._put(ask, options, default)
        words = {str(i): o.value for i, o in enumerate(options, 1)} | {o.value: o.value for o in options}
        usual = " ".join(number for number, value in words.items() if number.isdigit() and value in default)
        while True:
            said = self._read(f"Which ones? 0 for none; Enter takes {usual or '0'}: ") or usual or "0"
            parts = [part for part in said.replace(",", " ").split() if part != "0"]
            unknown = [part for part in parts if part not in words]
            if not unknown:
                return tuple(dict.fromkeys(words[part] for part in parts))
            self._again(f"«{unknown[0]}» is none of them. Type numbers, such as: 1 2")

    def text(self, ask: Ask, default: str, check: Check) -> str:
        self._put(ask, ())
        usual = f"Enter takes {default}: " if default else "> "
        while True:
            said = self._read(usual) or default
            problem = check(said)
            if not problem:
                return said
            self._again(problem)

    folder = text

    def _put(self, ask: Ask, options: Sequence[Option], picked: Sequence[str] = ()) -> None:
        say(self._world, [GAP, *question(ask, options, picked)])

    def _read(self, prompt: str) -> str:
        try:
            return input(prompt).strip()
        except EOFError:
            raise KeyboardInterrupt from None

    def _again(self, why: str) -> None:
        say(self._world, [line((why, "bad"))])


def question(ask: Ask, options: Sequence[Option], picked: Sequence[str] = ()) -> Page:
    """A question with its options as a page."""
    page: Page = [line((ask.text, "strong"), mark=("?", "title"))]
    page += [line((ask.help, "dim"), indent=2)] if ask.help else []
    rows: list[Sequence[Words]] = []
    for i, o in enumerate(options, 1):
        mark = "–" if o.refused else "✔" if o.value in picked else " "
        rows.append((mark, o.key or str(i), (o.name, "strong"), (o.refused or o.note, "dim")))
    return [*page, *grid(rows, indent=2)]
