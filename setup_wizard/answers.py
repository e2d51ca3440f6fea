"""Everything the user decided, and how the layers fold: flags > --answers file > last time > default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from setup_wizard import files
from setup_wizard.errors import BadInput
from setup_wizard.world import World

Channels = Literal["conda-forge", "anaconda"]


class Answers(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, rename="kebab", kw_only=True
):
    """What was decided; None stands for «not answered». The names are those of the flags.

    distribution     "miniconda", "miniforge", or the prefix of a conda that is there already
    prefix           where the distribution goes
    accept_licence   families whose licence a person has agreed to
    channels         where packages come from
    environments     names of envs/ or paths of YAML files
    notebooks        names of the catalogue
    notebook_folder  where notebooks go
    shell            edit the rc file of the login shell
    login_file       make the login file read the rc file, where it does not
    old_blocks       comment out the blocks of other condas in the rc file
    mirror           URL or path that stands in for all hosts
    launch           start Jupyter at the end
    byte_code        make byte code of the packages in environments, in the background
    """

    distribution: str | None = None
    prefix: Path | None = None
    accept_licence: tuple[str, ...] | None = None
    channels: Channels | None = None
    environments: tuple[str, ...] | None = None
    notebooks: tuple[str, ...] | None = None
    notebook_folder: Path | None = None
    shell: bool | None = None
    login_file: bool | None = None
    old_blocks: bool | None = None
    mirror: str | None = None
    launch: bool | None = None
    byte_code: bool | None = None


def fold(*layers: Answers) -> Answers:
    """One set of answers; of each field the first layer that has one."""
    return Answers(**{name: _first(name, layers) for name in Answers.__struct_fields__})


def _first(name: str, layers: tuple[Answers, ...]) -> Any:
    return next((value for layer in layers if (value := getattr(layer, name)) is not None), None)


def flag(name: str) -> str:
    """The flag that gives the answer of that name."""
    return "--" + name.replace("_", "-")


def missing(answers: Answers) -> list[str]:
    """The names of what was not answered and has to be."""
    optional = {"accept_licence", "mirror", "prefix", "byte_code"}
    return [n for n in Answers.__struct_fields__ if n not in optional and getattr(answers, n) is None]


def read_file(path: Path) -> Answers:
    """The answers of a YAML file. Raises BadInput with file:line:column."""
    from setup_wizard import yamlfile

    return yamlfile.read(path, Answers).value


def normal_mirror(mirror: str, cwd: Path) -> str:
    """A mirror as a URL without a slash at the end; a path becomes a file: URL. Raises BadInput."""
    if mirror.startswith(("http://", "https://", "file://")):
        return mirror.rstrip("/")
    path = (cwd / Path(mirror).expanduser()).resolve()
    if not path.is_dir():
        raise BadInput(
            f"The mirror {mirror} is neither a URL nor a folder that exists.",
            fix="Give --mirror https://… or --mirror /path/of/the/mirror.",
        )
    return path.as_uri()


# --- last time --------------------------------------------------------------------------------------------


def _remembered(world: World) -> Path:
    return world.state / "answers.json"


def remember(world: World, answers: Answers) -> None:
    """Keep the answers for next time; a licence is agreed to anew each time."""
    answers = msgspec.structs.replace(answers, accept_licence=None)
    if answers == recall(world):
        return
    files.write(_remembered(world), msgspec.json.encode(answers, enc_hook=str), mode=0o600)


def recall(world: World) -> Answers:
    """The answers of last time; none when there are none, or when they cannot be read."""
    try:
        data = _remembered(world).read_bytes()
        return msgspec.json.decode(data, type=Answers, dec_hook=lambda kind, value: kind(value))
    except (OSError, msgspec.DecodeError):
        return Answers()
