"""The user's own conda or mamba: which one it is, and how it is run. It speaks JSON to us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from setup_wizard.conda import found, said
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.trouble import error_of
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.world import World

NAMES = {"conda": ("conda",), "mamba": ("mamba", "micromamba")}  # which programs an engine may be
SAID_BY_SHELL = {"conda": "CONDA_EXE", "mamba": "MAMBA_EXE"}
# What it would say or ask beside its work, and on whose behalf it would send a report.
QUIET = {
    "CONDA_REPORT_ERRORS": "false",
    "CONDA_NOTIFY_OUTDATED_CONDA": "false",
    "CONDA_NUMBER_CHANNEL_NOTICES": "0",
}
ONLY_FETCHED = "CondaExitZero"  # how conda ends after --download-only; it sounds like an error
ASTRAY = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


def find(world: World, engine: str, ours: Path | None = None) -> Path:
    """The program of an engine («conda», «mamba»): the one that the shell would take, else another one there.

    `ours` is the prefix of the distribution of ours. Raises BadInput for another word, MachineBlocks where
    there is none.
    """
    if engine not in NAMES:
        raise BadInput(
            f"--engine {engine}: there is no such engine.",
            fix="Say --engine conda or --engine mamba; without it, this program does the work itself.",
        )
    for path in _candidates(world, engine, ours):
        if path.is_file() and path.name in NAMES[engine]:
            return path
    raise MachineBlocks(
        f"There is no {engine} on this account that could do the work.",
        fix="Leave out --engine: nothing else is needed. Or name it in PATH, as for example "
        f"«module load {engine}» does; or install one: hpc-jupyter-setup setup",
    )


def _candidates(world: World, engine: str, ours: Path | None) -> Iterator[Path]:
    names = NAMES[engine]
    yield from (path for name in names if (path := world.which(name)))
    yield Path(world.env.get(SAID_BY_SHELL[engine], "/"))
    prefixes = [one.prefix for one in found.find(world) if one.healthy]
    for prefix in [*prefixes, *([ours] if ours else [])]:
        yield from (prefix / "bin" / name for name in names)
    yield from (world.home / ".local/bin" / name for name in names)


def run(
    world: World,
    program: Path,
    words: list[str],
    spec: EnvSpec,
    meanwhile: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Let it do what the words say; the object that it prints at its end.

    Raises what `trouble.error_of` makes of its errors. The user's condarc counts; nothing is asked.
    """
    output = world.run(
        [program, *words, "--json", "--yes", *(["--offline"] if world.offline else [])],
        meanwhile=meanwhile,
        env=_env(world),
    )
    answer = said.last_object(output.out)
    if not output.code and ONLY_FETCHED in output.out + output.err:
        return {}
    if output.code or not answer or not answer.get("success", True):
        text = output.err.strip() or ("" if answer else output.out.strip())
        raise error_of(said.failure(program.name, answer, text, spec, offline=world.offline), spec)
    return answer


def caches(world: World, program: Path) -> list[Path]:
    """Where it keeps packages; none where it does not say."""
    told = said.last_object(world.run([program, "info", "--json"], env=_env(world)).out) or {}
    return [Path(place) for place in told.get("pkgs_dirs") or told.get("package cache") or ()]


def _env(world: World) -> dict[str, str]:
    kept = {k: v for k, v in world.env.items() if k not in ASTRAY}
    return {**kept, **QUIET, "HOME": str(world.home), "PYTHONNOUSERSITE": "1"}
