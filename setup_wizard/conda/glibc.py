"""The C library that an environment needs."""

from __future__ import annotations

import re
from pathlib import Path

from setup_wizard.conda import contents, packed

NEEDS = re.compile(r"__glibc\s*>=\s*([\d.]+)")
WHEEL = re.compile(r"^Tag: .*manylinux_(\d+)_(\d+)_", re.MULTILINE)
OLD_WHEEL = re.compile(r"^Tag: .*manylinux(2014|2010|1)_", re.MULTILINE)
OLD = {"2014": "2.17", "2010": "2.12", "1": "2.5"}


def least_glibc(prefix: Path) -> str:
    """The least glibc that a package of it needs, by conda's records and pip's."""
    needs = []
    for stem in contents.stems(prefix):
        needs += NEEDS.findall((prefix / "conda-meta" / f"{stem}.json").read_text("utf-8", "replace"))
    for wheel in prefix.glob("lib/python3*/site-packages/*.dist-info/WHEEL"):
        text = wheel.read_text("utf-8", "replace")
        tags = [f"{a}.{b}" for a, b in WHEEL.findall(text)] + [OLD[n] for n in OLD_WHEEL.findall(text)]
        needs += sorted(tags, key=packed.number)[:1]
    return max(needs, key=packed.number, default="")
