"""Environments and condas that other programs have made, as far as anybody can see from outside."""

from __future__ import annotations

import json
from pathlib import Path


def foreign(prefix: Path, *stems: str) -> Path:
    """An environment with records of these packages."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/history").touch()
    for stem in stems:
        name, version, build = stem.rsplit("-", 2)
        record = {"name": name, "version": version, "build": build, "paths_data": {"paths": []}}
        (prefix / f"conda-meta/{stem}.json").write_text(json.dumps(record))
    return prefix


def with_python(prefix: Path) -> Path:
    """The same with a Python in it, which says where it is."""
    foreign(prefix, "python-3.12.4-h1_0", "pip-24.0-py_0")
    script(prefix / "bin/python", f"#!/bin/sh\necho {prefix}\n")
    script(prefix / "bin/pip", f"#!{prefix}/bin/python\n")
    (prefix / "lib/python3.12/site-packages").mkdir(parents=True)
    return prefix


def conda(prefix: Path) -> Path:
    """A conda itself; its shell function tells what it was asked."""
    with_python(prefix)
    record = prefix / "conda-meta/conda-24.1.0-py_0.json"
    record.write_text('{"name": "conda", "version": "24.1.0", "build": "py_0"}')
    for path in ("condabin/conda", "bin/conda"):
        script(prefix / path, f"#!{prefix}/bin/python\n")
    script(prefix / "etc/profile.d/conda.sh", 'conda() { echo "conda $*"; }\n')
    return prefix


def script(path: Path, text: str) -> None:
    """A program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
