"""Our program, brought to a login node that has none, or an older one, over the connection that stands.

What is sent is a wheel made of the files that run here. There a virtual environment is made for it, and the
packages that it needs come from the index of that machine.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import __version__, arrival
from setup_wizard.errors import MachineBlocks
from setup_wizard.far import TOOL, Far
from setup_wizard.world import Progress, Report, silent

SEND = "Installing on {host}: {line}"
LONGEST = 900.0  # seconds for an installation; a shared file system can be slow
SEEN = 70  # characters of a line of pip that are shown
PYTHONS = (
    'for p in "$(command -v python3)" python3.14 python3.13 python3.12 '
    'python3.11 python3.10 "$HOME/miniforge3/bin/python" "$HOME/miniconda3/bin/python" '
    '"$HOME/anaconda3/bin/python"; '
    'do if "$p" -c "import sys; sys.exit(sys.version_info < (3, 10))"; then echo "python $p"; exit; fi; done'
)
NOTES = f"{TOOL.replace('-', '_')}-{__version__}"
PACKAGE = Path(__file__).resolve().parent
DATA = ("envs", "notebooks")  # below data/ when installed, beside the package in a checkout


class Delivered(msgspec.Struct, frozen=True):
    """What an installation there says at its end."""

    tool: str


def is_old(version: str) -> bool:
    """Whether a version there is older than ours."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) < Version(__version__)
    except InvalidVersion:
        return True


def deliver(far: Far, report: Report = silent) -> None:
    """Install our program there, whole or not at all. MachineBlocks says why it cannot be, with the fix.

    It is one folder, ~/.local/share/hpc-jupyter-setup, and one link, ~/.local/bin/hpc-jupyter-setup.
    """
    content = base64.b64encode(wheel()).decode()
    call = f"\nsys.exit(main(Path.home(), {NOTES + '-py3-none-any.whl'!r}, {content!r}))\n"
    source = Path(arrival.__file__).read_text() + call
    python = _python(far)

    def hear(line: str) -> None:
        if not line.startswith("{"):
            report(Progress(SEND.format(host=far.host, line=line.strip()[:SEEN])))

    hear("sending the program")
    output = far.inside(python, "-", timeout=LONGEST, stdin=source, on_line=hear)
    far.understood(output, Delivered, (python, "-"))
    far.look_again()


def _python(far: Far) -> str:
    said = far.inside("sh", "-c", PYTHONS).out.splitlines()
    python = next((line[7:] for line in said if line.startswith("python ")), "")
    if not python:
        raise MachineBlocks(
            f"{far.host} has no Python that is new enough (3.10).",
            fix="Have one in your PATH there, as «module load python» in ~/.bash_profile, then connect again",
        )
    return python


def wheel() -> bytes:
    """The program that runs here, as a wheel; the same files give the same bytes."""
    packed, record = io.BytesIO(), []
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*_files(), *_notes()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            record.append(f"{name},sha256={digest},{len(content)}\n")
        record.append(f"{NOTES}.dist-info/RECORD,,\n")
        archive.writestr(zipfile.ZipInfo(f"{NOTES}.dist-info/RECORD"), "".join(record))
    return packed.getvalue()


def _files() -> Iterator[tuple[str, bytes]]:
    """Our modules and data, by their place in the wheel."""
    beside = [(PACKAGE.parent / name, f"{PACKAGE.name}/data/{name}") for name in DATA]
    for folder, place in ((PACKAGE, PACKAGE.name), *(b for b in beside if not (PACKAGE / "data").is_dir())):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _notes() -> Iterator[tuple[str, bytes]]:
    """What pip wants to know: name, version, what is needed, the command."""
    try:
        needs = importlib.metadata.requires(TOOL) or []
    except importlib.metadata.PackageNotFoundError as e:
        raise MachineBlocks(
            "This copy of the program does not know what it needs, so it cannot install itself elsewhere.",
            fix="Install it with pip here first: python3 -m pip install .",
        ) from e
    lines = ["Metadata-Version: 2.1", f"Name: {TOOL}", f"Version: {__version__}", "Requires-Python: >=3.10"]
    told = {
        "METADATA": [*lines, *(f"Requires-Dist: {need}" for need in needs)],
        "WHEEL": ["Wheel-Version: 1.0", f"Generator: {TOOL}", "Root-Is-Purelib: true", "Tag: py3-none-any"],
        "entry_points.txt": ["[console_scripts]", f"{TOOL} = setup_wizard.cli:main"],
    }
    for name, said in told.items():
        yield f"{NOTES}.dist-info/{name}", "\n".join([*said, ""]).encode()
