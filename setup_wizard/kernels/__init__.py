"""The kernels that a Jupyter of the user can show: whose they are, and whether they can start."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from setup_wizard.conda import contents
from setup_wizard.environments import inventory
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.journal import Receipt
from setup_wizard.steps import Kernel, kernelspec
from setup_wizard.world import World

NAME = re.compile(r"[a-z0-9._-]+")  # what Jupyter takes for the name of a kernel, in small letters
Seen = Literal["everywhere", "inside"]


class Kernelspec(msgspec.Struct, frozen=True):
    """A kernel that Jupyter shows: everywhere, or only the Jupyter `inside` its environment.

    `prefix` is where it starts, None where it does not say; `environment` the name of that, where it has one.
    `ours`: made by us, and as we made it. `problem` is why it cannot start or be seen, "" for nothing.
    """

    name: str
    display: str
    language: str
    folder: Path
    seen: Seen = "everywhere"
    program: Path | None = None
    prefix: Path | None = None
    environment: str = ""
    ours: bool = False
    problem: str = ""
    fix: str = ""


def every(receipt: Receipt, world: World) -> list[Kernelspec]:
    """All kernels: first those that every Jupyter shows, then those of single environments."""
    names = {p.prefix: p.name for p in inventory.places(receipt, world)}
    made = {e.step.key for e in receipt.values() if isinstance(e.step, Kernel)}
    found: dict[str, Kernelspec] = {}
    for folder in _folders(world):
        spec = _spec(folder, world)
        first = found.get(spec.name)
        if first:
            key, problem = f"{spec.name} {folder}", f"hidden by the one in {first.folder}"
            found[key] = msgspec.structs.replace(spec, problem=problem, fix=f"Rename one of them: {folder}")
        else:
            ours = f"kernel:{spec.name}" in made and folder.parent == _home_of_kernels(world)
            found[spec.name] = msgspec.structs.replace(spec, ours=ours and is_untouched(folder))
    inside = [msgspec.structs.replace(_spec(f, world), seen="inside") for f in _inside(receipt, world)]
    return [
        msgspec.structs.replace(spec, environment=names.get(spec.prefix or Path(), ""))
        for spec in (*found.values(), *inside)
    ]


def pick(name: str, known: list[Kernelspec]) -> Kernelspec:
    """The kernel of a name, among those that every Jupyter shows first. Raises BadInput."""
    for spec in known:
        if spec.name == name.lower() or str(spec.folder) == name:
            return spec
    raise BadInput(
        f"There is no kernel «{name}».{did_you_mean(name, {spec.name for spec in known})}",
        fix="See which there are: hpc-jupyter-setup kernel list",
    )


def is_untouched(folder: Path) -> bool:
    """Whether the kernelspec is as one of us wrote it."""
    return kernelspec.is_untouched(folder / "kernel.json")


def offered(prefix: Path) -> dict[str, dict[str, Any]]:
    """The kernelspecs that an environment brings, by their names."""
    files = sorted(prefix.glob("share/jupyter/kernels/*/kernel.json"))
    specs = {path.parent.name: kernelspec.read(path) for path in files}
    return {name: spec for name, spec in specs.items() if spec.get("argv")}


def _home_of_kernels(world: World) -> Path:
    return kernelspec.jupyter_data(world) / "kernels"


def _folders(world: World) -> Iterator[Path]:
    """The kernelspecs that every Jupyter shows, in the order in which it looks."""
    given = [Path(p) for p in world.env.get("JUPYTER_PATH", "").split(os.pathsep) if p.startswith("/")]
    system = [world.root / place / "share/jupyter" for place in ("usr/local", "usr")]
    for place in dict.fromkeys([*given, kernelspec.jupyter_data(world), *system]):
        yield from _in(place / "kernels")


def _inside(receipt: Receipt, world: World) -> Iterator[Path]:
    """The kernelspecs in the environments of the account."""
    for place in inventory.places(receipt, world):
        yield from _in(place.prefix / "share/jupyter/kernels")


def _in(folder: Path) -> list[Path]:
    try:
        return sorted(
            p for p in folder.iterdir() if (p / "kernel.json").is_file() and NAME.fullmatch(p.name.lower())
        )
    except OSError:
        return []


def _spec(folder: Path, world: World) -> Kernelspec:
    said = kernelspec.read(folder / "kernel.json")
    problem, fix = _problem(said, folder, world)
    return Kernelspec(
        folder.name.lower(),
        str(said.get("display_name", folder.name)),
        str(said.get("language", "")),
        folder,
        program=kernelspec.program(said),
        prefix=kernelspec.prefix_of(said, folder),
        problem=problem,
        fix=fix,
    )


def _problem(said: dict[str, Any], folder: Path, world: World) -> tuple[str, str]:
    """Why the kernel cannot start, as far as can be seen without starting it, and what to do."""
    program, prefix = kernelspec.program(said), kernelspec.prefix_of(said, folder)
    remove = f"hpc-jupyter-setup kernel remove {folder.name}"
    if program is None:
        return "its kernel.json cannot be read", f"Mend it, or remove it: {remove}"
    if program.is_absolute() and not os.access(program, os.X_OK):
        word = "may not be executed" if program.exists() else "is not there"
        return f"{program} {word}", f"Make its environment again, or remove the kernel: {remove}"
    here = prefix and (prefix / "bin" / program).exists()
    if not program.is_absolute() and not here and not _found(program, world):
        return f"there is no program {program}", f"Remove it: {remove}"
    ipython = _needs_ipykernel(said) and prefix and contents.is_environment(prefix)
    if ipython and prefix and not kernelspec.has_ipykernel(prefix):
        return f"{prefix} has no ipykernel", f"hpc-jupyter-setup env install {prefix} ipykernel"
    return "", ""


def _needs_ipykernel(said: dict[str, Any]) -> bool:
    return any("ipykernel" in word for word in said["argv"])


def _found(program: Path, world: World) -> bool:
    return shutil.which(str(program), path=world.env.get("PATH", "")) is not None
