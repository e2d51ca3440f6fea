"""Releases of Miniconda and Miniforge as data, and the choice of the one that fits this machine."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from packaging.version import InvalidVersion, Version

from setup_wizard.errors import MachineBlocks

CATALOGUE = Path(__file__).with_name("installers.csv")
MINICONDA = "https://repo.anaconda.com/miniconda"
MINIFORGE = "https://github.com/conda-forge/miniforge/releases"

SUPPORTED = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
NAME = re.compile(
    r"(?P<family>Miniconda|Miniforge)3-(?:(?P<label>[a-z]+)-)?(?:(?P<python_tag>py\d+)_)?"
    r"(?P<version>\d[\d.]*(?:-\d+)?)-(?P<os>Linux|MacOSX)-(?P<arch>\w+)\.sh"
)


class Release(msgspec.Struct, frozen=True):
    """One installer: what it is, where it lies, and the SHA-256 without which it is not used.

    `size` in bytes (0: unknown); `min_glibc` is "" where none is needed; `attested` says who vouches for the
    hash; `label` is set for what only looks like a release: the stand-in of a rehearsal.
    """

    family: str
    version: str
    python_tag: str
    os: str
    arch: str
    file_name: str
    url: str
    sha256: str
    size: int = 0
    min_glibc: str = ""
    attested: str = ""
    label: str = ""

    @property
    def age(self) -> tuple[Version, int]:
        """Sorts from old to new, and within a version from old Python to new."""
        return Version(self.version), int(self.python_tag[3:] or 0)


@functools.cache
def catalogue() -> tuple[Release, ...]:
    """The releases that this version of ours knows, oldest first within family and architecture."""
    with CATALOGUE.open(newline="") as f:
        rows = csv.DictReader(line for line in f if not line.startswith("#"))
        return tuple(_release_of(row) for row in rows)


def _release_of(row: dict[str, str]) -> Release:
    name = file_name(row["family"], row["version"], row["python_tag"], row["arch"])
    more = {"os": "Linux", "file_name": name, "url": url(row["family"], row["version"], name)}
    return msgspec.convert({**row, **more}, Release)


def file_name(family: str, version: str, python_tag: str, arch: str) -> str:
    """The name under which a release is published."""
    python = f"{python_tag}_" if family == "miniconda" else ""
    return f"{family.capitalize()}3-{python}{version}-Linux-{arch}.sh"


def url(family: str, version: str, name: str) -> str:
    """Where a release is published."""
    return f"{MINICONDA}/{name}" if family == "miniconda" else f"{MINIFORGE}/download/{version}/{name}"


def parse_name(name: str) -> dict[str, str] | None:
    """What a file name says of a release; None for anything else, aliases such as `latest` included."""
    match = NAME.fullmatch(name)
    if not match or match["label"] == "latest":
        return None
    try:
        Version(match["version"])
    except InvalidVersion:
        return None
    parts = {k: v or "" for k, v in match.groupdict().items()}
    return {**parts, "family": parts["family"].lower()}


@functools.cache
def least_glibc(family: str, arch: str, version: str) -> str | None:
    """The glibc that a release needs, as the last one before it in the catalogue; None: nobody knows."""
    known = [r for r in catalogue() if (r.family, r.arch) == (family, arch)]
    before = [r for r in known if Version(r.version) <= Version(version)]
    return max(before, key=lambda r: r.age).min_glibc if before else None


def choose(family: str, system: tuple[str, str], glibc: str, releases: Iterable[Release]) -> Release:
    """The newest release of a family that runs on this system: ("Linux", "x86_64") with that glibc.

    Raises MachineBlocks, with what is supported, when none does.
    """
    arch = _supported(system, glibc)
    built = [r for r in releases if (r.family, r.os, r.arch) == (family, "Linux", arch) and r.sha256]
    if not built:
        raise MachineBlocks(
            f"There is no release of {family.capitalize()} for Linux on {arch} to choose from.",
            fix=f"Choose another: --distribution {_other(family)}",
        )
    fitting = [r for r in built if not r.min_glibc or Version(r.min_glibc) <= Version(glibc)]
    if not fitting:
        raise _too_old(family, glibc, arch, built)
    return max(fitting, key=lambda r: r.age)


def _supported(system: tuple[str, str], glibc: str) -> str:
    name, machine = system
    arch = SUPPORTED.get(machine.lower(), "")
    if name != "Linux" or not arch:
        raise MachineBlocks(
            f"This machine is {name} on {machine}; supported is Linux on x86_64 and aarch64.",
            fix="Log in to a Linux machine with such a processor (uname -sm tells) and run this there.",
        )
    if not glibc:
        raise MachineBlocks(
            "This Linux has another C library than glibc (musl, as Alpine has), for which conda is not made.",
            fix="Use a machine, or a container, of a distribution with glibc: Debian, Ubuntu, Rocky, SUSE.",
        )
    return arch


def _too_old(family: str, glibc: str, arch: str, built: list[Release]) -> MachineBlocks:
    least = min((r.min_glibc for r in built), key=Version)
    other = _other(family)
    fits = any(
        Version(r.min_glibc or "0") <= Version(glibc)
        for r in catalogue()
        if (r.family, r.arch) == (other, arch)
    )
    return MachineBlocks(
        f"{family.capitalize()} needs glibc {least} or newer; this machine has {glibc}.",
        fix=f"Choose {other.capitalize()}, which has a release for it: --distribution {other}"
        if fits
        else "Log in to a machine with a newer system (ldd --version tells its glibc) and run this there.",
    )


def _other(family: str) -> str:
    return "miniforge" if family == "miniconda" else "miniconda"
