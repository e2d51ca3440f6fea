"""Kernels offered to Jupyter, and taken from it: which steps that takes."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from itertools import chain, count
from pathlib import Path

import msgspec

from setup_wizard import environments, kernels
from setup_wizard.conda import contents
from setup_wizard.environments import inventory
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.hints import did_you_mean
from setup_wizard.journal import Receipt
from setup_wizard.kernels import Kernelspec
from setup_wizard.steps import Kernel, KernelGone, kernelspec
from setup_wizard.world import World


class Wish(msgspec.Struct, frozen=True):
    """What is asked: which `kernel` of the environment ("": all), its `name`, and what is `shown` for it."""

    kernel: str = ""
    name: str = ""
    shown: str = ""


class Removal(msgspec.Struct, frozen=True):
    """What goes: kernels of ours, by the keys of their steps, and others, moved aside by a step each."""

    ours: tuple[str, ...] = ()
    others: tuple[KernelGone, ...] = ()


def prefix_of(name: str, receipt: Receipt, world: World) -> Path:
    """The environment that a name or a path stands for, ours or not. Raises BadInput."""
    path = Path(os.path.abspath(Path(name).expanduser()))
    if "/" in name and os.access(path / "bin/python", os.X_OK):
        return path  # a virtual environment will do
    return inventory.pick(name, receipt, world).prefix


def adding(prefix: Path, wish: Wish, receipt: Receipt, world: World) -> tuple[Kernel, ...]:
    """The kernels of the environment to be offered, under names that nothing else has. Raises BadInput."""
    chosen = _chosen(prefix, wish, receipt)
    if wish.name and not kernels.NAME.fullmatch(wish.name.lower()):
        raise BadInput(
            f"Jupyter takes no kernel by the name «{wish.name}».",
            fix="Letters, digits, and . _ - will do: --name my-kernel",
        )
    taken = {k.name: k.display for k in kernels.every(receipt, world) if k.seen == "everywhere"}
    steps: list[Kernel] = []
    for spec in chosen:
        step = _step(prefix, spec, wish, receipt, taken)
        taken[step.name] = step.shown
        steps.append(step)
    return tuple(steps)


def _chosen(prefix: Path, wish: Wish, receipt: Receipt) -> list[str]:
    """The names of the kernelspecs that are meant, in the environment."""
    there = kernels.offered(prefix)
    if not there:
        raise _none(prefix, receipt)
    if wish.kernel and wish.kernel not in there:
        raise BadInput(
            f"{prefix} has no kernel «{wish.kernel}».{did_you_mean(wish.kernel, there)}",
            fix=f"It has: {', '.join(there)}",
        )
    if len(there) > 1 and not wish.kernel and (wish.name or wish.shown):
        raise BadInput(
            f"{prefix} has {len(there)} kernels, and a name is for one.",
            fix=f"Say which: --kernel {' or '.join(there)}",
        )
    return [wish.kernel] if wish.kernel else list(there)


def _none(prefix: Path, receipt: Receipt) -> BadInput:
    ours = f"conda_env:{prefix}" in receipt
    command = f"hpc-jupyter-setup env install {prefix}" if ours else f"conda install -p {prefix}"
    what = "" if contents.is_environment(prefix) else ", and is no conda environment"
    return BadInput(f"{prefix} brings no kernel{what}.", fix=f"{command} ipykernel")


def _step(prefix: Path, spec: str, wish: Wish, receipt: Receipt, taken: dict[str, str]) -> Kernel:
    """The kernel as it is offered already, where it is; else under a name of its own."""
    inside = "" if spec == kernelspec.PYTHON and kernelspec.has_ipykernel(prefix) else spec
    mine = [e.step for e in receipt.values() if isinstance(e.step, Kernel) and e.step.prefix == prefix]
    for step in mine:
        named = wish.name.lower() in ("", step.name.lower()) and wish.shown in ("", step.shown)
        if step.spec == inside and named:
            return step
    home = _plain(next((e.name for e in environments.ours(receipt) if e.prefix == prefix), prefix.name))
    name = wish.name.lower() or _free(f"{home}-{_plain(inside)}" if inside else home, taken)
    if not inside:
        return Kernel(name, prefix, display=wish.shown)
    own = str(kernels.offered(prefix)[spec].get("display_name", spec))
    return Kernel(name, prefix, inside, wish.shown or _free(f"{own} ({home})", taken.values(), " "))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower())


def _free(name: str, taken: Collection[str], gap: str = "-") -> str:
    """The name, or the next one like it that is free."""
    numbered = (f"{name}{gap}{number}" for number in count(2))
    return next(n for n in chain([name], numbered) if n not in taken)


def removing(specs: Sequence[Kernelspec], *, not_ours: bool) -> Removal:
    """What it takes to remove them. Raises BadInput, or MachineBlocks where it is not ours to say."""
    for spec in specs:
        _refuse(spec, not_ours)
    ours = tuple(f"kernel:{spec.name}" for spec in specs if spec.ours)
    return Removal(ours, tuple(KernelGone.of(spec.folder) for spec in specs if not spec.ours))


def _refuse(spec: Kernelspec, not_ours: bool) -> None:
    if spec.seen == "inside":
        raise BadInput(
            f"The kernel {spec.name} in {spec.folder} is a part of its environment.",
            fix=f"It goes with its package, as: hpc-jupyter-setup env remove-package {spec.prefix} ipykernel",
        )
    if not os.access(spec.folder.parent, os.W_OK):
        raise MachineBlocks(
            f"The kernel {spec.name} is not yours to remove: {spec.folder} belongs to this machine.",
            fix="Ask whoever runs it.",
        )
    if not spec.ours and not not_ours:
        raise BadInput(
            f"The kernel {spec.name} was not made by this setup, or was changed since: {spec.folder}",
            fix=f"If it is to go: hpc-jupyter-setup kernel remove {spec.name} --not-ours",
        )
