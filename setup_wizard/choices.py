"""What can be chosen on this machine, what is proposed, and whether the answers can be carried out."""

from __future__ import annotations

from pathlib import Path

import msgspec

from setup_wizard.answers import Answers
from setup_wizard.conda import distributions
from setup_wizard.conda.distributions import Found, Release
from setup_wizard.conda.spec import EnvSpec, Named, catalogue, named, read_spec
from setup_wizard.errors import BadInput, Declined
from setup_wizard.hints import did_you_mean
from setup_wizard.notebook_catalogue import Repository, repositories
from setup_wizard.places import Place, places
from setup_wizard.steps.login_file import reads_rc
from setup_wizard.steps.old_blocks import old_blocks
from setup_wizard.world import World


class Choices(msgspec.Struct, frozen=True):
    """What this machine offers: condas that are there, places, environments, notebooks, rc files to mend."""

    found: tuple[Found, ...]
    places: tuple[Place, ...]
    environments: tuple[Named, ...]
    repositories: tuple[Repository, ...]
    old_blocks: tuple[str, ...] = ()
    login_file_reads_rc: bool = True


class Wanted(msgspec.Struct, frozen=True):
    """Complete answers with what they name looked up; all that a plan is made from."""

    answers: Answers
    prefix: Path
    release: Release | None
    environments: tuple[tuple[str, EnvSpec], ...]
    repositories: tuple[Repository, ...]


def look(world: World, mirror: str | None) -> Choices:
    """What can be chosen here. A mirror offers its own notebooks; it is the only host that is asked."""
    return Choices(
        found=tuple(distributions.find(world)),
        places=tuple(places(world)),
        environments=tuple(catalogue()),
        repositories=tuple(repositories(world, mirror)),
        old_blocks=tuple(old_blocks(world)),
        login_file_reads_rc=reads_rc(world),
    )


def proposal(choices: Choices, world: World) -> Answers:
    """The answers that a beginner may accept with Enter."""
    found = next((f for f in choices.found if f.healthy), None)
    return Answers(
        distribution=str(found.prefix) if found else "miniconda",
        channels="conda-forge",
        environments=("jupyterlab",),
        notebooks=("welcome",),
        notebook_folder=world.home / "jupyter-notebooks",
        shell=True,
        login_file=not choices.login_file_reads_rc,
        old_blocks=False,
        launch=False,
    )


def look_up(answers: Answers, choices: Choices, world: World) -> Wanted:
    """Check complete answers and look up what they name. Raises BadInput, Declined, MachineBlocks."""
    release, prefix = _distribution(answers, choices, world)
    return Wanted(
        answers=answers,
        prefix=prefix,
        release=release,
        environments=tuple(_environment(name, world) for name in answers.environments or ()),
        repositories=tuple(_repository(n, choices) for n in answers.notebooks or () if n != "welcome"),
    )


def _distribution(answers: Answers, choices: Choices, world: World) -> tuple[Release | None, Path]:
    family = answers.distribution or ""
    if family.startswith(("/", "~")):
        return None, _found(Path(family).expanduser(), choices)
    if family not in distributions.FAMILIES:
        allowed = [*distributions.FAMILIES, *(str(f.prefix) for f in choices.found)]
        raise BadInput(
            f"There is no distribution «{family}».{did_you_mean(family, allowed)}",
            fix="Give --distribution " + "|".join(allowed),
        )
    if family == "miniconda" and "miniconda" not in (answers.accept_licence or ()):
        raise Declined(
            "Miniconda may be installed only by somebody who has read its licence and agrees to it: "
            f"{distributions.TERMS_URL}",
            fix="Agree with --accept-licence miniconda, or take --distribution miniforge, which asks for none.",
        )
    releases = distributions.listing(world, family, answers.mirror)
    prefix = answers.prefix or choices.places[0].path / distributions.FOLDERS[family]
    return distributions.choose(family, world.system, world.glibc, releases), prefix


def _found(prefix: Path, choices: Choices) -> Path:
    if any(f.prefix == prefix and f.healthy for f in choices.found) or (prefix / "bin/conda").exists():
        return prefix
    raise BadInput(
        f"There is no working conda at {prefix}.",
        fix="See what was found with `hpc-jupyter-setup doctor`, or give --distribution miniforge.",
    )


def _environment(name: str, world: World) -> tuple[str, EnvSpec]:
    """An environment by the name of one in envs/, or by the path of its YAML file."""
    path = Path(name).expanduser() if name.endswith((".yml", ".yaml")) or "/" in name else named(name)
    spec = read_spec(path)
    return spec.name or path.stem, spec


def _repository(name: str, choices: Choices) -> Repository:
    for repository in choices.repositories:
        if repository.name == name:
            return repository
    known = [r.name for r in choices.repositories]
    raise BadInput(
        f"There are no notebooks «{name}».{did_you_mean(name, known)}",
        fix="Give --notebooks with names of: welcome, " + ", ".join(known),
    )
