"""Where the wheels come from: PyPI through pip, or a folder that was filled elsewhere."""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble
from setup_wizard.mirror.python import SHORT
from setup_wizard.mirror.wheels import Wheel, all_requirements
from setup_wizard.world import Progress, Report, World

# What it takes to fill a folder of wheels on a machine that reaches PyPI.
DOWNLOAD = ("-m", "pip", "download", "--only-binary=:all:", "--dest")


def download(world: World, folder: Path, packages: Sequence[str], report: Report) -> Path:
    """Fetch the wheels of `packages` and of all that they need, once, into a folder below `folder`.

    Raises MachineBlocks without pip, NetworkTrouble when PyPI does not give them.
    """
    key = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:12]
    whole, part = folder / key, folder / f"{key}.part"
    if not whole.is_dir():
        _require_pip(world)
        part.mkdir(parents=True, exist_ok=True)
        _pip_download(world, part, packages, report)
        part.rename(whole)
        _remove_others(folder, whole)
    return whole


def _require_pip(world: World) -> None:
    if world.run([sys.executable, "-m", "pip", "--version"], env=world.clean_env()).code:
        raise MachineBlocks(
            f"{sys.executable} has no pip, which fetches the wheels for the mirror.",
            fix="Install it for this Python (python -m ensurepip, or uv pip install pip), or give a folder "
            "of wheels: --wheels FOLDER.",
        )


def _pip_download(world: World, part: Path, packages: Sequence[str], report: Report) -> None:
    seen = 0

    def hear(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            name = line.removeprefix("Collecting ").partition(" ")[0]
            report(Progress(f"Fetching wheels from PyPI: {name}", seen, unit="wheels"))

    quiet = ("--progress-bar", "off", "--no-input", "--disable-pip-version-check")
    argv: list[str | Path] = [sys.executable, *DOWNLOAD, part, *quiet, *packages]
    output = world.run(argv, env=world.clean_env(), on_line=hear)
    if output.code:
        said = "\n".join(line for line in output.err.splitlines() if line.startswith("ERROR"))[-600:]
        raise NetworkTrouble(
            f"PyPI did not give the wheels for the mirror.\n{said or output.err[-600:]}".rstrip(),
            fix="Check the network, or fill a folder on a machine that reaches PyPI and give it with "
            f"--wheels: {_command('FOLDER', packages)}",
        )


def _command(folder: str | Path, packages: Iterable[str]) -> str:
    return " ".join([f"python{SHORT}", *DOWNLOAD, str(folder), *packages])


def _remove_others(folder: Path, whole: Path) -> None:
    """Forget the wheels of other times: another Python, another list."""
    for path in folder.iterdir():
        if path != whole:
            shutil.rmtree(path, ignore_errors=True)


def gather(folder: Path, packages: Sequence[str]) -> dict[str, Wheel]:
    """The wheels in `folder` that fit this Python and machine, by name; the newest of each.

    Raises BadInput when there are none, or when something that `packages` need is missing.
    """
    found: dict[str, Wheel] = {}
    for wheel in _fitting(folder):
        if wheel.name not in found or Version(wheel.version) > Version(found[wheel.name].version):
            found[wheel.name] = wheel
    missing = _missing(found, packages)
    if missing:
        raise BadInput(
            f"{folder} lacks wheels that fit this Python and machine: {', '.join(missing)}.",
            fix=f"Fill it on a machine that reaches PyPI: {_command(folder, packages)}",
        )
    return found


def _fitting(folder: Path) -> Iterator[Wheel]:
    tags = frozenset(sys_tags())
    for path in sorted(folder.glob("*.whl")):
        try:
            its_tags = parse_wheel_filename(path.name)[3]
        except InvalidWheelFilename:
            continue
        wheel = Wheel(path)
        if not tags.isdisjoint(its_tags) and wheel.fits_python(platform.python_version()):
            yield wheel


def _missing(found: dict[str, Wheel], packages: Sequence[str]) -> list[str]:
    """What `packages` need, and what that needs in turn, where no wheel of it is there."""
    asked = [Requirement(p) for p in packages]
    missing, seen = set(), set()
    while asked:
        requirement = asked.pop()
        name = canonicalize_name(requirement.name)
        wheel = found.get(name)
        if wheel is None or not requirement.specifier.contains(wheel.version, prereleases=True):
            missing.add(str(requirement.name) + str(requirement.specifier))
        elif name not in seen:
            seen.add(name)
            asked += all_requirements(wheel, found)
    return sorted(missing)
