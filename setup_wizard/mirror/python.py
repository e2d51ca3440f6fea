"""The Python that we run in, as a conda package that works wherever it is unpacked."""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from setup_wizard.mirror.archive import PLACEHOLDER, File
from setup_wizard.mirror.packages import Package

SHORT = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE_PACKAGES = f"lib/python{SHORT}/site-packages"
PREFIX = Path(sys.base_prefix)
OF_SYSTEM = str(PREFIX) == "/usr"  # its path is too short, and too common, to be looked for in files
STDLIB = Path(sysconfig.get_path("stdlib"))

# Not needed to run Jupyter, or somebody else's: a Linux distribution's additions, installed packages.
LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|tests?|site-packages|dist-packages|ensurepip|idlelib|turtledemo|tkinter|lib2to3"
    r"|config-[^/]*|_test[^/]*\.so|_tkinter[^/]*|sitecustomize\.py|EXTERNALLY-MANAGED)(/|$)"
)
# Debian's Python uses site-packages only where it believes to be in a virtual environment.
OF_DEBIAN = "deb_system" in sysconfig.get_scheme_names()
FOR_DEBIAN = b"""\
import site
import sys

sys.real_prefix = sys.prefix
site.addsitepackages(set(sys.path))
"""


def python_package() -> Package:
    """The interpreter, its libraries and its standard library; no other packages."""
    files = dict(_programs())
    files.update(_library())
    files.update(_shared_libraries(files))
    if OF_DEBIAN:
        files[f"lib/python{SHORT}/sitecustomize.py"] = File(FOR_DEBIAN)
    files[f"{SITE_PACKAGES}/README.txt"] = File(b"Packages are installed here.\n")
    return Package(
        "python",
        platform.python_version(),
        files,
        build="h0_0_cpython",
        licence="PSF-2.0",
        summary="The interpreter that the rehearsal runs in",
        site_packages=SITE_PACKAGES,
    )


def _programs() -> Iterator[tuple[str, File]]:
    program = PREFIX / "bin" / f"python{SHORT}"
    found = program if program.exists() else Path(getattr(sys, "_base_executable", sys.executable))
    yield f"bin/python{SHORT}", _read(found.resolve(), "bin")
    yield "bin/python", File(link=f"python{SHORT}")
    yield "bin/python3", File(link=f"python{SHORT}")


def _library() -> Iterator[tuple[str, File]]:
    """The standard library, at the same place below the prefix (some systems have it in lib64)."""
    for folder, folders, names in os.walk(STDLIB):
        inside = Path(folder).relative_to(STDLIB)
        folders[:] = [f for f in folders if not LEFT_OUT.search((inside / f).as_posix())]
        for name in names:
            if not LEFT_OUT.search((inside / name).as_posix()):
                path = STDLIB.relative_to(PREFIX) / inside / name
                yield path.as_posix(), _read(Path(folder, name), path.parent.as_posix())


def _shared_libraries(files: dict[str, File]) -> dict[str, File]:
    """The libraries in the prefix that the programs name, and what those name in turn.

    A Python of the system has them where the loader finds them anyway.
    """
    if OF_SYSTEM:
        return {}
    beside = {p.name: p for p in (PREFIX / "lib").glob("*.so*")}
    found: dict[str, File] = {}
    asking = [f for f in files.values() if _is_elf(f.data)]
    while asking:
        data = asking.pop().data
        for name in [n for n in beside if n.encode() + b"\0" in data]:
            found[f"lib/{name}"] = library = _read(beside.pop(name).resolve(), "lib")
            asking.append(library)
    return found


def _read(path: Path, folder: str) -> File:
    """A file of the installation, made independent of its place; `folder` is where it will be."""
    if path.is_symlink() and not os.readlink(path).startswith("/"):
        return File(link=os.readlink(path))
    data = path.read_bytes()
    if _is_elf(data):
        data = _relative_run_path(data, folder)
    elif path.name.startswith(("_sysconfigdata", "build-details")) and not OF_SYSTEM:
        data = data.replace(str(PREFIX).encode(), PLACEHOLDER.encode())
    return File(data, executable=os.access(path, os.X_OK))


def _is_elf(data: bytes) -> bool:
    return data.startswith(b"\x7fELF")


def _relative_run_path(data: bytes, folder: str) -> bytes:
    """Let a program look for its libraries beside itself, not where it was built.

    The new string takes the place of the old one, the rest filled with NUL; where it would be longer (a
    prefix of a few letters), the old one stays, and works as long as this installation does.
    """
    old = str(PREFIX / "lib").encode()
    new = f"$ORIGIN/{os.path.relpath('lib', folder)}".encode()
    return data.replace(old + b"\0", new.ljust(len(old) + 1, b"\0")) if len(new) <= len(old) else data
