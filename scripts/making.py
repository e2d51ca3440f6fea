"""Environments for measuring: the rehearsal's channel, and each made in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace
from stopwatch import quiet, report, seconds

from setup_wizard.conda.environment import create
from setup_wizard.conda.spec import EnvSpec, named, read_spec
from setup_wizard.conda.talk import Package
from setup_wizard.mirror import build
from setup_wizard.world import Progress, World

T = TypeVar("T")
ENVIRONMENT = "jupyterlab"


def apart(work: Callable[..., T], *args: object) -> T:
    """Do it in a process of its own; the memory that it takes is not ours, nor ours its."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def the_mirror() -> Path:
    """The rehearsal's mirror, built when it is not there yet."""
    return apart(_mirror)


def _mirror() -> Path:
    world = World.here()
    return build.build(world, world.cache / "mirror", report=report).path


def the_spec() -> EnvSpec:
    """The environment that ships with us, from the mirror's channel."""
    return replace(read_spec(named(ENVIRONMENT)), channels=((the_mirror() / "conda-forge").as_uri(),))


def created(
    world: World, prefix: Path, spec: EnvSpec, wanted: tuple[Package, ...] = (), byte_code: bool = False
) -> tuple[float, int]:
    """Make the environment, in a process of its own; the seconds, and the peak of memory in bytes."""
    report(Progress(f"Making {prefix}"))
    os.sync()
    return apart(_create, world, prefix, spec, wanted, byte_code)


def _create(
    world: World, prefix: Path, spec: EnvSpec, wanted: tuple[Package, ...], byte_code: bool
) -> tuple[float, int]:
    took = seconds(lambda: create(world, prefix, spec, wanted=wanted, byte_code=byte_code))
    return took, peak()


def peak() -> int:
    """The most memory, in bytes, that this process and its children have had."""
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(peaks) * 1024


def linked(environment: Path, place: Path) -> float:
    """Seconds to link all of an environment's files at another place, and do nothing else."""
    os.sync()
    return seconds(quiet("cp", "-al", environment, place))
