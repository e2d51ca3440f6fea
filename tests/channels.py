"""Conda channels for tests: real archives in a folder, or behind a web server that misbehaves."""

from __future__ import annotations

import ensurepip
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from setup_wizard.conda.spec import EnvSpec, read_spec
from setup_wizard.mirror.packages import Package, write_channel
from setup_wizard.mirror.tiny import stub
from setup_wizard.mirror.wheels import Wheel, package_of
from tests.web_server import Fault, WebServer

ALWAYS = 40  # more often than anybody asks again


def channel(folder: Path, packages: Iterable[Package]) -> str:
    """A channel of these packages in a folder; its URL."""
    write_channel(folder, packages)
    return folder.as_uri()


def pip_package(folder: Path) -> Package:
    """The pip that this Python brings along, as a package; fetched into the folder where it brings none."""
    apart = sysconfig.get_config_var("WHEEL_PKG_DIR")  # where Debian keeps it
    places = [Path(ensurepip.__file__).parent / "_bundled", *([Path(apart)] if apart else [])]
    found = sorted(wheel for place in places for wheel in place.glob("pip-*.whl"))
    if not found:
        fetch = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "pip"]
        subprocess.run(fetch, check=True)
        found = sorted(folder.glob("pip-*.whl"))
    return package_of(Wheel(found[-1]), {})


def serve(web: WebServer, folder: Path, faults: Mapping[str, Sequence[Fault]] = {}) -> str:
    """Serve the channel in a folder; `faults` go by the start of a file's name."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        wrong = [fault for start, them in faults.items() if path.name.startswith(start) for fault in them]
        web.serve(f"/{path.relative_to(folder.parent)}", path.read_bytes(), *wrong)
    return f"{web.url}/{folder.name}"


def spec(folder: Path, channels: Sequence[str], dependencies: Sequence[str], **more: str) -> EnvSpec:
    """An environment.yml in the folder, read; each channel and each dependency on a line of its own."""
    lines = [
        "channels:",
        *(f"  - {c}" for c in channels),
        "dependencies:",
        *(f"  - {d}" for d in dependencies),
    ]
    lines += [f"{key}: {value}" for key, value in more.items()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "env.yml"
    path.write_text("\n".join(lines) + "\n")
    return read_spec(path)


def fruits() -> list[Package]:
    """apple; pear, which needs apple below 2; plum, which needs apple from 2; quince of two versions."""
    return [
        stub("apple", "1.5", files={"share/apple": b"apple 1.5"}, noarch="generic"),
        stub("apple", "2.5", files={"share/apple": b"apple 2.5!"}, noarch="generic"),
        stub("pear", "1.0", depends=["apple <2"], files={"share/pear": b"pear"}, noarch="generic"),
        stub("plum", "1.0", depends=["apple >=2"], files={"share/plum": b"plum"}, noarch="generic"),
        stub("quince", "1.1", files={"share/quince": b"quince 1.1"}, noarch="generic"),
        stub("quince", "1.2", files={"share/quince": b"quince 1.2"}, noarch="generic"),
        stub("melon", "1.0", depends=["__cuda >=12"], noarch="generic"),
    ]
