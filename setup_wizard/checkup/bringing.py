"""An environment that somebody has moved or copied by hand: what makes it whole where it is.

One of ours that was moved stays ours, and its kernels follow. A copy, and what conda has made, is the user's
before and after: of what is mended there, nothing is for undo to take back.
"""

from __future__ import annotations

import os
from pathlib import Path

from setup_wizard.apply import disown
from setup_wizard.checkup.surroundings import kernel_steps
from setup_wizard.conda import contents, in_place
from setup_wizard.environments import copies
from setup_wizard.journal import Journal, Receipt
from setup_wizard.steps import AnyStep, CondaEnv, KernelMoved, Reinstalled, Settled, kernelspec
from setup_wizard.world import World


def steps(prefix: Path, journal: Journal) -> list[AnyStep]:
    """The steps; none where the environment is where it was made."""
    half = journal.receipt.get(f"settled:{prefix}")
    was = in_place.named(prefix) or (half.step.was if half and isinstance(half.step, Settled) else None)
    if was is None:
        return []
    entry = journal.receipt.get(f"conda_env:{was}")
    if entry and isinstance(entry.step, CondaEnv) and not os.path.lexists(was) and contents.was_whole(prefix):
        name = entry.step.name if prefix.name == was.name else prefix.name
        return adopted(entry.step.later(name=name, prefix=prefix, brought_from=was), was, journal)
    return [Settled(prefix, was), *_following(was, prefix, journal.receipt, journal.world)]


def adopted(step: CondaEnv, was: Path, journal: Journal) -> list[AnyStep]:
    """The steps for one of ours that `was` elsewhere."""
    kernels = kernel_steps(step.prefix, journal.receipt, was)
    mine = {kernel.path(journal.world) for kernel in kernels}
    follow = _following(was, step.prefix, journal.receipt, journal.world)
    return [step, *kernels, *(k for k in follow if k.path not in mine)]


def now_at(prefix: Path, receipt: Receipt) -> Path:
    """Where an environment of ours is that was at the prefix; else the same."""
    steps = [entry.step for entry in receipt.values() if isinstance(entry.step, CondaEnv)]
    gone = f"conda_env:{prefix}" not in receipt
    return next((s.prefix for s in steps if gone and s.brought_from == prefix), prefix)


def finish(journal: Journal) -> None:
    """What was kept in step follows, and what was mended for the user is the user's. Safe to run again."""
    entries = [entry for entry in journal.receipt.values() if entry.made]
    for step in (e.step for e in entries if isinstance(e.step, CondaEnv)):
        if step.brought_from and f"conda_env:{step.brought_from}" not in journal.receipt:
            copies.file_follows(journal, step.brought_from, step.prefix)
    places = {e.step.prefix for e in entries if isinstance(e.step, Settled)}
    kernels = [e.key for e in entries if isinstance(e.step, KernelMoved) and e.step.new in places]
    mended = [e.key for e in entries if isinstance(e.step, Settled | Reinstalled)]
    disown([*kernels, *mended], journal)


def _following(was: Path, prefix: Path, receipt: Receipt, world: World) -> list[KernelMoved]:
    """The kernels of others that start the environment where it is no more."""
    if os.path.lexists(was):
        return []
    moves = [e.step for e in receipt.values() if isinstance(e.step, KernelMoved) and not e.made]
    begun = [step for step in moves if (step.old, step.new) == (was, prefix)]
    paths = set(kernelspec.of_environment(world, was)) - {step.path for step in begun}
    return [*begun, *(KernelMoved(path, _first(path, was, receipt), was, prefix) for path in sorted(paths))]


def _first(path: Path, was: Path, receipt: Receipt) -> Path:
    """The prefix that a kernelspec named before it followed for the first time."""
    entry = receipt.get(f"kernel_moved:{path}")
    return entry.step.first if entry and isinstance(entry.step, KernelMoved) else was
