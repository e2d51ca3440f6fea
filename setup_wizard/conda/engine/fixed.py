"""Packages that are settled already, so that nothing is solved: locks, and lists of @EXPLICIT packages."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from rattler import (
    BuildString,
    Channel,
    GenericVirtualPackage,
    LockChannel,
    LockFile,
    LockPlatform,
    MatchSpec,
    PackageRecord,
    RepoDataRecord,
)
from rattler.exceptions import GatewayError

from setup_wizard.conda.engine.solver import HERE, Solver, machine
from setup_wizard.conda.talk import Request


class NoLock(Exception):
    """The text is no lock that this rattler reads, or has nothing for this machine."""


class NotHere(Exception):
    """A package that is settled needs what this machine has not: "__glibc >=2.34"."""


class OtherHash(Exception):
    """The channel has another package at an address than the one that was named."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(why)
        self.url = url


def of_lock(text: str) -> list[RepoDataRecord]:
    """The packages that a lock has for this machine. Raises NoLock."""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        try:
            environment = LockFile.from_path(_path(file)).default_environment()
        except Exception as e:  # rattler's is no more special
            raise NoLock(str(e).splitlines()[0]) from None
    for platform in environment.platforms() if environment else ():
        if environment and str(platform.subdir) == HERE:
            return environment.conda_repodata_records_for_platform(platform) or []
    raise NoLock(f"it has nothing for {HERE}")


def lock_of(request: Request, solutions: Mapping[str, list[RepoDataRecord]]) -> str:
    """The text of a lock that holds these solutions by platform."""
    platforms = {
        name: LockPlatform(name, virtual_packages=[_written(v) for v in machine(name)]) for name in solutions
    }
    lock = LockFile(list(platforms.values()))
    lock.set_channels("default", [LockChannel(Channel(url).base_url) for url in request.channels])
    for name, records in solutions.items():
        for record in sorted(records, key=lambda r: r.name.normalized):
            lock.add_conda_package("default", platforms[name], record)
    with tempfile.TemporaryFile() as file:
        lock.to_path(_path(file))
        return file.read().decode()


def _path(file: IO[bytes]) -> Path:
    """The way to a file that has no name, so that none is left however we end."""
    return Path(f"/proc/self/fd/{file.fileno()}")


async def of_list(solver: Solver, entries: tuple[str, ...]) -> list[RepoDataRecord]:
    """The packages of an @EXPLICIT list, with what their channels tell about them, where they answer."""
    named = dict(entry.partition("#")[::2] for entry in entries)
    try:
        known = await solver.known(tuple(named))
    except GatewayError:
        known = {}
    return [
        _checked(known[url], digest) if url in known else _bare(url, digest) for url, digest in named.items()
    ]


def _checked(record: RepoDataRecord, digest: str) -> RepoDataRecord:
    """The package, when it is the one that was named."""
    has = {len(h.hex()): h.hex() for h in (record.md5, record.sha256) if h}
    theirs = has.get(len(digest), digest)
    if theirs != digest:
        raise OtherHash(record.url, f"the channel says {theirs} where {digest} was asked for")
    return record


def _bare(url: str, digest: str) -> RepoDataRecord:
    """A package of which nothing is known but its address and perhaps its hash."""
    channel, subdir, file = url.rsplit("/", 2)
    name, version, build = file.removesuffix(".conda").removesuffix(".tar.bz2").rsplit("-", 2)
    said = bytes.fromhex(digest)
    md5, sha256 = (said if len(said) == n else None for n in (16, 32))
    made = PackageRecord(name, version, BuildString(build), 0, subdir, md5=md5, sha256=sha256)
    return RepoDataRecord(made, file, url, channel)


def must_run_here(records: list[RepoDataRecord]) -> None:
    """Raise NotHere where one of the packages needs a machine of another kind: a newer C library, a GPU."""
    generic = [v if isinstance(v, GenericVirtualPackage) else v.into_generic() for v in machine("")]
    has = [PackageRecord(v.name, str(v.version), v.build_string, 0, HERE) for v in generic]
    for need in sorted({d for r in records for d in r.depends if d.startswith("__")}):
        spec = MatchSpec(need, strict=False)
        if not any(spec.matches(virtual) for virtual in has):
            raise NotHere(need)


def complete(target: Path, records: list[RepoDataRecord]) -> None:
    """Put what the archives say of themselves into the records of bare packages: what they need, above all.

    Without it, a later change would not know what has to stay together.
    """
    for bare in (r for r in records if r.size is None):
        meta = target / "conda-meta" / f"{bare.name.normalized}-{bare.version}-{bare.build}.json"
        record = json.loads(meta.read_bytes())
        index = Path(record.get("extracted_package_dir") or "", "info/index.json")
        if not record.get("depends") and index.is_file():
            from setup_wizard import files  # the engine starts sooner without

            said = json.loads(index.read_bytes())
            files.write_text(meta, json.dumps({**record, **said}, indent=2))


def _written(virtual: object) -> str:
    """A virtual package as a lock has it: "__glibc=2.36"."""
    generic = virtual.into_generic() if hasattr(virtual, "into_generic") else virtual
    return str(generic).rpartition("=")[0]
