"""Environments that are copied, get another name, or go to another file system: the plans for it.

All three make a whole copy first. Who moves lets the kernels follow, and only then the old place goes, by way
of the trash: so a crash leaves the old one whole, or the new one, or both, and undo finds its way from each.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from setup_wizard import environments
from setup_wizard.conda import carrying, contents, damage, environment, history
from setup_wizard.conda.asked import text_of
from setup_wizard.conda.spec import EnvSpec, check_name
from setup_wizard.environments import endings, inventory, leftovers, users
from setup_wizard.environments.users import Users
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.journal import Began, Journal, Made, Receipt, Undone
from setup_wizard.plan import Plan
from setup_wizard.steps import Carried, CondaEnv, EnvFile, Kernel, KernelMoved, Trash, kernelspec
from setup_wizard.world import World


class Copying(msgspec.Struct, frozen=True):
    """The plan of a copy, from where to where; who runs from the old place, and the kernels that start it."""

    plan: Plan
    old: Path
    step: CondaEnv
    users: Users = Users()
    kernels: tuple[Path, ...] = ()


def clone(name: str, new: str | None, prefix: Path | None, journal: Journal) -> Copying:
    """A copy under another name, or at another prefix; it may be of one that is not ours."""
    world, receipt = journal.world, journal.receipt
    old = inventory.pick(name, receipt, world).prefix
    new = check_name(new, "NEW") if new else prefix.name if prefix else ""
    target = prefix or environments.folder(receipt, world) / new
    _refuse_same(old, target)
    there = _step(old, receipt)
    _refuse_unfinished(old, there, world)
    spec = there.spec if there else spec_of(old, new)
    text = text_of(spec, new)
    base = there or CondaEnv(new, target, spec, heir_of=old)
    step = base.later(name=new, prefix=target, file=text, copy_of=old)
    _refuse_taken(step, receipt)
    return _copying(Plan((step, Kernel(new, target))), old, step, world)


def rename(name: str, new: str, journal: Journal) -> Copying:
    """Another name, in the same folder. Raises BadInput, MachineBlocks."""
    old = _ours(name, journal)
    return _moving(old, check_name(new, "NEW"), old.prefix.with_name(new), journal)


def move(name: str, folder: Path, journal: Journal, *, packages: bool = True) -> Copying:
    """The same name, in another folder; its `packages` go along. Raises BadInput, MachineBlocks."""
    old = _ours(name, journal)
    moving = _moving(old, old.name, folder / old.prefix.name, journal)
    target = moving.step.prefix
    if not packages or not carrying.can(journal.world, old.prefix, target):
        return moving
    step = moving.step.later(copy_of=old.prefix, moved=True, along=True)
    rest = (step if s is moving.step else s for s in moving.plan.steps)
    plan = Plan((Carried(old.name, old.prefix, target), *rest))
    return msgspec.structs.replace(moving, plan=plan, step=step)


def _copying(plan: Plan, old: Path, step: CondaEnv, world: World) -> Copying:
    return Copying(plan, old, step, users.of(world, old), kernelspec.of_environment(world, old))


def _moving(there: CondaEnv, name: str, target: Path, journal: Journal) -> Copying:
    """The copy, its kernel, the kernels of others that follow, and the end of the old place."""
    world, receipt, old = journal.world, journal.receipt, there.prefix
    _refuse_same(old, target)
    copied = _step(target, receipt)
    if not (copied and copied.copy_of == old):  # else a run that a crash has stopped had got further
        _refuse_unfinished(old, there, world)
    step = there.later(name=name, prefix=target, copy_of=old, moved=True)
    _refuse_taken(step, receipt)
    kernels = _kernels(there, name, target, receipt)
    stay = {k.key for k in kernels}
    mine = {k.name.lower() for k in (*_of(old, receipt), *kernels)}
    end = endings.trash(old, receipt, world, target)
    gone = (p for p in end.kernels if p.parent.name in mine and f"kernel:{p.parent.name}" not in stay)
    end = msgspec.structs.replace(end, kernels=tuple(gone), ends=tuple(k for k in end.ends if k not in stay))
    theirs = (p for p in kernelspec.of_environment(world, old) if p.parent.name not in mine)
    follow = (KernelMoved(p, _first(p, old, receipt), old, target) for p in theirs)
    return _copying(Plan((step, *kernels, *follow, end)), old, step, world)


def _kernels(there: CondaEnv, name: str, target: Path, receipt: Receipt) -> list[Kernel]:
    """Its kernels at the new place; the one that has its name takes the new one."""
    begun = [k for k in _of(target, receipt) if k.instead_of == there.prefix]
    kernels = {k.key: k for k in begun}
    for k in _of(there.prefix, receipt):
        new = name if k.name.lower() == there.name.lower() else k.name
        moved = msgspec.structs.replace(k, name=new, prefix=target, instead_of=there.prefix)
        kernels[moved.key] = moved
    return list(kernels.values())


def _of(prefix: Path, receipt: Receipt) -> list[Kernel]:
    return [e.step for e in receipt.values() if isinstance(e.step, Kernel) and e.step.prefix == prefix]


def finish(journal: Journal) -> list[Trash]:
    """Let go for good of every old place that was left; what was kept in step follows. Safe to run again."""
    left = [s for s in endings.in_trash(journal.receipt) if s.moved_to]
    for step in left:
        if step.moved_to:
            file_follows(journal, step.prefix, step.moved_to)
        step.empty(journal.world)
        there = _step(step.moved_to, journal.receipt)
        if there and there.along:
            leftovers.leave_cache(journal, step.prefix, there.prefix)
        journal.append(Undone(step.key))
    return left


def file_follows(journal: Journal, old: Path, new: Path) -> None:
    """Let the file that is kept in step with an environment go with it to its new place."""
    for key, entry in journal.receipt.items():
        if isinstance(entry.step, EnvFile) and entry.step.prefix == old:
            journal.append(Began(msgspec.structs.replace(entry.step, prefix=new), entry.before))
            journal.append(Made(key))


def interrupted(name: str, journal: Journal) -> Copying | None:
    """What is still to be done of a move that a crash has stopped after its switch; None: there is none."""
    for step in endings.in_trash(journal.receipt):
        there = _step(step.moved_to, journal.receipt) if step.moved_to else None
        if there and name in (step.name, str(step.prefix)):
            return Copying(Plan((there, Kernel(there.name, there.prefix))), step.prefix, there)
    return None


def spec_of(prefix: Path, name: str) -> EnvSpec:
    """What an environment that is not ours was asked to hold, as its history tells."""
    records = contents.records(prefix)
    channels = dict.fromkeys(r.channel.rstrip("/").removesuffix(f"/{r.subdir}") for r in records if r.channel)
    asked = history.wanted(prefix) or [r.name for r in records]
    return EnvSpec(
        name, tuple(channels) or ("conda-forge",), tuple(asked), variables=contents.variables(prefix)
    )


def _ours(name: str, journal: Journal) -> CondaEnv:
    prefix = inventory.pick(name, journal.receipt, journal.world).prefix
    prefix = _left(prefix, journal.receipt) or prefix
    endings.refuse_needed(prefix, journal.world)
    step = _step(prefix, journal.receipt)
    if step is None:
        raise MachineBlocks(
            f"{prefix} was not made by this setup, so it stays where it is.",
            fix=f"Copy it, then delete it: hpc-jupyter-setup env clone {prefix} NEW; "
            f"hpc-jupyter-setup env delete {prefix} --not-ours",
        )
    return step


def _left(prefix: Path, receipt: Receipt) -> Path | None:
    """The old place of an environment, where a crash has stopped its move before that went; else None."""
    there, keys = _step(prefix, receipt), list(receipt)
    old = f"conda_env:{there.copy_of}" if there and there.moved else ""
    older = old in keys and keys.index(old) < keys.index(f"conda_env:{prefix}")  # a later one is another
    return there.copy_of if there and older else None


def _step(prefix: Path | None, receipt: Receipt) -> CondaEnv | None:
    entry = receipt.get(f"conda_env:{prefix}")
    return entry.step if entry and isinstance(entry.step, CondaEnv) else None


def _first(path: Path, old: Path, receipt: Receipt) -> Path:
    """The prefix that a kernelspec named before it followed for the first time."""
    entry = receipt.get(f"kernel_moved:{path}")
    return entry.step.first if entry and isinstance(entry.step, KernelMoved) else old


def _refuse_same(old: Path, target: Path) -> None:
    if old == target or target.is_relative_to(old):
        raise BadInput(
            f"{target} is where {old.name} is already.", fix="Choose another name, or another folder."
        )


def _refuse_unfinished(old: Path, there: CondaEnv | None, world: World) -> None:
    bad = there and environment.standing(world, old, there.spec, there.update) != "complete"
    if bad or not contents.stems(old) or damage.records(old) is None:
        raise MachineBlocks(
            f"{old} is not whole, so it is not copied.",
            fix=f"Mend it first: hpc-jupyter-setup env check {old} --fix",
        )


def _refuse_taken(step: CondaEnv, receipt: Receipt) -> None:
    """Where the copy goes, nothing may be, but for what an earlier run of the same has left."""
    mine = _step(step.prefix, receipt)
    if os.path.lexists(step.prefix) and not (mine and mine.copy_of == step.copy_of):
        raise BadInput(f"{step.prefix} is there already.", fix="Choose another name.")
