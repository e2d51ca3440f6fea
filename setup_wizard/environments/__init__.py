"""The environments of ours: which there are, and which one a name stands for."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec

from setup_wizard.conda import program
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.journal import Receipt
from setup_wizard.steps import CondaEnv, Distribution, Kernel
from setup_wizard.world import World


class Environment(msgspec.Struct, frozen=True):
    """An environment of ours: its name and prefix, how many packages it has, and its kernel's name."""

    name: str
    prefix: Path
    packages: int
    python: str
    kernel: str = ""


def ours(receipt: Receipt) -> list[Environment]:
    """The environments that we have made, in the order of their making."""
    steps_made = [e.step for e in receipt.values() if e.made]
    kernels = {s.prefix: s.name for s in reversed(steps_made) if isinstance(s, Kernel) and not s.spec}
    steps = [s for s in steps_made if isinstance(s, CondaEnv)]
    return [_environment(step, kernels.get(step.prefix, "")) for step in steps]


def _environment(step: CondaEnv, kernel: str) -> Environment:
    records = sorted((step.prefix / "conda-meta").glob("*.json"))
    python = next(
        (json.loads(r.read_bytes())["version"] for r in records if r.name.startswith("python-3")), ""
    )
    return Environment(step.name, step.prefix, len(records), python, kernel)


def specs(receipt: Receipt) -> tuple[EnvSpec, ...]:
    """What the environments that we have made hold."""
    return tuple(e.step.spec for e in receipt.values() if isinstance(e.step, CondaEnv) and e.made)


def folder(receipt: Receipt, world: World) -> Path:
    """Where new environments go: inside a conda of ours, else in the place where every conda looks."""
    made = [e.step.prefix for e in receipt.values() if isinstance(e.step, Distribution) and e.made]
    return made[-1] / "envs" if made else world.home / ".conda/envs"


def pick(name: str | None, receipt: Receipt, world: World) -> Path:
    """The prefix that a name or a path stands for; no name: the newest of ours. Raises BadInput."""
    if name and "/" in name:
        return spelled(Path(name), receipt)
    known = {e.name: e.prefix for e in ours(receipt)}
    if name in known:
        return known[name]
    if name and (folder(receipt, world) / name).is_dir():
        return folder(receipt, world) / name
    if not name and known:
        return list(known.values())[-1]
    raise BadInput(
        f"There is no environment «{name}».{did_you_mean(name, known)}"
        if name
        else "There is no environment yet.",
        fix=f"Create one: hpc-jupyter-setup env create {name or 'jupyterlab'}"
        + (f"; there are: {', '.join(known)}" if known else ""),
    )


def spelled(path: Path, receipt: Receipt) -> Path:
    """The whole path of an environment, as the receipt has it where a link or `..` leads to one of ours."""
    whole = Path(os.path.abspath(path.expanduser()))
    real = os.path.realpath(whole)
    known = (e.step.prefix for e in receipt.values() if isinstance(e.step, CondaEnv))
    return next((p for p in known if os.path.realpath(p) == real), whole)


def engine(name: str, receipt: Receipt, world: World) -> Path | None:
    """The program that `--engine NAME` stands for; None: we do it. Raises BadInput, MachineBlocks."""
    if not name:
        return None
    ours = distribution(receipt)
    return program.find(world, name, ours.prefix if ours else None)


def distribution(receipt: Receipt) -> Distribution | None:
    """The distribution that we have installed, or begun to."""
    steps = [entry.step for entry in receipt.values()]
    return next((step for step in reversed(steps) if isinstance(step, Distribution)), None)
