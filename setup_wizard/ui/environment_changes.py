"""What is said after the packages of an environment were changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from setup_wizard.ui.result_pages import nothing_to_do
from setup_wizard.ui.sheet import GAP, Page, line

if TYPE_CHECKING:
    from setup_wizard.environments.changes import Changing


def changed(name: str, change: Changing, made: Sequence[str]) -> Page:
    """What has become of the packages, and where that is written down."""
    if not made:
        return [*nothing_to_do(), line(f"{name} has what is asked for.")]
    notes = [line(note, mark=("!", "warn")) for note in change.notes]
    return [GAP, line(f"{name} is as {change.file} says."), *notes]
