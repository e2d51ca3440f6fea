"""The lines of the journal, and what they come to when they are folded: the receipt.

    opened    the format, and which folders were not there before ours
    planned   when, by which version, the answers and the steps
    began     a step, and what was there before; written before the step does anything
    made      the step is done and was checked
    undone    the step was taken back
    restored  the step was taken back, and what it had set aside is there again

The first `before` of a step wins, until it is undone. A step may set others aside when it is made (an
environment that is deleted, its kernel): they are no more, but what was there before them is still known, so
that undo gives it back.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from setup_wizard.answers import Answers
from setup_wizard.step import Before
from setup_wizard.steps import AnyStep


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The first line: the format of the journal, and the folders that were absent before it."""

    format: int
    version: str
    absent: tuple[Path, ...] = ()


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """A plan was agreed to."""

    at: float
    version: str
    answers: Answers
    titles: tuple[str, ...]


class Began(msgspec.Struct, frozen=True, tag="began"):
    """A step is about to change something; `before` is what undo needs."""

    step: AnyStep
    before: Before


class Made(msgspec.Struct, frozen=True, tag="made"):
    """The step of that key is complete."""

    key: str


class Undone(msgspec.Struct, frozen=True, tag="undone"):
    """The step of that key was taken back."""

    key: str


class Restored(msgspec.Struct, frozen=True, tag="restored"):
    """The step of that key was taken back, and what it had set aside is there again."""

    key: str


Event = Opened | Planned | Began | Made | Undone | Restored


class Entry(msgspec.Struct, frozen=True):
    """One thing that is ours: the step as last applied, what was there before, and whether it is complete.

    `aside` is the key of the step that has set it aside: then it is not there any more.
    """

    step: AnyStep
    before: Before
    made: bool
    aside: str = ""

    @property
    def key(self) -> str:
        """What names it in the receipt; what was set aside leaves its name to what may come after it."""
        return f"{self.step.key} ({self.aside})" if self.aside else self.step.key


Receipt = dict[str, Entry]


def fold(events: list[Event]) -> Receipt:
    """All that we have made and not taken back, oldest first, by its key; what was set aside as well."""
    receipt: Receipt = {}
    for event in events:
        if isinstance(event, Began):
            first = receipt.get(event.step.key)
            receipt[event.step.key] = Entry(event.step, first.before if first else event.before, made=False)
        elif isinstance(event, Made) and event.key in receipt:
            receipt[event.key] = msgspec.structs.replace(receipt[event.key], made=True)
            receipt = _set_aside(receipt, receipt[event.key])
        elif isinstance(event, Undone):
            receipt.pop(event.key, None)
        elif isinstance(event, Restored):
            receipt.pop(event.key, None)
            receipt = _there_again(receipt, event.key)
    return receipt


def _set_aside(receipt: Receipt, by: Entry) -> Receipt:
    """The receipt with what that step ends under another key, in its old place."""
    ends: tuple[str, ...] = getattr(by.step, "ends", ())
    after: Receipt = {}
    for key, entry in receipt.items():
        aside = msgspec.structs.replace(entry, aside=by.step.key) if key in ends else entry
        first = after.get(aside.key)  # the like of it lay there before, and was removed for good
        after[aside.key] = msgspec.structs.replace(aside, before=first.before) if first else aside
    return after


def _there_again(receipt: Receipt, by: str) -> Receipt:
    """The receipt with what was set aside back under its own key, where nothing has taken that since."""
    entries = [
        msgspec.structs.replace(e, aside="") if e.aside == by and e.step.key not in receipt else e
        for e in receipt.values()
    ]
    return {e.key: e for e in entries}
