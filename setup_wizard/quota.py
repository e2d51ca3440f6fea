"""Quotas: what a user may still write, where `quota`, `lfs quota` or a command of the site tells.

`df` shows the whole disk; on a cluster it is the quota that ends a home: the user's own, that of the group to
whom the files will belong, or that of the project of a folder.
"""

from __future__ import annotations

import grp
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from string import Template

import msgspec

from setup_wizard.world import Mount, World

PATIENCE = 5.0  # seconds for all of them; a quota server that is away would keep us for minutes
BLOCK = 1024  # bytes: the unit of all these programs
POWERS = "KMGTPE"  # after a number: of 1024 for bytes, of 1000 for files
Ask = Callable[..., str]  # a program and its words; gives what it says
HEAD = re.compile(r"Disk quotas for (?:usr|user|(gr\w+)|(pr\w+)) (\S+)")
NUMBER = re.compile(r"\[?(\d+(?:\.\d+)?)([KMGTPE]?)\*?\]?\*?", re.I)


class Quota(msgspec.Struct, frozen=True):
    """Bytes and files that are used and allowed on a file system (None: no limit).

    The limit is the soft one where there is one: beyond it a grace period runs, and centres write letters.
    `whose`: "group NAME" or "project ID"; "" for the user's own.
    """

    source: str
    used_bytes: int
    limit_bytes: int | None
    used_files: int
    limit_files: int | None
    whose: str = ""

    @property
    def free_bytes(self) -> int | None:
        """Bytes that may still be written, 0 when it is exceeded."""
        return None if self.limit_bytes is None else max(0, self.limit_bytes - self.used_bytes)

    @property
    def free_files(self) -> int | None:
        """Files that may still be made, 0 when it is exceeded."""
        return None if self.limit_files is None else max(0, self.limit_files - self.used_files)


def quotas_of(world: World, path: Path, commands: Sequence[str] = ()) -> tuple[Quota, ...]:
    """The quotas that count what the user writes at `path`; none where nobody tells in time.

    `commands` are the site's own; they are asked beside the usual ones, and print as these do.
    """
    mount, folder = world.mount(path), _existing(path)
    ask = partial(_ask, world, world.now() + PATIENCE)
    user = world.env.get("USER") or str(world.uid)
    usual = _of_lustre(ask, mount, folder, user) if mount.kind == "lustre" else _of_disk(ask, mount, folder)
    filled = ([Template(w).safe_substitute(world.env) for w in shlex.split(c)] for c in commands)
    found = [*usual, *(q for words in filled for q in _of_site(ask, mount, folder, words))]
    return tuple(dict.fromkeys(found))


def _of_lustre(ask: Ask, mount: Mount, folder: Path, user: str) -> Iterator[Quota]:
    group = _group(folder)
    who = [("-u", user, ""), ("-g", group, f"group {group}")]
    projects = re.match(r"\s*([1-9]\d*)\s+P\s", ask("lfs", "project", "-d", str(folder)))
    if projects:  # what is made in such a folder is of its project too
        who.append(("-p", projects[1], f"project {projects[1]}"))
    for flag, name, whose in who:
        said = ask("lfs", "quota", "-q", flag, name, mount.point)
        yield from (msgspec.structs.replace(q, whose=whose) for q in parse(said) if q.source == mount.point)


def _of_disk(ask: Ask, mount: Mount, folder: Path) -> Iterator[Quota]:
    group = _group(folder)
    for words, whose in ((["-w"], ""), (["-w", "-g", group], f"group {group}")):
        said = ask("quota", *words)
        yield from (msgspec.structs.replace(q, whose=whose) for q in parse(said) if q.source == mount.source)


def _of_site(ask: Ask, mount: Mount, folder: Path, words: Sequence[str]) -> Iterator[Quota]:
    """What a command of the site says of this file system, or of a folder that this one is in."""
    for quota in parse(ask(*words)):
        above = quota.source.startswith("/") and folder.is_relative_to(os.path.realpath(quota.source))
        if above or quota.source in (mount.source, mount.point):
            yield quota


def _existing(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return next((p for p in (real, *real.parents) if p.is_dir()), real)


def _group(folder: Path) -> str:
    """To whom a file that is made there will belong: the folder's own group where it hands that on."""
    info = os.stat(folder)
    gid = info.st_gid if info.st_mode & stat.S_ISGID else os.getegid()
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _ask(world: World, until: float, program: str, *words: str) -> str:
    """What the program says; "" when it is not there or not in time. An exceeded quota is no failure."""
    left = until - world.now()
    if left <= 0 or not world.which(program):
        return ""
    return world.run([program, *words], timeout=left, env={**world.env, "LC_ALL": "C"}).out


def parse(text: str) -> Iterator[Quota]:
    """The quotas with a limit in what either program prints, a name on a line of its own included."""
    name = whose = ""
    for line in text.splitlines():
        if head := HEAD.match(line):
            kind = "group " if head[1] else "project " if head[2] else ""
            whose = kind and kind + head[3]
            continue
        words = line.split()
        if len(words) == 1:
            name = words[0]
            continue
        if words and not _is_number(words[0]):
            name, *words = words
        quota = _read(name, words, whose)
        if quota and (quota.limit_bytes, quota.limit_files) != (None, None):
            yield quota


def _read(name: str, words: list[str], whose: str) -> Quota | None:
    """Blocks used, soft, hard, grace, files used, soft, hard, grace; each grace may be left out."""
    numbers = [w for w in words if _is_number(w)]
    if not name or len(numbers) != 6:
        return None
    used, soft, hard = (_bytes(w) for w in numbers[:3])
    files, soft_files, hard_files = (_files(w) for w in numbers[3:])
    return Quota(
        source=name,
        used_bytes=used,
        limit_bytes=soft or hard or None,
        used_files=files,
        limit_files=soft_files or hard_files or None,
        whose=whose,
    )


def _bytes(word: str) -> int:
    number, unit = _parts(word)
    return int(number * BLOCK ** (POWERS.index(unit) + 1 if unit else 1))


def _files(word: str) -> int:
    number, unit = _parts(word)
    return int(number * 1000 ** (POWERS.index(unit) + 1 if unit else 0))


def _parts(word: str) -> tuple[float, str]:
    match = NUMBER.fullmatch(word)
    assert match
    return float(match[1]), match[2].upper()


def _is_number(word: str) -> bool:
    return NUMBER.fullmatch(word) is not None
