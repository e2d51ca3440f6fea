"""The engine: a program that solves and installs conda packages. The only importer of rattler.

    python -m setup_wizard.conda.engine  < request.json  > events.jsonl

What rattler 0.28 does not do by itself is done here, each at its place: it is tried again when a server
hesitates, the order of channels counts as it does for conda, a wrong name is answered with near ones, an
edited package cache is noticed, and the process ends before rattler can crash it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from itertools import groupby
from pathlib import Path

import msgspec
from rattler import (
    Channel,
    ChannelPriority,
    Client,
    Config,
    Gateway,
    MatchSpec,
    PackageCache,
    PrefixRecord,
    RepoDataRecord,
    SourceConfig,
    Subdir,
    VirtualPackage,
    install,
    solve,
)
from rattler.exceptions import GatewayError, InstallerError, InvalidMatchSpecError, SolverError
from rattler.package_cache.package_cache import ValidationMode
from rattler.virtual_package.virtual_package import VirtualPackageOverrides

from setup_wizard import __version__
from setup_wizard.conda import causes
from setup_wizard.conda.reporter import Reporter, Voice
from setup_wizard.conda.talk import Failed, Installed, Package, Request, Solved

RETRIES = 3
DOWNLOADS = 8  # at a time: as fast as 50 on one machine, and a class behind one address is not turned away
ASTRAY = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "LD_PRELOAD",
    "BASH_ENV",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
)


class Unreadable(Exception):
    """A dependency that rattler cannot read."""

    def __init__(self, dependency: str, why: str) -> None:
        super().__init__(why)
        self.dependency = dependency


class Gone(Exception):
    """A package that was wanted is no longer there."""


class Wish:
    """A dependency, read leniently: `python=3.12.*` and `numpy 1.26` are what people write."""

    def __init__(self, text: str, channels: tuple[str, ...] = ()) -> None:
        try:
            self.spec = MatchSpec(_tied_to_url(text, channels), strict=False)
        except InvalidMatchSpecError as e:
            raise Unreadable(text, str(e).splitlines()[0]) from None
        self.text = text
        self.name: str = self.spec.name.normalized
        self.tied = self.spec.channel is not None or "://" in text  # to a channel or a file

    @property
    def bare(self) -> MatchSpec:
        """What is asked of the channels: the name alone, so that all versions count for their order."""
        return self.spec if self.tied else MatchSpec(self.name, strict=False)


def _tied_to_url(text: str, channels: tuple[str, ...]) -> str:
    """`conda-forge::x` means the channel of that name among those listed, a mirror of it too."""
    name, tied, rest = text.partition("::")
    url = next((c for c in channels if tied and c.rstrip("/").rpartition("/")[2] == name), None)
    return f"{url}::{rest}" if url else text


class Solver:
    """The channels of a request, and what can be had from them."""

    def __init__(self, request: Request, sharded: bool = True) -> None:
        self.wishes = [Wish(text, request.channels) for text in request.dependencies]
        self.kept = [Wish(name) for name in request.keep]
        self.pins = [Wish(pin, request.channels) for pin in request.pins]
        self.channels = [Channel(url) for url in request.channels]
        listed = {c.base_url for c in self.channels}
        tied = (w.spec.channel for w in self.wishes)
        self.channels += [c for c in tied if c is not None and c.base_url not in listed]
        self.platforms = [Subdir.current(), Subdir("noarch")]
        self.gateway = Gateway(
            cache_dir=Path(request.repodata),
            default_config=SourceConfig(sharded_enabled=sharded),
            client=client(),
        )

    async def solve(self, have: list[PrefixRecord]) -> list[RepoDataRecord]:
        """The newest packages that fit together, near to those that are installed already."""
        machine = VirtualPackage.detect(VirtualPackageOverrides.from_env())
        return await solve(
            self.channels,
            [wish.bare for wish in (*self.wishes, *self.kept)],
            gateway=self.gateway,
            platforms=self.platforms,
            locked_packages=list(have),
            virtual_packages=machine,
            channel_priority=ChannelPriority.Strict,
            constraints=[wish.spec for wish in (*self.wishes, *self.pins) if not wish.tied],
        )

    async def exactly(self, urls: tuple[str, ...], have: list[PrefixRecord]) -> list[RepoDataRecord]:
        """The packages at these addresses. Raises Gone where neither the channels nor we have one."""
        names = {url.rpartition("/")[2].rsplit("-", 2)[0] for url in urls}
        answers = await self.gateway.query(self.channels, self.platforms, sorted(names), recursive=False)
        known: dict[str, RepoDataRecord] = {record.url: record for record in have}
        known |= {record.url: record for answer in answers for record in answer}
        if gone := [url for url in urls if url not in known]:
            raise Gone(gone[0])
        return [known[url] for url in urls]

    async def explain(self, e: SolverError) -> Failed:
        """Why there is no solution: a name that does not exist, a version, or a quarrel."""
        from setup_wizard.hints import near

        names = {n.normalized for n in await self.gateway.names(self.channels, self.platforms)}
        for wish in self.wishes:
            if wish.name not in names and not wish.name.startswith("__"):
                alike = [n for n in names if abs(len(n) - len(wish.name)) <= 3]
                return Failed("missing", package=wish.text, near=tuple(near(wish.name, alike)))
        for wish in self.wishes:
            if failed := await self._no_such_version(wish):
                return failed
        return causes.of_solve(str(e))

    async def _no_such_version(self, wish: Wish) -> Failed | None:
        """None, or the versions there are, newest first, when none is as asked for."""
        answers = await self.gateway.query(
            self.channels, self.platforms, [MatchSpec(wish.name, strict=False)], recursive=False
        )
        records = [record for answer in answers for record in answer]
        counted = [r for r in records if wish.tied or r.channel == records[0].channel]
        if not records or any(wish.spec.matches(r) for r in counted):
            return None
        later = next((r.channel for r in records if wish.spec.matches(r)), "")
        newest = sorted(counted, key=lambda r: (r.version, r.build_number), reverse=True)
        versions = tuple(version for version, _ in groupby(str(r.version) for r in newest))
        return Failed("version", package=wish.text, near=versions, url=later)


def client() -> Client:
    """A client that tries again; no time-out, since it would cut off what is slow but good."""
    return Client.from_config(_config(), max_retries=RETRIES, user_agent=f"hpc-jupyter-setup/{__version__}")


def _config() -> Config:
    own_roots = any(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    roots = 'tls-root-certs = "system"\n' if own_roots else ""
    return Config.from_toml(f"{roots}[concurrency]\ndownloads = {DOWNLOADS}\n")


async def serve(request: Request, voice: Voice) -> None:
    """Solve, and install where the request names a prefix."""
    solver = Solver(request)
    voice.phase("index", Path(request.repodata))
    try:
        records = await _solution(solver, request)
    except SolverError as e:
        voice.say(await solver.explain(e))
        return
    cached = await PackageCache(request.packages).index() if Path(request.packages).is_dir() else None
    solution = [_package(r, cached is not None and cached.contains_record(r)) for r in records]
    voice.say(Solved(tuple(solution)))
    if request.prefix:
        began = time.monotonic()
        await _install(request, records, solver.wishes, Reporter(voice, solution))
        voice.say(Installed(time.monotonic() - began))


async def _solution(solver: Solver, request: Request) -> list[RepoDataRecord]:
    have = _installed(Path(request.target)) if request.target else []
    if request.wanted:
        return await solver.exactly(request.wanted, have)
    have = _near(have, request, {wish.name for wish in solver.wishes})
    try:
        return await solver.solve(have)
    except GatewayError as e:
        if "304 Not Modified" not in str(e):
            raise
    return await Solver(request, sharded=False).solve(have)  # such servers can still give the whole index


async def _install(
    request: Request, records: list[RepoDataRecord], wishes: list[Wish], reporter: Reporter
) -> None:
    solved = {r.name.normalized for r in records}
    look = ValidationMode.full() if request.suspect else ValidationMode.fast()
    await install(
        records,
        request.target,
        package_cache=PackageCache.new_layered([request.packages], False, look),
        ignored_packages=set(request.keep) - solved,
        reinstall_packages={*request.reinstall, *request.suspect} & solved,
        execute_link_scripts=request.target == request.prefix,
        show_progress=False,
        client=client(),
        config=_config(),
        requested_specs=[w.spec._match_spec for w in wishes],  # 0.28 takes only its inner type
        reporter=reporter,
        alternative_target_prefix=request.prefix,
    )


def _installed(target: Path) -> list[PrefixRecord]:
    return [PrefixRecord.from_path(path) for path in sorted((target / "conda-meta").glob("*.json"))]


def _near(have: list[PrefixRecord], request: Request, asked: set[str]) -> list[PrefixRecord]:
    """What should stay as it is: not what is to move on, nor what only that needs."""
    by_name = {record.name.normalized: record for record in have}
    free = set(by_name) - set(request.keep) if "*" in request.newest else set(request.newest)
    todo = list(free)
    while todo:
        record = by_name.get(todo.pop())
        needs = {d.split()[0] for d in (record.depends if record else ())} - asked - free
        free |= needs
        todo += needs
    return [record for name, record in by_name.items() if name not in free]


def _package(r: RepoDataRecord, cached: bool) -> Package:
    return Package(
        r.name.normalized,
        str(r.version),
        str(r.build),
        r.url,
        r.size or 0,
        r.sha256.hex() if r.sha256 else "",
        tuple(r.depends),
        cached,
    )


async def _told(request: Request, voice: Voice) -> None:
    """`serve`, with whatever goes wrong said as an event."""
    beats = asyncio.create_task(voice.beat())
    try:
        await serve(request, voice)
    except Unreadable as e:
        voice.say(Failed("spec", str(e), package=e.dependency))
    except Gone as e:
        voice.say(Failed("changed", url=str(e)))
    except (GatewayError, InstallerError, OSError) as e:
        voice.say(causes.of_transfer(str(e)))
    finally:
        beats.cancel()


def main() -> None:
    """Read a request, say what happens, and end at once: a normal exit after rattler can crash."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    for name in ASTRAY:
        os.environ.pop(name, None)  # link scripts are not to see them
    voice = Voice(sys.stdout.fileno(), time.process_time)
    try:
        asyncio.run(_told(request, voice))
    except BaseException:
        voice.say(Failed("bug", traceback.format_exc()))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
