"""Conda packages as data, and how they become a channel: archives and a `repodata.json`."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from setup_wizard.mirror import archive
from setup_wizard.mirror.archive import MADE, PLACEHOLDER, File, Files

Record = dict[str, Any]  # a package's entry in repodata.json

MACHINE = platform.machine()
SUBDIR = {"x86_64": "linux-64"}.get(MACHINE, f"linux-{MACHINE}")


@dataclass(frozen=True)
class Package:
    """A conda package: its files by path, what it needs, and for noarch Python its entry points."""

    name: str
    version: str
    files: Files
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    build: str = "0"
    noarch: str = ""  # "python", "generic", or "" for one of this machine
    entry_points: tuple[str, ...] = ()  # "command = module:function"
    licence: str = ""
    summary: str = ""
    site_packages: str = ""  # only Python says this: where the noarch packages go

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def subdir(self) -> str:
        return "noarch" if self.noarch else SUBDIR


def write_channel(channel: Path, packages: Iterable[Package]) -> None:
    """Write packages into a channel, and a listing that names these and no others."""
    write_repodata(channel, [write_package(channel, p) for p in packages])


def write_package(channel: Path, package: Package) -> Record:
    """Write one `.conda` archive into the channel and give its entry for the listing."""
    data = archive.conda(package.stem, package.files, _notes(package))
    path = channel / package.subdir / f"{package.stem}.conda"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {**_index(package), **hashes(data)}


def write_repodata(channel: Path, records: Iterable[Record]) -> None:
    """Write `repodata.json` into the two folders of a channel that every client asks for."""
    listed: dict[str, dict[str, Record]] = {"noarch": {}, SUBDIR: {}}
    for record in records:
        listed[record["subdir"]]["{name}-{version}-{build}.conda".format(**record)] = record
    for subdir, packages in listed.items():
        path = channel / subdir / "repodata.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        listing = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": packages}
        path.write_bytes(_json({**listing, "removed": [], "repodata_version": 1}))


def hashes(data: bytes) -> Record:
    """What a listing says of a file: sha256 and md5 in hex, size in bytes."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"sha256": hashlib.sha256(data).hexdigest(), "md5": md5, "size": len(data)}


def _notes(package: Package) -> Files:
    """The `info/` folder of an archive."""
    paths = [_path(path, file) for path, file in sorted(package.files.items())]
    notes: dict[str, Any] = {
        "index.json": _index(package),
        "paths.json": {"paths": paths, "paths_version": 1},
        "about.json": {"license": package.licence, "summary": package.summary},
    }
    if package.noarch == "python":
        link = {"type": "python", "entry_points": list(package.entry_points)}
        notes["link.json"] = {"noarch": link, "package_metadata_version": 1}
    files = {f"info/{name}": File(_json(what)) for name, what in notes.items()}
    return {**files, "info/files": File("".join(f"{path}\n" for path in sorted(package.files)).encode())}


def _index(package: Package) -> Record:
    index: Record = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": 0,
        "subdir": package.subdir,
        "depends": list(package.depends),
        "constrains": list(package.constrains),
        "license": package.licence,
        "timestamp": MADE * 1000,  # milliseconds
        "arch": None if package.noarch else MACHINE,
        "platform": None if package.noarch else "linux",
    }
    more = {"noarch": package.noarch, "python_site_packages_path": package.site_packages}
    return {**index, **{key: value for key, value in more.items() if value}}


def _path(path: str, file: File) -> Record:
    entry: Record = {
        "_path": path,
        "path_type": "softlink" if file.link else "hardlink",
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "size_in_bytes": len(file.data),
    }
    return {**entry, "prefix_placeholder": PLACEHOLDER, "file_mode": "text"} if file.holds_prefix else entry


def _json(what: Any) -> bytes:
    return json.dumps(what, sort_keys=True).encode()
