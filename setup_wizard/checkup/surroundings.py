"""What is around an environment: its place, its kernels, packages from elsewhere that come before its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import kernels
from setup_wizard.checkup.remark import Remark
from setup_wizard.conda import contents, found, in_place, summary
from setup_wizard.conda.frozen import CONDAS
from setup_wizard.conda.room import Room
from setup_wizard.conda.summary import Summary
from setup_wizard.environments import inventory
from setup_wizard.environments.inventory import Place
from setup_wizard.journal import Receipt
from setup_wizard.step import Blocked, Todo
from setup_wizard.steps import CondaEnv, Kernel, kernelspec
from setup_wizard.world import World


def standing(place: Place, receipt: Receipt, world: World) -> Iterator[Remark]:
    """Whether it is there, whole, and where it was made."""
    stems = contents.stems(place.prefix)
    figures = Summary(stems, summary.version_of("python", stems), Room())
    entry = receipt.get(f"conda_env:{place.prefix}")
    if elsewhere := in_place.moved(place.prefix) or in_place.named(place.prefix):
        yield _moved(place, elsewhere)
        return
    said = inventory.problem(world, place, figures)
    begun = (f"settled:{place.prefix}", f"reinstalled:{place.prefix}")
    half = any(key in receipt for key in begun)  # one of the user's, which was to be mended
    if not said and (half or (entry and not entry.made)):
        said = "a change of it was not finished"
    if said and not place.prefix.exists() and (there := moved_to(place.prefix, receipt, world)):
        said += f": it was moved to {there}"
    if said:
        fix = f"hpc-jupyter-setup env check {place.called} --fix"
        mends = half or (place.ours and entry is not None)
        yield Remark("standing", "bad", said, fix if mends else "Ask whoever made it.", mends)


def _moved(place: Place, elsewhere: Path) -> Remark:
    text = f"its programs are those of {elsewhere}: it was moved or copied here"
    if found.is_conda(place.prefix) or not in_place.named(place.prefix):
        export = f"hpc-jupyter-setup env export {place.prefix} > my.yml"
        anew = f"Make it anew here: {export}, move it away, then env create my.yml -p {place.prefix}"
        back = f"Move it back: mv {place.prefix} {elsewhere}"
        return Remark("moved", "bad", text, anew if elsewhere.exists() else back)
    return Remark("moved", "bad", text, f"hpc-jupyter-setup env check {place.called} --fix", mends=True)


def moved_to(prefix: Path, receipt: Receipt, world: World) -> Path | None:
    """Where somebody has moved an environment, as far as we know of the place; None: nowhere."""
    there = [p.prefix for p in inventory.places(receipt, world) if not p.ours]
    quick = (p for p in there if in_place.moved(p) == prefix)
    return next(quick, None) or next((p for p in there if in_place.was_at(p, prefix)), None)


def remarks(place: Place, receipt: Receipt, world: World) -> Iterator[Remark]:
    """Its kernels, what shadows it, and whether it may be changed."""
    yield from _our_kernels(place, receipt, world)
    yield from _other_kernels(place, receipt, world)
    yield from _shadows(place, world)
    if (place.prefix / CONDAS).exists():
        text = f"it is not to be changed: {place.prefix / CONDAS} says so"
        yield Remark("frozen", "note", text)


def _our_kernels(place: Place, receipt: Receipt, world: World) -> Iterator[Remark]:
    """Those that we have made; what the user has written into one is theirs, if it starts the same."""
    fix = f"hpc-jupyter-setup env check {place.called} --fix"
    for step in kernel_steps(place.prefix, receipt):
        state, path = step.check(world), step.path(world)
        if isinstance(state, Blocked):
            yield Remark("kernel", "bad", f"its kernel {step.name}: {state.problem}", state.fix)
        elif isinstance(state, Todo) and not path.exists():
            yield Remark("kernel", "bad", f"its kernel {step.name} is gone: {path}", fix, mends=True)
        elif isinstance(state, Todo) and not _edited_well(step, path):
            yield Remark(
                "kernel", "bad", f"its kernel {step.name} starts something else: {path}", fix, mends=True
            )


def kernel_steps(prefix: Path, receipt: Receipt, was: Path | None = None) -> list[Kernel]:
    """The kernels of the environment that we have made, also those from when it `was` elsewhere."""
    entry = receipt.get(f"conda_env:{prefix}")
    before = was or (entry.step.brought_from if entry and isinstance(entry.step, CondaEnv) else None)
    steps = [e.step for e in receipt.values() if isinstance(e.step, Kernel)]
    own = [step for step in steps if step.prefix == prefix]
    old = (step for step in steps if before and step.prefix == before)
    return [*own, *(msgspec.structs.replace(step, prefix=prefix, instead_of=before) for step in old)]


def _edited_well(step: Kernel, path: Path) -> bool:
    """Whether it is the user's edit, and still starts what it should, where it should."""
    spec = kernelspec.read(path)
    same = kernelspec.prefix_of(spec, path.parent) == step.prefix and kernelspec.program(spec) == step.program
    return same and not kernelspec.is_untouched(path)


def _other_kernels(place: Place, receipt: Receipt, world: World) -> Iterator[Remark]:
    own = {step.name.lower() for step in kernel_steps(place.prefix, receipt)}
    inside = set(kernels.offered(place.prefix))
    for spec in kernels.every(receipt, world):
        mine = spec.prefix == place.prefix and (spec.seen == "inside" or spec.name not in own)
        if mine and spec.problem:
            yield Remark("kernel", "bad", f"its kernel {spec.name}: {spec.problem}", spec.fix)
        if spec.seen == "everywhere" and spec.name in inside and spec.prefix != place.prefix:
            text = f"the kernel {spec.name} in {spec.folder} stands before its own of that name"
            remove = f"hpc-jupyter-setup kernel remove {spec.name} --not-ours"
            yield Remark("kernel", "warn", f"{text}, in a Jupyter that you start by hand", remove)


def _shadows(place: Place, world: World) -> Iterator[Remark]:
    """Packages that Python finds before the environment's own; our kernels and jobs keep them out."""
    but = "; our kernels and jobs run without"
    if path := world.env.get("PYTHONPATH", ""):
        fix = "unset PYTHONPATH; and take it out of your rc files (grep -n PYTHONPATH ~/.*rc ~/.*profile)"
        yield Remark("shadow", "warn", f"PYTHONPATH={path} comes before its packages{but}", fix)
    for site in place.prefix.glob("lib/python3*/site-packages"):
        theirs = world.home / ".local/lib" / site.parent.name / "site-packages"
        both = sorted(_names(theirs) & _names(site))
        if both:
            more = f" and {len(both) - 3} more" if len(both) > 3 else ""
            text = f"{', '.join(both[:3])}{more} in {theirs} come before its own{but}"
            yield Remark("shadow", "warn", text, f"export PYTHONNOUSERSITE=1, or: mv {theirs} {theirs}.old")


def _names(site: Path) -> set[str]:
    found = (p.name.partition("-")[0] for p in site.glob("*.dist-info"))
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}
