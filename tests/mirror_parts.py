"""What the tests of the mirror are made with: wheels, an engine that installs, a served mirror."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from setup_wizard.mirror import build
from setup_wizard.mirror.about import Mirror
from setup_wizard.mirror.wheels import Wheel
from setup_wizard.world import World

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpc-jupyter-setup-tests"


VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def kept_tiny_mirror() -> Mirror:
    """A tiny mirror, made once for all runs of the tests; it is made again when its sources change."""
    return build.tiny(World(CACHE, os.environ), CACHE / f"tiny-mirror-{VERSION}")


def kept_mirror() -> Mirror:
    """The whole mirror of the rehearsal, kept in the same way."""
    return build.build(World(CACHE, os.environ), CACHE / f"mirror-{VERSION}")


def write_wheel(
    folder: Path,
    file_name: str,
    files: Mapping[str, str],
    *,
    metadata: Sequence[str] = (),
    entry_points: str = "",
) -> Wheel:
    """A wheel of that file name, with `files` and more lines of METADATA."""
    name, version, *_ = file_name.split("-")
    info = f"{name}-{version}.dist-info"
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *metadata]
    notes = {
        f"{info}/METADATA": "\n".join(lines) + "\n\nSaid about it.\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\n",
        **({f"{info}/entry_points.txt": entry_points} if entry_points else {}),
        f"{info}/RECORD": "",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / file_name, "w") as z:
        for path, text in {**files, **notes}.items():
            z.writestr(path, text)
    return Wheel(folder / file_name)


def install(channel: str, prefix: Path, *dependencies: str) -> Mapping[str, Any]:
    """Solve and install from a channel into a prefix with the real engine; gives its last word."""
    cache = prefix.parent / f"{prefix.name}-cache"
    request = {
        "channels": [channel],
        "dependencies": dependencies,
        "repodata": str(cache / "repodata"),
        "packages": str(cache / "packages"),
        "prefix": str(prefix),
        "target": str(prefix),
    }
    said = subprocess.run(
        [sys.executable, "-m", "setup_wizard.conda.engine"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.stdout, said.stderr
    return dict(json.loads(said.stdout.splitlines()[-1]))


def output(*argv: str | Path, **env: str) -> str:
    """What a program prints; it must end well."""
    done = subprocess.run(
        [str(a) for a in argv], capture_output=True, text=True, timeout=60, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
