"""Answers become a plan. Pure: the same answers give the same plan, and nothing is looked at."""

from __future__ import annotations

from pathlib import Path

import msgspec

from setup_wizard.choices import Wanted
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.steps import (
    AnyStep,
    Clone,
    CondaEnv,
    Condarc,
    Distribution,
    Kernel,
    LoginFile,
    OldBlocks,
    ShellBlock,
    Welcome,
)


class Plan(msgspec.Struct, frozen=True):
    """What will be made, in order."""

    steps: tuple[AnyStep, ...]


def make_plan(wanted: Wanted, home: Path, shell: str) -> Plan:
    """The plan of a setup; it reads as its table of contents."""
    return Plan(
        (
            *_distribution(wanted),
            *_condarcs(wanted, home),
            *_shell(wanted, home, shell),
            *_environments(wanted, home),
            *_notebooks(wanted),
        )
    )


def environment_plan(name: str, spec: EnvSpec, prefix: Path) -> Plan:
    """The plan of `env create`: an environment and its kernel."""
    return Plan((CondaEnv(name=name, prefix=prefix, spec=spec), Kernel(name=name, prefix=prefix)))


def environments_folder(prefix: Path, ours: bool, home: Path) -> Path:
    """Where environments go: inside a conda of ours, else in the place where every conda looks."""
    return prefix / "envs" if ours else home / ".conda/envs"


def channels(wanted: Wanted) -> tuple[str, ...]:
    """The channels as conda is to know them."""
    if wanted.answers.mirror:
        return (f"{wanted.answers.mirror}/conda-forge",)
    return ("defaults",) if wanted.answers.channels == "anaconda" else ("conda-forge",)


def _distribution(wanted: Wanted) -> list[AnyStep]:
    return [Distribution(release=wanted.release, prefix=wanted.prefix)] if wanted.release else []


def _condarcs(wanted: Wanted, home: Path) -> list[AnyStep]:
    """Lists of condarc files merge, so the one of the distribution is edited as well as the user's."""
    paths = [home / ".condarc", *([wanted.prefix / ".condarc"] if wanted.release else [])]
    return [Condarc(path=path, channels=channels(wanted)) for path in reversed(paths)]


def _shell(wanted: Wanted, home: Path, shell: str) -> list[AnyStep]:
    answers, steps = wanted.answers, []
    if answers.old_blocks:
        steps.append(OldBlocks.of(home, shell))
    if answers.shell:
        steps.append(ShellBlock.of(home, shell, wanted.prefix))
    if answers.shell and answers.login_file:
        steps.append(LoginFile.of(home, shell))
    return steps


def _environments(wanted: Wanted, home: Path) -> list[AnyStep]:
    folder = environments_folder(wanted.prefix, wanted.release is not None, home)
    steps: list[AnyStep] = []
    for name, spec in wanted.environments:
        spec = msgspec.structs.replace(spec, channels=channels(wanted) if wanted.answers.mirror else spec.channels)
        steps += environment_plan(name, spec, folder / name).steps
    return steps


def _notebooks(wanted: Wanted) -> list[AnyStep]:
    folder = wanted.answers.notebook_folder
    if not folder:
        return []
    welcome = [Welcome(path=folder / "welcome.ipynb")] if "welcome" in (wanted.answers.notebooks or ()) else []
    return [*welcome, *(Clone(name=r.name, url=r.url, path=folder / r.name) for r in wanted.repositories)]
