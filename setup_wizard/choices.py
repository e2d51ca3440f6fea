"""What can be chosen on this machine, what is proposed, and what complete answers name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from setup_wizard import __version__, notebook_catalogue
from setup_wizard.answers import Answers
from setup_wizard.conda import distributions, sources, spec
from setup_wizard.conda.channels import logins, read_channels
from setup_wizard.conda.distributions import Found, Release
from setup_wizard.conda.spec import EnvSpec, Named
from setup_wizard.errors import BadInput, Declined
from setup_wizard.hints import did_you_mean
from setup_wizard.notebook_catalogue import Repository
from setup_wizard.places import Place, places
from setup_wizard.steps import Distribution
from setup_wizard.steps.login_file import reads_rc
from setup_wizard.steps.old_blocks import old_blocks
from setup_wizard.steps.rc_file import SHELLS
from setup_wizard.world import World

WELCOME = "welcome"


class Choices(msgspec.Struct, frozen=True):
    """What this machine offers: condas that are there, places, environments, notebooks, rc files to mend.

    `mine` is the distribution that an earlier run of ours has installed, or has begun to; `made` what the
    environments of earlier runs hold.
    """

    found: tuple[Found, ...]
    places: tuple[Place, ...]
    environments: tuple[Named, ...]
    repositories: tuple[Repository, ...]
    old_blocks: tuple[str, ...] = ()
    login_file_reads_rc: bool = True
    mine: Distribution | None = None
    made: tuple[EnvSpec, ...] = ()


class Wanted(msgspec.Struct, frozen=True):
    """Complete answers with what they name looked up; all that a plan is made from.

    `distribution` is None where a conda that is there already is taken, at `prefix`.
    """

    answers: Answers
    prefix: Path
    distribution: Distribution | None
    environments: tuple[tuple[str, EnvSpec], ...]
    repositories: tuple[Repository, ...]
    notes: tuple[str, ...] = ()


def look(
    world: World,
    mirror: str | None,
    mine: Distribution | None,
    made: tuple[EnvSpec, ...] = (),
    *,
    notebooks: bool = True,
) -> Choices:
    """What can be chosen here. A mirror is asked for the `notebooks` that it has; nobody else is asked."""
    return Choices(
        found=tuple(f for f in distributions.find(world) if not mine or f.prefix != mine.prefix),
        places=tuple(places(world)),
        environments=tuple(spec.catalogue()),
        repositories=notebook_catalogue.repositories(world, mirror) if notebooks else (),
        old_blocks=tuple(old_blocks(world)),
        login_file_reads_rc=reads_rc(world),
        mine=mine,
        made=made,
    )


def proposal(choices: Choices, world: World) -> Answers:
    """The answers that a beginner may accept with Enter."""
    found = next((f for f in choices.found if f.healthy), None)
    return Answers(
        distribution=_family(choices.mine) or (str(found.prefix) if found else "miniconda"),
        channels="conda-forge",
        environments=("jupyterlab",),
        notebooks=(WELCOME,),
        notebook_folder=world.home / "jupyter-notebooks",
        shell=world.shell in SHELLS,
        login_file=not choices.login_file_reads_rc,
        old_blocks=False,
        launch=world.on_terminal,
    )


def look_up(answers: Answers, choices: Choices, world: World) -> Wanted:
    """Look up what complete answers name. Raises BadInput, Declined, MachineBlocks, NetworkTrouble."""
    distribution = _distribution(answers, choices, world)
    names = [name for name in answers.notebooks or () if name != WELCOME]
    chosen = notebook_catalogue.choose(names, choices.repositories)
    return Wanted(
        answers=answers,
        prefix=distribution.prefix if distribution else _found(answers.distribution or "", choices),
        distribution=distribution,
        environments=tuple(environment(n, answers, choices.made) for n in answers.environments or ()),
        repositories=chosen.repositories,
        notes=chosen.notes,
    )


class Wish(NamedTuple):
    """What a command line may say of a new environment beside its words.

    A name, else that of its `prefix`; of packages, the `channels`; whether a lock is wanted `frozen`: as it
    is, also where the YAML that it came of asks for something else now; the `engine`, "" for our own.
    """

    name: str | None = None
    prefix: Path | None = None
    channels: Sequence[str] = ()
    frozen: bool = False
    engine: str = ""


def environment(
    name: str, answers: Answers, made: tuple[EnvSpec, ...] = (), *, frozen: bool = False
) -> tuple[str, EnvSpec]:
    """The name and the content of an environment, by the name of one in envs/ or the path of a file.

    Of those `made` before, one that came of the very same is taken as it is: reading YAML well takes longer
    than all the rest of a second setup. A lock is read anew: its YAML may have moved on.
    """
    path = Path(name).expanduser().absolute() if _is_path(name) else spec.named(name)
    came_of = _came_of(path, answers)
    known = {s.came_of: s for s in made if not s.lock}
    wanted = known.get(came_of) if came_of else None
    wanted = wanted or _read(path, answers, came_of, frozen)
    return wanted.name or spec.check_name(path.stem, str(path)), wanted


def described(
    words: Sequence[str],
    answers: Answers,
    world: World,
    wish: Wish | None = None,
    made: tuple[EnvSpec, ...] = (),
) -> tuple[str, EnvSpec]:
    """The name and the content of an environment as the words of a command line say it.

    One word is a file, an address, or the name of one in envs/; where a name is given, it may be a package.
    Several words are packages. A file of which one was `made` is not read again. Raises BadInput,
    NetworkTrouble.
    """
    word, wish = words[0], wish or Wish()
    name = wish.name or (wish.prefix.name if wish.prefix else None)
    if len(words) == 1 and sources.is_url(word):
        wanted = _mirrored(sources.of_url(world, word, anaconda=answers.channels == "anaconda"), answers)
        stem = Path(urlsplit(word).path).stem
        return wanted.name or spec.check_name(name or stem, word), wanted
    if len(words) == 1 and (_is_path(word) or word in {n.name for n in spec.catalogue()}):
        return environment(word, answers, made, frozen=wish.frozen)
    if name is None and len(words) == 1 and spec.package_name(word) == word.lower():
        spec.named(word)  # which says what there is
    if name is None:
        raise BadInput(
            "An environment of packages needs a name.",
            fix=f"Give one: hpc-jupyter-setup env create -n NAME {' '.join(words)}",
        )
    return name, of_packages(name, words, answers, wish.channels)


def of_packages(name: str, words: Sequence[str], answers: Answers, channels: Sequence[str]) -> EnvSpec:
    """An environment of these packages, from these channels, or from those that the user has chosen."""
    default = "defaults" if answers.channels == "anaconda" else "conda-forge"
    given = [(channel, "--channel") for channel in channels or (default,)]
    listed = read_channels(given, Path.cwd(), answers.channels == "anaconda")
    asked = EnvSpec(name, listed, tuple(words), logins=logins(channels))
    return _mirrored(asked, answers)


def _is_path(name: str) -> bool:
    return name.endswith((".yml", ".yaml", ".lock", ".txt")) or ("/" in name and "::" not in name)


def _came_of(path: Path, answers: Answers) -> str:
    """All that a spec is made from, as one SHA-256; "" for a file that cannot be read."""
    try:
        parts = [__version__, str(path), path.read_bytes(), answers.channels, answers.mirror]
    except OSError:
        return ""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _read(path: Path, answers: Answers, came_of: str, frozen: bool) -> EnvSpec:
    wanted = sources.of_file(path, anaconda=answers.channels == "anaconda", frozen=frozen)
    return msgspec.structs.replace(_mirrored(wanted, answers), came_of=came_of)


def _mirrored(wanted: EnvSpec, answers: Answers) -> EnvSpec:
    """The same, from a mirror where one stands in for all channels."""
    if not answers.mirror:
        return wanted
    mirror, exact = f"{answers.mirror}/conda-forge", wanted.exact
    for url in wanted.urls:
        exact = tuple(e.replace(f"{url}/", f"{mirror}/") for e in exact)
    return msgspec.structs.replace(wanted, channels=(mirror,), exact=exact)


def _family(mine: Distribution | None) -> str:
    return mine.release.family if mine else ""


def default_prefix(family: str, choices: Choices) -> Path:
    """Where a distribution of that family goes unless the user says otherwise."""
    return choices.places[0].path / f"{family}3"


def _distribution(answers: Answers, choices: Choices, world: World) -> Distribution | None:
    """The distribution to install; the one that we have installed already is not looked up again."""
    family = answers.distribution or ""
    if family.startswith(("/", "~")):
        return None
    if family not in distributions.FAMILIES:
        allowed = [*distributions.FAMILIES, *(str(f.prefix) for f in choices.found)]
        raise BadInput(
            f"There is no distribution «{family}».{did_you_mean(family, allowed)}",
            fix="Give --distribution " + "|".join(allowed),
        )
    mine = choices.mine
    if mine and mine.release.family == family and answers.prefix in (None, mine.prefix):
        return mine
    _must_be_agreed(family, answers)
    release = _choose(family, answers, world)
    return Distribution(
        release=release,
        prefix=answers.prefix or default_prefix(family, choices),
        agreed="the person who ran this" if distributions.TERMS[family].agreement else "",
    )


def _choose(family: str, answers: Answers, world: World) -> Release:
    releases = distributions.listing(world, family, answers.mirror)
    return distributions.choose(family, world.system, world.glibc, releases)


def _must_be_agreed(family: str, answers: Answers) -> None:
    terms = distributions.TERMS[family]
    if terms.agreement and family not in (answers.accept_licence or ()):
        raise Declined(
            f"{family.capitalize()} may be installed only by somebody who has read its licence and agrees to "
            f"it: {terms.url}",
            fix=f"Agree with --accept-licence {family}, or take --distribution miniforge (asks for none).",
        )


def _found(prefix: str, choices: Choices) -> Path:
    """The prefix of a conda that is there. Raises BadInput."""
    path = Path(prefix).expanduser()
    if (path / "bin/conda").exists():
        return path
    condas = [str(f.prefix) for f in choices.found if f.healthy]
    raise BadInput(
        f"There is no working conda at {path}.{did_you_mean(prefix, condas)}",
        fix=f"Give --distribution {'|'.join([*condas, *distributions.FAMILIES])}",
    )
