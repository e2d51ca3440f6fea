"""Environments that are gone, and that kernels of the user's still start: what others have made, and left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from setup_wizard import kernels
from setup_wizard.checkup.remark import Checkup, Remark
from setup_wizard.checkup.surroundings import moved_to
from setup_wizard.journal import Receipt
from setup_wizard.kernels import Kernelspec
from setup_wizard.steps import CondaEnv, kernelspec
from setup_wizard.world import World


def orphans(receipt: Receipt, world: World) -> Iterator[Checkup]:
    """Each with its kernels; those of ours are looked at as all of ours are."""
    ours = {e.step.prefix for e in receipt.values() if isinstance(e.step, CondaEnv)}
    mine, gone = kernelspec.jupyter_data(world) / "kernels", dict[Path, list[Kernelspec]]()
    for spec in kernels.every(receipt, world):
        prefix = spec.prefix
        if prefix and spec.folder.parent == mine and prefix not in ours and not prefix.exists():
            gone.setdefault(prefix, []).append(spec)
    for prefix, specs in gone.items():
        there = moved_to(prefix, receipt, world)
        yield Checkup(str(prefix), prefix, False, 0, tuple(_orphan(spec, there) for spec in specs))


def _orphan(spec: Kernelspec, there: Path | None) -> Remark:
    text = f"the kernel {spec.name} in {spec.folder} starts an environment that is not there"
    if there:
        follow = f"hpc-jupyter-setup env check {there} --fix"
        return Remark("kernel", "warn", f"{text}: it was moved to {there}", follow)
    return Remark("kernel", "warn", text, f"hpc-jupyter-setup kernel remove {spec.name} --not-ours")
