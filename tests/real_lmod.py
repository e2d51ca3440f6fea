"""A real Lmod: Debian's package in a folder of its own, since it shuts out Environment Modules."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CACHE

PACKAGES = ["lmod", "lua5.3", "lua-posix", "lua-filesystem", "lua-json", "lua-lpeg", "lua-term", "lua-bit32"]
# The places that its files name, and which are elsewhere then.
PLACES = re.compile(rb"/usr/(?:share/(?:lmod|lua)|lib/[^/ ;]*-linux-gnu/lua|lib/lmod|bin/lua5)|/etc/lmod")


def lmod_env() -> dict[str, str]:
    """The variables that a login shell of a site with Lmod has; skips where no Lmod can be had."""
    home = Path("/usr/share/lmod/lmod")
    if not home.is_dir():
        home = kept() / "usr/share/lmod/lmod"
    return {"LMOD_PKG": str(home), "MODULEPATH": str(home / "modulefiles/Core")}


def kept() -> Path:
    """The folder where it lies; made once for all runs of the tests."""
    root = CACHE / "lmod"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lmod.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "complete").exists():
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            _unpack(root)
            (root / "complete").touch()
    return root


def _unpack(root: Path) -> None:
    if not shutil.which("apt-get"):
        pytest.skip("no Lmod here: it is had from Debian's packages alone")
    get = ["apt-get", "-q", "download", *PACKAGES]
    done = subprocess.run(get, cwd=root, capture_output=True, text=True)
    if done.returncode and os.getuid() == 0:
        subprocess.run(["apt-get", "-q", "update"], capture_output=True)
        done = subprocess.run(get, cwd=root, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no Lmod here: {done.stderr.strip().splitlines()[-1]}")
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    for path in root.rglob("*"):
        text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if b"\0" not in text and PLACES.search(text):
            path.write_bytes(PLACES.sub(lambda place: bytes(root) + place[0], text))
