"""Quotas: what a user may still write, where `quota` or `lfs quota` tells.

`df` shows the whole disk; on a cluster it is the quota that ends a home.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard.world import World

PATIENCE = 5.0  # seconds; a quota server that is away would keep us for minutes
BLOCK = 1024  # bytes: the unit of both programs


class Quota(msgspec.Struct, frozen=True):
    """Bytes and files that are used and allowed on a file system (None: no limit).

    The limit is the soft one where there is one: beyond it a grace period runs, and centres write letters.
    """

    source: str
    used_bytes: int
    limit_bytes: int | None
    used_files: int
    limit_files: int | None

    @property
    def free_bytes(self) -> int | None:
        """Bytes that may still be written, 0 when it is exceeded."""
        return None if self.limit_bytes is None else max(0, self.limit_bytes - self.used_bytes)

    @property
    def free_files(self) -> int | None:
        """Files that may still be made, 0 when it is exceeded."""
        return None if self.limit_files is None else max(0, self.limit_files - self.used_files)


def quota_of(world: World, path: Path) -> Quota | None:
    """The user's quota where `path` is, or would be; None when there is none, or nobody tells in time."""
    mount = world.mount(path)
    if mount.kind == "lustre":
        user = world.env.get("USER") or str(world.uid)
        said = _ask(world, "lfs", "quota", "-q", "-u", user, mount.point)
        return next((q for q in parse(said) if q.source == mount.point), None)
    return next((q for q in parse(_ask(world, "quota", "-w")) if q.source == mount.source), None)


def _ask(world: World, program: str, *words: str) -> str:
    """What the program says; "" when it is not there or not in time. An exceeded quota is no failure."""
    if not world.which(program):
        return ""
    return world.run([program, *words], timeout=PATIENCE, env={**world.env, "LC_ALL": "C"}).out


def parse(text: str) -> Iterator[Quota]:
    """The quotas with a limit in what either program prints, a name on a line of its own included."""
    name = ""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 1:
            name = words[0]
            continue
        if words and not _is_number(words[0]):
            name, *words = words
        quota = _read(name, words)
        if quota and (quota.limit_bytes, quota.limit_files) != (None, None):
            yield quota


def _read(name: str, words: list[str]) -> Quota | None:
    """Blocks used, soft, hard, grace, files used, soft, hard, grace; each grace may be left out."""
    numbers = [int(w.strip("*[]")) for w in words if _is_number(w)]
    if not name or len(numbers) != 6:
        return None
    used, soft, hard, files, soft_files, hard_files = numbers
    return Quota(
        source=name,
        used_bytes=used * BLOCK,
        limit_bytes=_limit(soft, hard, BLOCK),
        used_files=files,
        limit_files=_limit(soft_files, hard_files, 1),
    )


def _limit(soft: int, hard: int, unit: int) -> int | None:
    return (soft or hard) * unit or None


def _is_number(word: str) -> bool:
    return re.fullmatch(r"\[?\d+\]?\*?|\[?\d+\*?\]?", word) is not None
