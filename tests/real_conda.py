"""A real conda, 24.7.1 with its classic solver: the one inside the wheel of conda-lock, made whole again."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from tests.mirror_parts import CACHE, VERSION

HOLDER, INSIDE = "conda-lock==4.0.3", "conda_lock/_vendor/conda/"
NEEDED = """
    archspec boltons conda-package-handling conda-package-streaming distro frozendict jsonpatch packaging
    platformdirs pluggy pycosat requests ruamel.yaml tqdm truststore zstandard
"""
PROGRAM = """\
#!{python}
import sys
from conda.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""
# What a distribution has in its own condarc. Each home has packages of its own: tests at the same time, in
# which packages of one name differ, would else share them.
CONDARC = """\
solver: classic
channels: []
pkgs_dirs: ["~/.conda/pkgs"]
report_errors: false
notify_outdated_conda: false
"""
RECORD = {"name": "conda", "version": "24.7.1", "build": "py_0", "build_number": 0, "subdir": "noarch"}


def kept_conda() -> Path:
    """The prefix of a conda that works, as a distribution's: made once for all runs of the tests."""
    prefix = CACHE / f"conda-24.7.1-{VERSION}-apart"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "conda.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prefix / "conda-meta/history").exists():
            _make(prefix)
    return prefix


def _make(prefix: Path) -> None:
    venv.create(prefix, clear=True, with_pip=True)
    python = prefix / "bin/python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *NEEDED.split()], check=True)
    subprocess.run([*pip, "download", "--no-deps", "-d", prefix / "wheel", HOLDER], check=True)
    site = prefix / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    with zipfile.ZipFile(next((prefix / "wheel").glob("*.whl"))) as wheel:
        for name in wheel.namelist():
            if name.startswith(INSIDE) and not name.endswith("/"):
                _put(site / "conda" / name.removeprefix(INSIDE), wheel.read(name))
    _put(prefix / "bin/conda", PROGRAM.format(python=python).encode())
    (prefix / "bin/conda").chmod(0o755)
    _put(prefix / ".condarc", CONDARC.encode())
    _put(prefix / "etc/profile.d/conda.sh", b"")
    record = {**RECORD, "channel": "https://conda.anaconda.org/conda-forge", "fn": "conda-24.7.1-py_0.conda"}
    _put(prefix / "conda-meta/conda-24.7.1-py_0.json", json.dumps({**record, "files": []}).encode())
    _put(prefix / "conda-meta/history", b"")  # the last: it is whole now


def _put(path: Path, data: bytes) -> None:
    """Write a file, with the names that its modules had before they were taken into the other's."""
    if path.suffix == ".py":
        for theirs in (b"conda_lock._vendor.conda", b"conda_lock.vendor.conda"):
            data = data.replace(theirs, b"conda")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
