"""What a lock holds, for those who look at it: per platform the packages, and what a new one changes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from setup_wizard.conda.change import Difference, between

_PLATFORM = re.compile(r"^      (\S+):\n((?:      - .*\n)*)", re.MULTILINE)
_PACKAGE = re.compile(r"^- conda: (\S+)\n((?:  .*\n)*)", re.MULTILINE)


class Locked(msgspec.Struct, frozen=True):
    """A platform of a lock: how many packages, their bytes to download, and how they differ from before."""

    platform: str
    packages: int
    bytes: int
    difference: Difference


def contents_of(text: str, before: str = "") -> list[Locked]:
    """What a lock holds, platform by platform, against the lock that was there `before`."""
    sizes = {url: _size(facts) for url, facts in _PACKAGE.findall(text)}
    old = _platforms(before)
    return [
        Locked(
            name,
            len(urls),
            sum(sizes.get(u, 0) for u in urls),
            between(_stems(old.get(name, ())), _stems(urls)),
        )
        for name, urls in _platforms(text).items()
    ]


def _platforms(text: str) -> dict[str, list[str]]:
    listed = text.partition("\nenvironments:\n")[2].partition("\npackages:\n")[0] + "\n"
    return {name: re.findall(r"- conda: (\S+)", urls) for name, urls in _PLATFORM.findall(listed)}


def _stems(urls: Sequence[str]) -> list[str]:
    return [u.rpartition("/")[2].removesuffix(".conda").removesuffix(".tar.bz2") for u in urls]


def _size(facts: str) -> int:
    found = re.search(r"^  size: (\d+)$", facts, re.MULTILINE)
    return int(found[1]) if found else 0
