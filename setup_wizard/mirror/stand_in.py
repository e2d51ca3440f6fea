"""The rehearsal's stand-in for the Miniconda and Miniforge installers.

A shell script with the Python of this machine behind it: it takes the options, asks the questions and ends
with the exit codes of the real one, and says in its first lines that it is a stand-in.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from setup_wizard.mirror import archive
from setup_wizard.mirror.archive import MADE, PLACEHOLDER, File, Files
from setup_wizard.mirror.packages import MACHINE, Package, hashes
from setup_wizard.mirror.python import SHORT

VERSION = "99.1.0"  # newer than any real release, so that the usual choosing takes it
TEMPLATES = Path(__file__).parent / "stand_in_files"
HISTORY = "==> 2023-11-14 22:13:20 <==\n# cmd: the rehearsal stand-in\n"


@dataclass(frozen=True)
class Family:
    """A distribution: what it and its folders are called, and the channel that its .condarc names."""

    name: str
    file_name: str
    folder: str
    channel: str


FAMILIES = (
    Family(
        "Miniconda3",
        f"Miniconda3-py{SHORT.replace('.', '')}_{VERSION}-0-Linux-{MACHINE}.sh",
        "miniconda",
        "defaults",
    ),
    Family("Miniforge3", f"Miniforge3-{VERSION}-0-Linux-{MACHINE}.sh", "miniforge", "conda-forge"),
)


def write_installers(folder: Path, python: Package) -> None:
    """Write both installers into a mirror, each with a listing, Miniforge's with a sidecar too."""
    files = _payload(python)
    raw = archive.tar(files)
    payload = gzip.compress(raw, compresslevel=1, mtime=0)
    for family in FAMILIES:
        script = _header(family, files, len(raw), payload) + payload
        place = folder / family.folder
        place.mkdir(parents=True)
        (place / family.file_name).write_bytes(script)
        said = hashes(script)
        (place / ".files.json").write_text(json.dumps({family.file_name: {**said, "mtime": MADE}}, indent=1))
        if family.name == "Miniforge3":
            (place / f"{family.file_name}.sha256").write_text(f"{said['sha256']}  ./{family.file_name}\n")


def _payload(python: Package) -> Files:
    """What the installer unpacks: Python, and a `conda` that looks, activates and runs."""
    record = {
        "name": "python",
        "version": python.version,
        "build": python.build,
        "channel": "rehearsal",
        "files": sorted(python.files),
    }
    return {
        **python.files,
        "LICENSE.txt": File(b"Python: PSF-2.0; all else: BSD-3-Clause. This is a rehearsal stand-in.\n"),
        "bin/conda": _template("conda", executable=True),
        "condabin/conda": File(link="../bin/conda"),
        "etc/profile.d/conda.sh": _template("conda.sh"),
        "conda-meta/history": File(HISTORY.encode()),
        f"conda-meta/{python.stem}.json": File(json.dumps(record).encode()),
    }


def _template(name: str, *, executable: bool = False) -> File:
    text = (TEMPLATES / name).read_text()
    text = text.replace("@PREFIX@", PLACEHOLDER).replace("@VERSION@", VERSION)
    return File(text.encode(), executable)


def _header(family: Family, files: Files, unpacked: int, payload: bytes) -> bytes:
    template = (TEMPLATES / "installer.sh").read_text()
    values = {
        "FAMILY": family.name,
        "VERSION": VERSION,
        "MD5": hashlib.md5(payload, usedforsecurity=False).hexdigest(),
        "PAYLOAD_LINE": str(len(template.splitlines()) + 1),
        "NEEDED_KB": str(unpacked * 11 // 10 // 1024),
        "PLACEHOLDER": PLACEHOLDER,
        "HOME_NAME": family.name.lower(),
        "CHANNEL": family.channel,
        "PREFIX_FILES": shlex.join(sorted(path for path, file in files.items() if file.holds_prefix)),
    }
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template.encode()
