"""The installer's run: how it is called, and what its answers mean."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setup_wizard.errors import BadInput, CommandFailed, Declined, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.files import cannot_write
from setup_wizard.world import Output, Progress, Report, World

SILENCE = 1800.0  # seconds: on a slow file system it unpacks for long without a word
FIRST_START = 300.0  # seconds for `conda --version` on the same

# What the installer says, the kind of error, what happened and what to do; {1} is a part of what it said.
ANSWERS: tuple[tuple[str, type[SetupError], str, str], ...] = (
    (
        r"requires GLIBC >=\s*([\d.]+)",
        MachineBlocks,
        "This installer needs glibc {1}, and this machine's is older.",
        "Choose one that runs here: --distribution miniforge",
    ),
    (
        r"File or directory already exists: '(.*)'",
        MachineBlocks,
        "{1} exists already; it was left as it is.",
        "Choose another place (--prefix), or use the conda that is there (--distribution PREFIX).",
    ),
    (
        r"[Cc]annot install into directories with spaces",
        BadInput,
        "The prefix has a space in it, and conda refuses that.",
        "Choose a plain one: --prefix ~/miniconda3",
    ),
    (
        r"No space left on device|Not enough space|Disk quota exceeded",
        MachineBlocks,
        "The disk (or your quota) is full.",
        "Make room (quota -s; du -sh ~/* | sort -h) or choose another place (--prefix), then run again.",
    ),
    (
        r"Could not create directory: '(.*?)'",
        MachineBlocks,
        "{1} could not be made: no right to write there, or no space.",
        "See both (ls -ld and df -h of the folder above), or choose another place (--prefix).",
    ),
    (
        r"license agreement wasn't approved",
        Declined,
        "The installer was told that its licence is not accepted.",
        "Agree with --accept-licence miniconda, or choose --distribution miniforge.",
    ),
    (
        r"md5sum mismatch",
        NetworkTrouble,
        "The installer is damaged, though its SHA-256 was right before it ran: the disk may be failing.",
        "Run again: it will be downloaded anew. If it happens again, tell your administrators.",
    ),
    (
        r"did not recognize option|Please run using",
        CommandFailed,
        "The installer does not know how we call it: it is none of the kind we know.",
        "Choose another release or mirror (--distribution, --mirror).",
    ),
    (
        r"Cannot allocate memory|MemoryError|Killed|Resource temporarily unavailable",
        MachineBlocks,
        "The installer ran out of memory or processes; login nodes often limit both.",
        "See the limits (ulimit -v; ulimit -u), and run this in a job or on another node.",
    ),
    (
        r"Permission denied|Operation not permitted",
        MachineBlocks,
        "The installer was not allowed to write or to run a file.",
        "See who may write in the prefix's folder, and whether it is mounted noexec; or choose --prefix.",
    ),
)


def install(world: World, installer: Path, prefix: Path, report: Report) -> None:
    """Run an installer in batch mode, its lines as progress, and see that the new conda answers.

    Home and temporary folder are a folder beside the prefix, which is gone afterwards: programs may be run
    there, and nothing that the installer does to a home reaches the user's. Raises a SetupError in plain
    words; what it leaves of the prefix then is for the caller to remove.
    """
    room = _make_room(prefix)
    try:
        env = _env(world, room)
        output = world.run(
            ["bash", installer, "-b", "-p", prefix],
            on_line=lambda line: report(Progress(line)),
            silence=SILENCE,
            env=env,
            cwd=room,
        )
        if output.code:
            raise explain(output)
        report(Progress("conda --version"))
        _must_answer(world, prefix, env)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def room_of(prefix: Path) -> Path:
    """The installer's home and temporary folder while it runs."""
    return prefix.with_name(f".{prefix.name}.installing")


def _make_room(prefix: Path) -> Path:
    room = room_of(prefix)
    shutil.rmtree(room, ignore_errors=True)
    try:
        room.parent.mkdir(parents=True, exist_ok=True)
        room.mkdir(mode=0o700)
    except OSError as e:
        raise cannot_write(room, e) from e
    return room


def explain(output: Output) -> SetupError:
    """What an answer of the installer other than 0 means."""
    said = f"{output.out}\n{output.err}"
    last = "\n".join(line for line in said.splitlines()[-8:] if line.strip())
    for pattern, kind, problem, fix in ANSWERS:
        if match := re.search(pattern, said):
            return kind(f"{problem.replace('{1}', _part(match))}\nThe installer said:\n{last}", fix=fix)
    if output.code in (-9, 137):
        problem = "The installer was killed: it was silent too long, or exceeded a limit of this machine."
        return MachineBlocks(f"{problem}\n{last}", fix="Run again, in a job or on another node if it recurs.")
    return CommandFailed(
        f"The installer ended with exit code {output.code}.\n{last}",
        fix="Run again; if it stays so, choose the other distribution: --distribution miniforge",
    )


def _part(match: re.Match[str]) -> str:
    return match[1] if match.re.groups else ""


def _env(world: World, room: Path) -> dict[str, str]:
    env = world.clean_env(HOME=str(room), TMPDIR=str(room))
    return {k: v for k, v in env.items() if k != "CONDARC" and not k.startswith(("XDG_", "MAMBA_"))}


def _must_answer(world: World, prefix: Path, env: dict[str, str]) -> None:
    conda = prefix / "bin/conda"
    output = world.run([conda, "--version"], timeout=FIRST_START, env=env)
    if output.code or not output.out.startswith("conda "):
        raise CommandFailed(
            f"`{conda} --version` does not answer after the installation (exit code {output.code}).\n"
            f"{(output.err or output.out).strip()[-600:]}",
            fix="Run again; if it stays so, choose the other distribution: --distribution miniforge",
        )
