"""Site files: one strict reader, and the folders that they are in."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard import walltime
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.sites.data import Site
from setup_wizard.sites.remembered import recall, remember
from setup_wizard.world import APP, World

if TYPE_CHECKING:
    from setup_wizard.yamlfile import Loaded

OURS = Path(__file__).parent
VARIABLE = "HPC_JUPYTER_SETUP_SITES"
GENERIC = ("generic-slurm", "generic-pbs", "workstation")


@dataclass(frozen=True)
class Known:
    """The sites by name; the file of each, and how late its folder comes; what is wrong with other files."""

    sites: Mapping[str, Site]
    files: Mapping[str, Path]
    ranks: Mapping[str, int]
    broken: tuple[BadInput, ...] = ()


def folders(world: World) -> list[Path]:
    """Where site files lie; one in a later folder stands in for one of the same name in an earlier folder."""
    named = [Path(p) for p in world.env.get(VARIABLE, "").split(os.pathsep) if p]
    for folder in named:
        if not folder.is_dir():
            raise BadInput(
                f"{VARIABLE} names a folder that is not there: {folder}",
                fix=f"Make the folder, or take it out: unset {VARIABLE}",
            )
    return [OURS, world.root / "etc" / APP / "sites", world.config / "sites", *named]


def known(world: World) -> Known:
    """All sites. A file that is wrong does not take the others away: it is told in `broken`."""
    was = recall(world)
    last: dict[str, tuple[int, Path, Site]] = {}
    good: dict[Path, Site] = {}
    broken = []
    for rank, path in _files(world):
        try:
            good[path] = was.site(path) or read(path)
        except BadInput as e:
            broken.append(e)
        else:
            last[path.stem] = (rank, path, good[path])
    if any(was.site(path) is None for path in good):
        remember(world, good)
    return Known(
        {name: site for name, (_, _, site) in last.items()},
        {name: path for name, (_, path, _) in last.items()},
        {name: rank for name, (rank, _, _) in last.items()},
        tuple(broken),
    )


def find(name: str, world: World) -> Site:
    """The site of that name, from the last folder that has it. Raises BadInput, also for a wrong file."""
    paths = {path.stem: path for _, path in _files(world)}
    if name not in paths:
        raise BadInput(
            f"There is no site «{name}».{did_you_mean(name, paths)}",
            fix="See which there are: hpc-jupyter-setup sites list",
        )
    return read(paths[name])


def _files(world: World) -> Iterator[tuple[int, Path]]:
    for rank, folder in enumerate(folders(world)):
        yield from ((rank, path) for path in sorted(folder.glob("*.yml")))


def read(path: Path) -> Site:
    """One site file. Raises BadInput with file:line:column for whatever is wrong in it."""
    from setup_wizard import yamlfile

    loaded = yamlfile.read(path, Site)
    _check_name(loaded, path)
    _check_patterns(loaded)
    _check_partitions(loaded)
    _check_proxy(loaded)
    _check_exclusive(loaded)
    _check_purge(loaded)
    _check_quota(loaded)
    return loaded.value


def _check_proxy(loaded: Loaded[Site]) -> None:
    site = loaded.value
    for key, named in (("access", "rps" in site.access), ("rps_ca", site.rps_ca)):
        if named and not site.rps:
            raise BadInput(
                f"{loaded.at(key)}: a proxy (rps) is meant here, and the key «rps» has no domain.",
                fix="Add a line «rps: DOMAIN», or take this one out.",
            )
    if site.rps and not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", site.rps):
        raise BadInput(
            f"{loaded.at('rps')}: «{site.rps}» is not a domain.",
            fix="Write a domain alone, without https:// and without a path.",
        )
    if site.rps_ca and not Path(site.rps_ca).is_absolute():
        raise BadInput(
            f"{loaded.at('rps_ca')}: «{site.rps_ca}» is not a full path.",
            fix="Write where the file is on login and compute nodes alike: /etc/ssl/certs/our-ca.pem",
        )


def _check_exclusive(loaded: Loaded[Site]) -> None:
    if loaded.value.exclusive and loaded.value.scheduler != "slurm":
        raise BadInput(
            f"{loaded.at('exclusive')}: whole nodes are asked of Slurm alone.",
            fix="Take the line out: with Torque and PBS a queue decides whether jobs share nodes.",
        )


def _check_purge(loaded: Loaded[Site]) -> None:
    for folder in loaded.value.purge:
        if folder not in loaded.value.scratch:
            raise BadInput(
                f"{loaded.at('purge')}: «{folder}» is not one of the folders of «scratch».",
                fix=f"Write it as it stands there, or add it there: scratch: [{folder}]",
            )


def _check_quota(loaded: Loaded[Site]) -> None:
    for i, command in enumerate(loaded.value.quota):
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        if not words or re.search(r"[|;&<>`]|\$\(", command):
            raise BadInput(
                f"{loaded.at('quota', i)}: «{command}» is not a command and its words.",
                fix="Write one command without a shell's signs: lfs quota -q -u $USER /scratch",
            )


def _check_name(loaded: Loaded[Site], path: Path) -> None:
    name = loaded.value.name
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise BadInput(
            f"{loaded.at('name')}: «{name}» cannot be a site's name.",
            fix="Use small letters, digits and single hyphens between them.",
        )
    if path.name != f"{name}.yml":
        raise BadInput(
            f"{loaded.at('name')}: the site is named «{name}», and its file {path.name}.",
            fix=f"Name both alike: mv {path} {path.parent / name}.yml",
        )


def _check_patterns(loaded: Loaded[Site]) -> None:
    site = loaded.value
    named = [(("markers", "hosts", i), p) for i, p in enumerate(site.markers.hosts)]
    for keys, pattern in [*named, *((("login_hosts", i), p) for i, p in enumerate(site.login_hosts))]:
        try:
            re.compile(pattern)
        except re.error as e:
            raise BadInput(
                f"{loaded.at(*keys)}: «{pattern}» is not a regular expression: {e}.",
                fix=r"Write one for a whole host name, in single quotes: 'login\d+\.example\.org'",
            ) from None


def _check_partitions(loaded: Loaded[Site]) -> None:
    seen: set[str] = set()
    default = ""
    for i, partition in enumerate(loaded.value.partitions):
        if partition.limit:
            walltime.seconds(partition.limit, loaded.at("partitions", i, "limit"))
        if partition.name in seen:
            raise BadInput(
                f"{loaded.at('partitions', i)}: the partition «{partition.name}» is there twice.",
                fix="Remove one, or join the two.",
            )
        if partition.default and default:
            raise BadInput(
                f"{loaded.at('partitions', i)}: «{partition.name}» is a default beside «{default}».",
                fix="Only one partition can be the default.",
            )
        seen.add(partition.name)
        default = partition.name if partition.default else default
