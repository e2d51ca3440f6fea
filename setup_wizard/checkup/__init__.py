"""`env check`: an environment held against its records, and what is around it that does it harm.

Nothing is changed, no program is started, no network is asked; `mending` says what can be done about it.
"""

from __future__ import annotations

from setup_wizard.checkup import packages, surroundings, terms, theirs
from setup_wizard.checkup.orphans import orphans
from setup_wizard.checkup.remark import Checkup, Remark
from setup_wizard.conda import contents, damage
from setup_wizard.conda.damage import Look
from setup_wizard.environments.inventory import Place
from setup_wizard.journal import Receipt
from setup_wizard.world import World

__all__ = ["Checkup", "Remark", "examine", "orphans"]


def examine(place: Place, receipt: Receipt, world: World, *, every_byte: bool = False) -> Checkup:
    """Look at an environment; `every_byte` reads its files, else sizes and times have to do."""
    there = contents.is_environment(place.prefix)
    look = damage.look(place.prefix, every_byte=every_byte) if there else Look(0, {})
    wrong = not place.ours and (look.flaws or look.unreadable)
    by = theirs.program_of(place.prefix, world) if wrong else None
    remarks = [
        *surroundings.standing(place, receipt, world),
        *packages.remarks(place, look, receipt, by),
        *terms.remarks(place, look, receipt, world),
        *(surroundings.remarks(place, receipt, world) if there else ()),
    ]
    return Checkup(place.called, place.prefix, place.ours, look.files, tuple(remarks))
