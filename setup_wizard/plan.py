"""Answers become a plan. Pure: the same answers give the same plan, and nothing is looked at."""

from __future__ import annotations

from pathlib import Path

import msgspec

from setup_wizard.choices import WELCOME, Wanted
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.steps import (
    AnyStep,
    Clone,
    CondaEnv,
    Condarc,
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


def environment_plan(
    name: str, spec: EnvSpec, prefix: Path, byte_code: bool | None = None, engine: Path | None = None
) -> Plan:
    """The plan of `env create`: an environment, made by our engine or by another one, and its kernel.

    Byte code is made unless somebody said no.
    """
    made = CondaEnv(name=name, prefix=prefix, spec=spec, byte_code=byte_code is not False, engine=engine)
    return Plan((made, Kernel(name=name, prefix=prefix)))


def environments_folder(prefix: Path, *, ours: bool, home: Path) -> Path:
    """Where environments go: inside a conda of ours, else in the place where every conda looks."""
    return prefix / "envs" if ours else home / ".conda/envs"


def _distribution(wanted: Wanted) -> list[AnyStep]:
    return [wanted.distribution] if wanted.distribution else []


def _condarcs(wanted: Wanted, home: Path) -> list[AnyStep]:
    """Lists of condarc files merge, so that of the distribution is edited as well as the user's."""
    ours = [wanted.prefix / ".condarc"] if wanted.distribution else []
    return [Condarc(path=path, channels=_channels(wanted)) for path in (*ours, home / ".condarc")]


def _channels(wanted: Wanted) -> tuple[str, ...]:
    """The channels, as conda is to know them."""
    if wanted.answers.mirror:
        return (f"{wanted.answers.mirror}/conda-forge",)
    return ("defaults",) if wanted.answers.channels == "anaconda" else ("conda-forge",)


def _shell(wanted: Wanted, home: Path, shell: str) -> list[AnyStep]:
    answers = wanted.answers
    steps: list[AnyStep] = []
    if answers.old_blocks:
        steps.append(OldBlocks.of(home, shell))
    if answers.shell:
        steps.append(ShellBlock.of(home, shell, wanted.prefix))
    if answers.shell and answers.login_file:
        steps.append(LoginFile.of(home, shell))
    return steps


def _environments(wanted: Wanted, home: Path) -> list[AnyStep]:
    folder = environments_folder(wanted.prefix, ours=wanted.distribution is not None, home=home)
    return [
        step
        for name, spec in wanted.environments
        for step in environment_plan(name, spec, folder / name, wanted.answers.byte_code).steps
    ]


def _notebooks(wanted: Wanted) -> list[AnyStep]:
    folder = wanted.answers.notebook_folder
    assert folder is not None, "complete answers name the notebook folder"
    steps: list[AnyStep] = []
    if WELCOME in (wanted.answers.notebooks or ()):
        steps.append(Welcome(path=folder / "welcome.ipynb"))
    for r in wanted.repositories:
        steps.append(Clone(name=r.name, url=r.url, path=folder / r.name, bytes=r.bytes, files=r.files))
    return steps
