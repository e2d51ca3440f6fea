"""The machine itself: system, shell, who we are, limits, git."""

from __future__ import annotations

from collections.abc import Iterator

from setup_wizard.conda.distributions import catalogue, choose
from setup_wizard.errors import MachineBlocks
from setup_wizard.git.words import GET_GIT, NO_GIT
from setup_wizard.preflight.finding import Finding, Questions, from_error
from setup_wizard.steps.rc_file import SHELLS, line_by_hand, rc_file
from setup_wizard.world import World

MEMORY = 2 << 30  # bytes: solving, and Jupyter with one kernel, stay below it
PROCESSES = 100
OPEN_FILES = 256


def findings(world: World, asked: Questions) -> Iterator[Finding]:
    """A finding each."""
    yield _system(world, asked)
    yield _shell(world, asked)
    yield from _who(world)
    yield _limits(world)
    if asked.notebooks:
        yield _git(world)


def _system(world: World, asked: Questions) -> Finding:
    name, machine = world.system
    title = f"{name} on {machine}, glibc {world.glibc or '(none)'}"
    fitting, trouble = [], None
    for family in asked.families or ("miniforge",):
        try:
            release = choose(family, world.system, world.glibc, catalogue())
            fitting.append(f"{family.capitalize()} {release.version}")
        except MachineBlocks as e:
            trouble = e
    if trouble and not fitting:
        return from_error(title, trouble)
    if trouble:
        return from_error(title, trouble, "warn")
    return Finding(
        title, detail=f"{' and '.join(fitting)}, or newer, can be installed" if asked.families else ""
    )


def _shell(world: World, asked: Questions) -> Finding:
    title = f"Login shell {world.shell or 'unknown'}"
    if world.shell in SHELLS:
        return Finding(title, detail=f"conda is made known in {rc_file(world.home, world.shell)}")
    prefix = asked.prefix or world.home / "miniconda3"
    return Finding(
        title,
        "warn",
        f"Its files are not edited; {' and '.join(SHELLS)} are.",
        f"Add this line to {rc_file(world.home, world.shell)} yourself: {line_by_hand(world.shell, prefix)}",
    )


def _who(world: World) -> Iterator[Finding]:
    if world.uid == 0:
        yield Finding(
            "You are root",
            "warn",
            f"All of it will belong to root, in {world.home}.",
            "Log in as the user who is to work with it, unless this is a container or a rehearsal.",
        )


def _limits(world: World) -> Finding:
    limits = world.limits
    short = []
    if limits.memory is not None and limits.memory < MEMORY:
        short.append(f"memory {limits.memory / 2**30:.1f} GiB")
    if limits.processes is not None and limits.processes < PROCESSES:
        short.append(f"{limits.processes} processes")
    if limits.open_files is not None and limits.open_files < OPEN_FILES:
        short.append(f"{limits.open_files} open files")
    if not short:
        return Finding("Memory, processes and open files")
    return Finding(
        f"Little is allowed here: {', '.join(short)}",
        "warn",
        "Solving an environment or starting Jupyter may be ended half-way.",
        "Run this in a job or on another node (see ulimit -a), or ask your centre for a larger limit.",
    )


def _git(world: World) -> Finding:
    git = world.which("git")
    return Finding("git", detail=str(git)) if git else Finding("No git", "warn", NO_GIT, GET_GIT)
