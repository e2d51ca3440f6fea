"""The condas that are there already, found without running anything."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda import registry
from setup_wizard.world import World

FOLDERS = (
    "miniconda3",
    "miniforge3",
    "anaconda3",
    "mambaforge",
    "miniconda",
    "miniforge",
    "anaconda",
    "conda",
)
BIG_PLACES = ("WORK", "PROJECT", "SCRATCH")
SH_FILES = (".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zprofile", ".zshenv")
RC_FILES = (*SH_FILES, ".cshrc", ".tcshrc", ".login", ".config/fish/config.fish")
A_PATH = r"((?:~|\$HOME|\$\{HOME\})?/[^\s'\":;=()`|&]*)"
# What only a conda has, in an rc file, there or not; and what may belong to anything, a virtualenv for one.
CERTAIN = re.compile(A_PATH + r"/(?:bin/(?:conda|mamba)|condabin|etc/profile\.d/(?:conda|mamba)\.sh)\b")
PERHAPS = re.compile(A_PATH + r"/bin(?:/activate)?(?=[\s'\":;)]|$)", re.MULTILINE)


class Found(msgspec.Struct, frozen=True):
    """A conda that is there: prefix, kind, version, how it was found, and what is wrong with it, if so."""

    prefix: Path
    kind: str
    version: str
    how: str
    problem: str = ""

    @property
    def healthy(self) -> bool:
        """Whether it can be used, as far as can be seen without running it."""
        return not self.problem


def find(world: World) -> list[Found]:
    """Every conda on this account or machine, each once, in the order in which the shell would meet them."""
    seen: dict[str, Found] = {}
    for prefix, how, certain in _candidates(world):
        if (is_conda(prefix) or certain) and (real := os.path.realpath(prefix)) not in seen:
            seen[real] = look_at(prefix, how)
    return list(seen.values())


def is_conda(prefix: Path) -> bool:
    """Whether there is a conda in this prefix, whole or not; environments without conda are none."""
    return bool(version_of(prefix)) or os.path.isfile(prefix / "condabin/conda")


def look_at(prefix: Path, how: str = "named") -> Found:
    """What can be said of the conda in a prefix."""
    return Found(prefix, kind_of(prefix), version_of(prefix), how, _problem(prefix))


def version_of(prefix: Path) -> str:
    """The version of conda in a prefix, as its own records have it; "" for none."""
    record = _record(prefix)
    return record.name.removesuffix(".json").rsplit("-", 2)[1] if record else ""


def kind_of(prefix: Path) -> str:
    """ "anaconda", "miniforge", "miniconda", or "conda" when nothing tells."""
    if any(prefix.glob("conda-meta/anaconda-20*.json")):
        return "anaconda"
    record = _record(prefix)
    try:
        data = json.loads(record.read_bytes()) if record else {}
    except (OSError, ValueError):
        data = {}
    channel = str(data.get("channel", "")) if isinstance(data, dict) else ""
    if "conda-forge" in channel:
        return "miniforge"
    by_name = (k for k in ("miniconda", "miniforge", "mambaforge", "anaconda") if k in prefix.name.lower())
    return (
        "miniconda" if "pkgs/main" in channel else next(by_name, "conda").replace("mambaforge", "miniforge")
    )


def _record(prefix: Path) -> Path | None:
    try:
        return max(prefix.glob("conda-meta/conda-[0-9]*-*.json"), default=None)
    except OSError:
        return None


def _problem(prefix: Path) -> str:
    """What is missing of a whole conda; a prefix that was moved names a Python that is elsewhere."""
    if not os.path.isdir(prefix):
        return "the folder is not there (any more)"
    for needed in ("bin/conda", "etc/profile.d/conda.sh", "conda-meta/history"):
        if not os.path.isfile(prefix / needed):
            return f"{needed} is missing"
    if not os.access(prefix / "bin/conda", os.X_OK):
        return "bin/conda may not be executed"
    python = interpreter(prefix / "bin/conda")
    if python.startswith("/") and not os.path.exists(python):
        return f"bin/conda asks for {python}, which is not there: the folder was moved, perhaps"
    return ""


def interpreter(program: Path) -> str:
    """What the first line of a program names to run it; "" where it names nothing."""
    try:
        with program.open("rb") as f:
            first = f.readline(4096)
    except OSError:
        return ""
    return first[2:].decode(errors="replace").strip().split(" ")[0] if first.startswith(b"#!") else ""


# --- where to look ----------------------------------------------------------------------------------------


def _candidates(world: World) -> Iterator[tuple[Path, str, bool]]:
    """Prefixes, how they were come by, and whether they are worth a word even when no conda is there."""
    for prefix in _in_path(world):
        yield prefix, "in PATH", False
    if exe := world.env.get("CONDA_EXE", ""):
        yield Path(exe).parent.parent, "CONDA_EXE", True
    for rc in RC_FILES:
        text = _text(world.home / rc)
        yield from ((p, f"in ~/{rc}", True) for p in _paths(CERTAIN, text, world))
        yield from ((p, f"in ~/{rc}", False) for p in _paths(PERHAPS, text, world))
    for prefix in _listed(world):
        yield prefix, "in ~/.conda/environments.txt", False
    for prefix in _usual(world):
        yield prefix, "in a usual place", False


def _in_path(world: World) -> Iterator[Path]:
    for folder in world.env.get("PATH", "").split(os.pathsep):
        program = Path(folder) / "conda"
        if folder.startswith("/") and os.path.isfile(program):
            yield Path(folder).parent
            yield Path(os.path.realpath(program)).parent.parent


def _paths(pattern: re.Pattern[str], text: str, world: World) -> Iterable[Path]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for path in dict.fromkeys(pattern.findall(lines)):
        yield Path(re.sub(r"^(~|\$HOME|\$\{HOME\})", lambda _: str(world.home), path))


def _listed(world: World) -> Iterator[Path]:
    for prefix in map(Path, _text(registry.path(world)).split()):
        yield prefix
        if prefix.parent.name == "envs":
            yield prefix.parent.parent


def _text(path: Path) -> str:
    try:
        return files.read_text(path)
    except OSError:  # a folder of that name, or not for us to read
        return ""


def _usual(world: World) -> Iterator[Path]:
    big = [Path(world.env[name]) for name in BIG_PLACES if world.env.get(name, "").startswith("/")]
    for place in (world.home, *big, world.root / "opt"):
        yield from (place / folder for folder in FOLDERS)
