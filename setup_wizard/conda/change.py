"""What a change does to the packages of an environment: which come, go, become others, come once more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from setup_wizard.conda import contents
from setup_wizard.conda.talk import Package


class Changed(msgspec.Struct, frozen=True):
    """A package that becomes another version or build of itself."""

    name: str
    before: str
    after: str


class Difference(msgspec.Struct, frozen=True):
    """What comes ("numpy 2.1"), what becomes another, what goes; what is damaged and is installed `again`.

    What makes way for that: packages `of_pip` ("numpy 2.0"), and files of the user's, which are put `aside`.
    """

    added: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()
    removed: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    of_pip: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.again)

    @property
    def lines(self) -> list[str]:
        """For people, one a line."""
        return [
            *(f"add {a}" for a in self.added),
            *(f"change {c.name} {c.before} → {c.after}" for c in self.changed),
            *(f"remove {r}" for r in self.removed),
            *(f"install {name} again" for name in self.again),
            *(f"remove {name} of pip, in whose place conda's is or comes" for name in self.of_pip),
            *(f"set aside your {path}, where a package brings its own" for path in self.aside),
        ]


def difference(prefix: Path, packages: Sequence[Package], again: Iterable[str] = ()) -> Difference:
    """How the packages differ from what is installed at the prefix; `again` is to be installed once more."""
    return msgspec.structs.replace(
        between(contents.stems(prefix), [p.stem for p in packages]), again=tuple(again)
    )


def between(before: Iterable[str], after: Iterable[str]) -> Difference:
    """How packages differ from those before; each is NAME-VERSION-BUILD."""
    have = {name: (version, build) for name, version, build in map(_parts, before)}
    want = {name: (version, build) for name, version, build in map(_parts, after)}
    return Difference(
        tuple(f"{n} {want[n][0]}" for n in sorted(want.keys() - have.keys())),
        tuple(_changed(n, have[n], want[n]) for n in sorted(want.keys() & have.keys()) if have[n] != want[n]),
        tuple(f"{n} {have[n][0]}" for n in sorted(have.keys() - want.keys())),
    )


def new_packages(prefix: Path, packages: Sequence[Package]) -> tuple[Package, ...]:
    """Those of the packages that are not installed at the prefix."""
    there = set(contents.stems(prefix))
    return tuple(p for p in packages if p.stem not in there)


def digest(packages: Sequence[Package]) -> str:
    """The packages as one SHA-256."""
    return hashlib.sha256("\n".join(sorted(p.url for p in packages)).encode()).hexdigest()


def _parts(stem: str) -> tuple[str, str, str]:
    name, version, build = stem.rsplit("-", 2)
    return name, version, build


def _changed(name: str, before: tuple[str, str], after: tuple[str, str]) -> Changed:
    """The versions, with the builds where the versions are the same."""
    builds = before[0] == after[0]
    return Changed(name, " ".join(before) if builds else before[0], " ".join(after) if builds else after[0])
