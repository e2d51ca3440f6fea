"""Why nothing fits: a name that does not exist, a version, a machine, or packages that quarrel."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from rattler import MatchSpec
from rattler.exceptions import SolverError

from setup_wizard.conda import causes
from setup_wizard.conda.engine.solver import Solver, Wish
from setup_wizard.conda.talk import Failed

LONGEST_SEARCH = 20.0  # seconds for the change that would make an impossible request possible


class _Change(NamedTuple):
    """What would make all possible: this wish so in its place, or, with "", left out."""

    wish: str
    instead: str


async def why(solver: Solver, e: SolverError) -> Failed:
    """Why there is no solution."""
    if missing := await solver.no_such_name(*solver.wishes):
        return missing
    for wish in solver.wishes:
        if failed := await _no_such_version(solver, wish):
            return failed
    failed = causes.of_solve(str(e))
    return await _Search(solver).quarrel(failed) if failed.kind == "conflict" else failed


async def _no_such_version(solver: Solver, wish: Wish) -> Failed | None:
    """None, or the versions there are, newest first, when none is as asked for."""
    answers = await solver.gateway.query(
        solver.channels, solver.platforms, [MatchSpec(wish.name, strict=False)], recursive=False
    )
    records = [record for answer in answers for record in answer]
    counted = [r for r in records if wish.tied or r.channel == records[0].channel]
    if not records or any(wish.spec.matches(r) for r in counted):
        return None
    later = next((r.channel for r in records if wish.spec.matches(r)), "")
    newest = sorted(counted, key=lambda r: (r.version, r.build_number), reverse=True)
    versions = tuple(version for version, _ in groupby(str(r.version) for r in newest))
    return Failed("version", package=wish.text, near=versions, url=later)


class _Search:
    """Looks for those that quarrel, by solving again without some, as long as there is time."""

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        self._pins = set(solver.pins)
        self._until = time.monotonic() + LONGEST_SEARCH

    async def quarrel(self, failed: Failed) -> Failed:
        """The same with the fewest that cannot be had together, and one change that makes all possible."""
        everybody = [*self._solver.wishes, *self._solver.pins]
        named = [
            w for w in everybody if re.search(rf"(?<![\w.-]){re.escape(w.name)}(?![\w.-])", failed.message)
        ]
        first = named if not await self._fits(named) else everybody
        core = await self._fewest(first)
        change = await self._change([w for w in core if w not in self._pins])
        return Failed(
            "conflict",
            failed.message,
            change.wish if change else "",
            (change.instead,) if change and change.instead else (),
            quarrel=tuple(f"{w.text} (conda-meta/pinned)" if w in self._pins else w.text for w in core),
        )

    async def _fewest(self, wishes: Sequence[Wish]) -> list[Wish]:
        """Those of the wishes that fit no more together, but do without any one of them."""
        core = list(wishes)
        for wish in reversed(wishes):  # who asked first stays
            without = [w for w in core if w is not wish]
            if without and time.monotonic() < self._until and not await self._fits(without):
                core = without
        return core

    async def _change(self, core: list[Wish]) -> _Change | None:
        """Another version of one of them; else the one that can be left out; None where neither is enough."""
        for wish in core:
            if wish.versioned and (instead := await self._version(wish)):
                return _Change(wish.text, instead)
        for wish in reversed(core):
            others = [w for w in (*self._solver.wishes, *self._solver.pins) if w is not wish]
            if await self._fits(others):
                return _Change(wish.text, "")
        return None

    async def _version(self, wish: Wish) -> str:
        """The package at a version that goes with all others: "numpy=1.26.4"; "" where there is none."""
        others = [w for w in (*self._solver.wishes, *self._solver.pins) if w is not wish]
        if time.monotonic() > self._until:
            return ""
        try:
            found = await self._solver.fit(self._solver.wishes, others, [])
        except SolverError:
            return ""
        return next(f"{wish.name}={r.version}" for r in found if r.name.normalized == wish.name)

    async def _fits(self, wishes: Sequence[Wish]) -> bool:
        try:
            await self._solver.fit([w for w in wishes if w not in self._pins], wishes, [])
        except SolverError:
            return False
        return True
