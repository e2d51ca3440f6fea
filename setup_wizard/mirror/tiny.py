"""Packages made up for tests: they install in no time, and do next to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from setup_wizard.mirror.archive import File
from setup_wizard.mirror.packages import Package

CORE = b'VERSION = "1.0"\n'
TOOLS = b"""\
import sys

import tiny_core


def main():
    print(tiny_core.VERSION, sys.prefix)
"""
PLOTS = b"import tiny_tools\n"


def stub(
    name: str,
    version: str = "1.0",
    *,
    depends: Iterable[str] = (),
    files: Mapping[str, bytes] | None = None,
    **more: Any,
) -> Package:
    """A small package made up for a test; `more` are other fields of Package: constrains, noarch, build…

    What lies in `bin/` or `python-scripts/` is made executable: `bin/.NAME-post-link.sh` is a script that an
    installer may run. Text that holds archive.PLACEHOLDER gets the prefix of the environment in its place.
    """
    contents = {
        path: File(data, executable=path.startswith(("bin/", "python-scripts/")))
        for path, data in (files or {}).items()
    }
    return Package(name, version, contents, tuple(depends), **more)


def module(name: str, version: str, source: bytes, *, depends: Iterable[str] = (), **more: Any) -> Package:
    """A noarch package of one Python module, called as the package is, with underscores."""
    files = {f"site-packages/{name.replace('-', '_')}.py": source}
    return stub(name, version, depends=("python", *depends), files=files, noarch="python", **more)


def tiny_packages() -> list[Package]:
    """tiny-core; tiny-tools, which needs it and brings the command `tiny`; tiny-plots, which needs that."""
    return [
        module("tiny-core", "1.0", CORE),
        module(
            "tiny-tools", "2.1", TOOLS, depends=["tiny-core >=1"], entry_points=("tiny = tiny_tools:main",)
        ),
        module("tiny-plots", "0.3", PLOTS, depends=["tiny-tools >=2,<3"]),
    ]
