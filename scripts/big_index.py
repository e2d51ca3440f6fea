"""A channel of conda-forge's shape, made up: its listings alone, as one file and in shards; no archives.

About 30,000 names and 1,000,000 records: the first names have many versions and are needed by many, as python
and numpy are; half are of this machine, built for each Python, half are noarch. The same each time.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from backports import zstd

from setup_wizard.conda.spec import package_name
from setup_wizard.mirror.packages import SUBDIR

NAMES, RECORDS = 30_000, 1_000_000
STEEP = 0.3  # how much more records the first names have than the last
DEEP = 150  # names between those that are asked for: what they need has needs of its own
PYTHONS = (10, 11, 12, 13)
DAYS = 3_000  # the age of the channel
Record = dict[str, Any]


def write(folder: Path, wanted: tuple[str, ...], names: int = NAMES, records: int = RECORDS) -> None:
    """Write `sharded/` and `plain/`, where what `wanted` asks for can be had. Takes a minute."""
    asked = [n for n in map(package_name, wanted) if n != "python"]
    listed = ["python", *(f"package-{n}" for n in range(1, names))]
    for n, name in enumerate(asked):
        listed[DEEP * (n + 1)] = name
    weights = [(n + 1) ** -STEEP for n in range(len(listed))]
    share = records / sum(weights)
    channel = _Channel(listed, [max(1, round(share * w)) for w in weights])
    sides = {subdir: _Listing(folder, subdir) for subdir in (SUBDIR, "noarch")}
    for number in range(len(listed)):
        sides[channel.subdir(number)].add(listed[number], dict(channel.records(number)))
    for side in sides.values():
        side.close()


class _Channel:
    """Which records a name has; later names need earlier ones, the first most often."""

    def __init__(self, names: list[str], counts: list[int]) -> None:
        self.names, self.counts = names, counts

    def subdir(self, number: int) -> str:
        return "noarch" if number % 2 and number else SUBDIR

    def versions(self, number: int) -> int:
        builds = len(PYTHONS) if number and self.subdir(number) == SUBDIR else 1
        return max(1, self.counts[number] // builds)

    def version(self, number: int, age: float) -> str:
        """The version that was the newest at an age from 0 to 1 of the channel's life."""
        n = min(self.versions(number) - 1, int(age * self.versions(number)))
        if number == 0:
            return f"3.{PYTHONS[n * len(PYTHONS) // self.versions(0)]}.{n}"
        return f"{1 + 2 * n // self.versions(number)}.{n}.0"

    def records(self, number: int) -> Iterator[tuple[str, Record]]:
        """File name and record of each package of this name."""
        dice = random.Random(number)
        needs = sorted({int(number * dice.random() ** 4) for _ in range(4)} - {0, number})
        for n in range(self.versions(number)):
            age = (n + 0.5) / self.versions(number)
            depends = [f"{self.names[m]} >={self.version(m, 0.4 * age)}" for m in needs]
            yield from self._builds(number, age, depends, dice)

    def _builds(
        self, number: int, age: float, depends: list[str], dice: random.Random
    ) -> Iterator[tuple[str, Record]]:
        subdir = self.subdir(number)
        if number == 0:
            builds: list[tuple[str, list[str]]] = [("h0_0_cpython", [])]
        elif subdir == "noarch":
            builds = [("pyhd8ed1ab_0", ["python >=3.10"])]
        else:
            builds = [(f"py3{p}h0_0", [f"python >=3.{p},<3.{p + 1}.0a0"]) for p in PYTHONS]
        for build, pythons in builds:
            name, version = self.names[number], self.version(number, age)
            record = {
                "build": build,
                "build_number": 0,
                "depends": [*pythons, *depends],
                "license": "BSD-3-Clause",
                "md5": dice.randbytes(16).hex(),
                "name": name,
                "sha256": dice.randbytes(32).hex(),
                "size": dice.randrange(10_000, 10_000_000),
                "subdir": subdir,
                "timestamp": 1_500_000_000_000 + int(age * DAYS) * 86_400_000,
                "version": version,
            }
            noarch = {"noarch": "python"} if subdir == "noarch" else {}
            yield f"{name}-{version}-{build}.conda", record | noarch


class _Listing:
    """The listing of one kind of machine, written name by name: both forms, so that memory stays small."""

    def __init__(self, folder: Path, subdir: str) -> None:
        self.sharded, self.plain = folder / "sharded" / subdir, folder / "plain" / subdir
        (self.sharded / "shards").mkdir(parents=True)
        self.plain.mkdir(parents=True)
        self.subdir = subdir
        self.hashes: dict[str, bytes] = {}
        self.whole = zstd.open(self.plain / "repodata.json.zst", "wb")
        info = msgspec.json.encode({"subdir": subdir})
        self.whole.write(b'{"info":%s,"packages":{},"removed":[],"repodata_version":1,' % info)
        self.whole.write(b'"packages.conda":{')

    def add(self, name: str, records: dict[str, Record]) -> None:
        """One name with all its records."""
        inside = msgspec.json.encode(records)[1:-1]
        self.whole.write((b"," if self.hashes else b"") + inside)
        packed = {
            file: {**r, **{h: bytes.fromhex(r[h]) for h in ("md5", "sha256")}} for file, r in records.items()
        }
        shard = _packed({"packages": {}, "packages.conda": packed, "removed": []})
        self.hashes[name] = hashlib.sha256(shard).digest()
        (self.sharded / "shards" / f"{self.hashes[name].hex()}.msgpack.zst").write_bytes(shard)

    def close(self) -> None:
        """Write what names the rest."""
        self.whole.write(b"}}")
        self.whole.close()
        about = {
            "subdir": self.subdir,
            "base_url": "",
            "shards_base_url": "./shards/",
            "created_at": "2026-01-01T00:00:00Z",
        }
        index = _packed({"info": about, "shards": self.hashes})
        (self.sharded / "repodata_shards.msgpack.zst").write_bytes(index)


def _packed(data: object) -> bytes:
    return zstd.compress(msgspec.msgpack.encode(data))
