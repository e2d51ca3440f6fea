"""The engine: a program that solves and installs conda packages.

    python -m setup_wizard.conda.engine  < request.json  > events.jsonl

What rattler 0.28 does not do by itself is done here, each at its place: it is tried again when a server
hesitates, the order of channels counts as it does for conda, a wrong name is answered with near ones, an
edited package cache is noticed, and the process ends before rattler can crash it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rattler import PackageCache, PrefixRecord, RepoDataRecord, install
from rattler.exceptions import GatewayError, InstallerError, IoError, SolverError
from rattler.package_cache.package_cache import ValidationMode

from setup_wizard.conda import causes
from setup_wizard.conda.engine import fixed, reasons
from setup_wizard.conda.engine.solver import Gone, Solver, Unreadable, Wish, client, config
from setup_wizard.conda.reporter import Reporter, Voice
from setup_wizard.conda.talk import Failed, Installed, Locked, Package, Request, Solved, WasRead

if TYPE_CHECKING:
    from setup_wizard.conda.ground import Ground

MOST_MEMORY = 4 << 30  # bytes of addresses while solving
ASTRAY = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "LD_PRELOAD",
    "BASH_ENV",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
)


class Unsolved(Exception):
    """There is no solution, and this is why."""

    def __init__(self, why: Failed) -> None:
        super().__init__(why.message)
        self.why = why


async def serve(request: Request, voice: Voice) -> None:
    """Solve, and install where the request names a prefix."""
    if request.only_read:
        voice.say(WasRead(tuple(_unreadable(request))))
        return
    solver = Solver(request)
    voice.phase("index", Path(request.repodata))
    with _modest():
        try:
            if request.look:
                voice.say(await solver.look(request.look))
                return
            if request.to_lock:
                voice.say(Locked(await _lock(solver, request)))
                return
            records = await _solution(solver, request)
        except SolverError as e:
            voice.say(await reasons.why(solver, e))
            return
    cached = await PackageCache(request.packages).index() if Path(request.packages).is_dir() else None
    solution = [_package(r, cached is not None and cached.contains_record(r)) for r in records]
    if request.offline and (absent := [p.name for p in solution if not p.cached and not _is_file(p.url)]):
        voice.say(Failed("offline", near=tuple(absent)))
        return
    voice.say(Solved(tuple(solution)))
    if request.prefix:
        began = time.monotonic()
        await _install(request, records, solver.wishes, Reporter(voice, solution, _ground(request, records)))
        fixed.complete(Path(request.target), records)
        voice.say(Installed(time.monotonic() - began))


def _unreadable(request: Request) -> Iterator[Failed]:
    for text in request.dependencies:
        try:
            Wish(text, request.channels)
        except Unreadable as e:
            yield e.why


@contextmanager
def _modest() -> Iterator[None]:
    """Have only so much memory: the reasons why nothing fits may be more than any machine can hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = min(n for n in (MOST_MEMORY, soft, hard) if n != resource.RLIM_INFINITY)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


async def _lock(solver: Solver, request: Request) -> str:
    """The lock that is asked for."""
    solutions = {}
    for platform in request.to_lock:
        if request.target:
            solutions[platform] = list[RepoDataRecord](_installed(Path(request.target)))
            continue
        there = Solver(request, platform=platform)
        try:
            solutions[platform] = await there.solve([])
        except SolverError as e:
            raise Unsolved(await reasons.why(there, e)) from None
    return fixed.lock_of(request, solutions)


async def _solution(solver: Solver, request: Request) -> list[RepoDataRecord]:
    if request.lock or request.exact:
        settled = fixed.of_lock(request.lock) if request.lock else await fixed.of_list(solver, request.exact)
        fixed.must_run_here(settled)
        return settled
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


def _is_file(url: str) -> bool:
    return url.startswith("file:")


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
        client=client(request),
        config=config(),
        requested_specs=[w.spec._match_spec for w in wishes],  # 0.28 takes only its inner type
        reporter=reporter,
        alternative_target_prefix=request.prefix,
    )


def _ground(request: Request, records: list[RepoDataRecord]) -> Ground | None:
    """The environment that is changed; a new one, or what a killed run has left of it, holds nothing else."""
    if request.target != request.prefix:
        return None
    from setup_wizard import trees
    from setup_wizard.conda import contents
    from setup_wizard.conda.ground import Ground  # a new environment is to begin sooner

    python = next((r for r in records if r.name.normalized == "python"), None)
    site = (python.python_site_packages_path or contents.site_of(str(python.version))) if python else ""
    unpacked = {r.name.normalized: Path(request.packages, _package(r, False).stem) for r in records}
    theirs = trees.listed(Path(request.theirs)) if request.theirs else None
    return Ground(Path(request.target), unpacked, site, theirs)


def _installed(target: Path) -> list[PrefixRecord]:
    """The records there; one that is torn says nothing, and its package is installed again."""
    found = []
    for path in sorted((target / "conda-meta").glob("*.json")):
        with suppress(IoError):
            found.append(PrefixRecord.from_path(path))
    return found


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
        voice.say(e.why)
    except Unsolved as e:
        voice.say(e.why)
    except Gone as e:
        voice.say(Failed("changed", url=str(e)))
    except fixed.NoLock as e:
        voice.say(Failed("lock", str(e)))
    except fixed.NotHere as e:
        voice.say(Failed("machine", package=str(e)))
    except fixed.OtherHash as e:
        voice.say(Failed("hash", str(e), url=e.url))
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
