"""What pip installs into an environment: the `pip:` section of its file."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from setup_wizard.conda.channels import shown_in
from setup_wizard.conda.contents import records
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.errors import CommandFailed, MachineBlocks
from setup_wizard.world import Progress, Report, World, scratch

FULL = r"No space left on device|Disk quota exceeded"  # as the system says it, through pip and uv


def pip_digest(spec: EnvSpec, prefix: Path) -> str:
    """What pip should install and for which Python, as one SHA-256; "" for nothing."""
    if not spec.pip:
        return ""
    python = [r.stem for r in records(prefix) if r.name == "python"]
    return hashlib.sha256(msgspec.json.encode([spec.pip, python])).hexdigest()


def pip_install(world: World, prefix: Path, spec: EnvSpec, report: Report) -> None:
    """Let the environment's own uv or pip install the pip section. Raises CommandFailed, MachineBlocks."""
    folder = spec.folder or world.home
    title, collected = "Install packages with pip", 0
    report(Progress(title))

    def hear(line: str) -> None:
        nonlocal collected
        collected += line.startswith("Collecting ")
        report(Progress(title, collected, unit="packages"))

    with scratch.folder(world) as tmp:
        wanted = tmp / "requirements.txt"
        wanted.write_text("".join(_line(line, folder) + "\n" for line in spec.pip), "utf-8")
        output = world.run(
            [*_installer(prefix), *_offline(world, prefix), "-r", wanted],
            on_line=hear,
            env=_pip_env(world, prefix),
            cwd=folder,
        )
    if output.code and re.search(FULL, f"{output.out}\n{output.err}"):
        raise _no_room(prefix, spec)
    if output.code:
        said = _harmless((output.err.strip() or output.out.strip()).splitlines()[-6:], world, spec)
        raise CommandFailed(
            f"{spec.file or 'The environment'}: pip could not install what is listed below «pip:».\n{said}",
            fix="Run again without --offline; the conda packages are in place and stay."
            if world.offline
            else "Correct the list and run again; the conda packages are in place and stay.",
        )


def _no_room(prefix: Path, spec: EnvSpec) -> MachineBlocks:
    places = f"{prefix} {tempfile.gettempdir()}"
    return MachineBlocks(
        f"{spec.file or 'The environment'}: pip could not install what is listed below «pip:»: "
        "No space left on the disk, or a quota is used up.",
        fix=f"Make room (df -h {places}; df -i {places}; quota -s), then run again; the conda packages are "
        "in place and stay.",
    )


def _harmless(lines: Sequence[str], world: World, spec: EnvSpec) -> str:
    """What pip has said, without the values of the variables that it has put into the lines."""
    said = "\n".join(lines)
    for name in dict.fromkeys(re.findall(r"\$\{(\w+)\}", " ".join(spec.pip))):
        for value in filter(None, {world.env.get(name, ""), quote(world.env.get(name, ""), safe="")}):
            said = said.replace(value, f"${{{name}}}")
    return shown_in(said)


def _installer(prefix: Path) -> list[str]:
    python = str(prefix / "bin" / "python")
    uv = prefix / "bin" / "uv"
    if uv.exists():
        return [str(uv), "pip", "install", "--python", python]
    return [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-compile"]


def _offline(world: World, prefix: Path) -> list[str]:
    """uv can do with what it has cached; pip asks nobody, and takes folders and files that are named."""
    if not world.offline:
        return []
    return ["--offline"] if (prefix / "bin" / "uv").exists() else ["--no-index"]


def _pip_env(world: World, prefix: Path) -> dict[str, str]:
    """Caches lie in ours, so that they go when we go.

    pip asks rustc for its version, and rustc, where rustup provides it, makes a ~/.rustup. Byte code is made
    once for all environments; a pip that is killed while it writes its own would leave half of it.
    """
    rust = {} if (world.home / ".rustup").exists() else {"RUSTUP_HOME": str(world.cache / "rustup")}
    return world.clean_env(
        **({} if "RUSTUP_HOME" in world.env else rust),
        PIP_CACHE_DIR=str(world.cache / "pip"),
        UV_CACHE_DIR=str(world.cache / "uv"),
        PATH=f"{prefix}/bin:{world.env.get('PATH', '/usr/bin:/bin')}",
        PIP_REQUIRE_VIRTUALENV="0",
        PYTHONDONTWRITEBYTECODE="1",
        PIP_USER="0",
    )


def _line(line: str, folder: Path) -> str:
    """A line of the section; other lists that it names are relative to the environment's file."""
    for option in ("-r", "-c", "--requirement", "--constraint"):
        name = line.removeprefix(f"{option} ").strip()
        if line.startswith(f"{option} ") and "://" not in name:
            return f"{option} {folder / name}"
    return line
