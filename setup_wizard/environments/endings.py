"""Environments that go and come back: into the trash, out of it again."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from setup_wizard import trees
from setup_wizard.conda import contents, found, registry
from setup_wizard.environments import inventory, users
from setup_wizard.environments.users import Users
from setup_wizard.errors import BadInput, Busy, MachineBlocks
from setup_wizard.hints import did_you_mean
from setup_wizard.journal import Entry, Journal, Receipt, Restored
from setup_wizard.plan import Plan
from setup_wizard.steps import CondaEnv, EnvFile, Kernel, Trash, kernelspec
from setup_wizard.steps.trash import free_place
from setup_wizard.world import World

MOST = 5  # files of the user's that are named


class Ending(msgspec.Struct, frozen=True):
    """What deleting an environment means: the step, and all that depends on it.

    `ours`: this setup has made it. `sessions` run from it, `file` is the YAML that it was made from. `own`
    are files in it that are the user's, `more` how many there are beyond these.
    """

    step: Trash
    ours: bool
    users: Users = Users()
    file: Path | None = None
    own: tuple[Path, ...] = ()
    more: int = 0

    @property
    def plan(self) -> Plan:
        return Plan((self.step,))


def delete(name: str, journal: Journal) -> Ending:
    """What deleting means; changes nothing. Raises BadInput, and MachineBlocks for what must stay."""
    world, receipt = journal.world, journal.receipt
    if name == "base":
        raise _base()
    begun = [e.step for e in receipt.values() if isinstance(e.step, Trash) and not e.made]
    prefixes = [s.prefix for s in begun if name in (s.name, str(s.prefix))]
    prefix = prefixes[0] if prefixes else inventory.pick(name, receipt, world).prefix
    step = trash(prefix, receipt, world)
    entry = receipt.get(f"conda_env:{step.prefix}")
    own = sorted(p for p in trees.theirs(world, step.prefix) if not trees.is_waste(p)) if entry else []
    return Ending(
        step,
        ours=entry is not None,
        users=users.of(world, step.prefix),
        file=_file(entry, receipt),
        own=tuple(step.prefix / p for p in own[:MOST]),
        more=max(0, len(own) - MOST),
    )


def trash(prefix: Path, receipt: Receipt, world: World, moved_to: Path | None = None) -> Trash:
    """The step that puts an environment into the trash, and ends its other steps; one that was begun goes on.

    Raises MachineBlocks, also where it was begun for another end.
    """
    begun = (e.step for e in receipt.values() if isinstance(e.step, Trash) and not e.made)
    if step := next((s for s in begun if s.prefix == prefix), None):
        _refuse_other_end(step, moved_to)
        return step
    entry = receipt.get(f"conda_env:{prefix}")
    if entry is None and not contents.is_environment(prefix):
        raise BadInput(f"{prefix} is no conda environment.", fix="hpc-jupyter-setup env list")
    refuse_needed(prefix, world)
    name = entry.step.name if entry and isinstance(entry.step, CondaEnv) else prefix.name
    mine = [k for k, e in receipt.items() if isinstance(e.step, Kernel) and e.step.prefix == prefix]
    return Trash(
        name,
        prefix,
        free_place(prefix),
        world.now(),
        ends=(*([f"conda_env:{prefix}"] if entry else []), *mine),
        kernels=kernelspec.of_environment(world, prefix),
        listed=prefix in registry.listed(world),
        moved_to=moved_to,
    )


def _refuse_other_end(step: Trash, moved_to: Path | None) -> None:
    """Raise MachineBlocks where a crash has stopped something else that was to end it."""
    if step.moved_to != moved_to:
        where = step.moved_to
        to = f"rename {step.name} {where.name}" if where and where.parent == step.prefix.parent else ""
        to = to or (f"move {step.name} {where.parent}" if where else f"delete {step.name}")
        raise MachineBlocks(
            f"Something else was begun with {step.prefix}, and did not end.",
            fix=f"End it first: hpc-jupyter-setup env {to}",
        )


def refuse_needed(prefix: Path, world: World) -> None:
    """Raise MachineBlocks where the environment holds conda itself or this program, or is only a link."""
    if found.is_conda(prefix):
        raise _base(prefix)
    if Path(world.own_python("setup_wizard")[0]).is_relative_to(prefix):
        raise MachineBlocks(
            f"This program itself runs from {prefix}.",
            fix=f"Install it elsewhere first: python3 -m venv {world.home}/.venvs/hpc-jupyter-setup",
        )
    if prefix.is_symlink():
        raise MachineBlocks(
            f"{prefix} is only a link to {os.path.realpath(prefix)}.",
            fix=f"Say the folder itself: {os.path.realpath(prefix)}",
        )


def _base(prefix: Path | None = None) -> MachineBlocks:
    where = f"{prefix} is" if prefix else "«base» is"
    return MachineBlocks(
        f"{where} conda itself, not one of its environments; all of them need it.",
        fix="To take back all that this setup has made: hpc-jupyter-setup undo",
    )


def _file(entry: Entry | None, receipt: Receipt) -> Path | None:
    """The YAML file from which it was made, if it is there, or that was kept in step with it."""
    if entry is None or not isinstance(entry.step, CondaEnv):
        return None
    kept = (e.step for e in receipt.values() if isinstance(e.step, EnvFile))
    paths = [step.path for step in kept if step.prefix == entry.step.prefix] + [entry.step.spec.source]
    return next((p for p in paths if p and p.is_file()), None)


# --- the way back -----------------------------------------------------------------------------------------


def in_trash(receipt: Receipt) -> list[Trash]:
    """What lies in the trash, the newest first."""
    return [e.step for e in reversed(list(receipt.values())) if isinstance(e.step, Trash) and e.made]


def find_in_trash(name: str, receipt: Receipt) -> Trash:
    """What was deleted last under that name, or from that folder. Raises BadInput."""
    there = in_trash(receipt)
    for step in there:
        if name in (step.name, str(step.prefix), str(step.place)):
            return step
    names = list(dict.fromkeys(step.name for step in there))
    raise BadInput(
        f"There is no environment «{name}» in the trash.{did_you_mean(name, names)}",
        fix=f"There are: {', '.join(names)}" if names else "The trash is empty; nothing can be restored.",
    )


def restore(step: Trash, journal: Journal) -> None:
    """Bring it back with its kernels. Safe to run again. Raises MachineBlocks when its place is taken."""
    entry = journal.receipt.get(step.key)
    if entry is None:
        raise Busy("Another run has just restored or emptied it.", fix="hpc-jupyter-setup env list")
    if not os.path.lexists(step.place) and not os.path.lexists(step.prefix):
        raise MachineBlocks(
            f"{step.place} is gone, so {step.name} cannot be restored.",
            fix="Forget it: hpc-jupyter-setup env clean --trash",
        )
    step.bring_back(journal.world)
    journal.append(Restored(step.key))
