"""What the engine could not do, in the user's words and with the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from setup_wizard.conda.channels import TERMS, is_anacondas, shown
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.conda.talk import Failed
from setup_wizard.errors import (
    BadInput,
    CommandFailed,
    MachineBlocks,
    NetworkTrouble,
    PackagesQuarrel,
    SetupError,
)

_MANY = 8  # versions to show
_LONGEST = 30  # lines of reasons
_AGAIN = "Run again in a while: what was downloaded is kept. Or use a mirror: --mirror URL"


def too_many_reasons(spec: EnvSpec) -> PackagesQuarrel:
    """The error where the engine wanted more memory than it may have; only reasons can take so much."""
    return PackagesQuarrel(
        "There is no solution for these packages, and the reasons why are too many to be told.",
        fix=f"Ask for fewer packages at once{_file(spec)}, or give those that matter a version.",
    )


def is_full(failed: Failed) -> bool:
    """Whether the disk or a quota had no room."""
    return failed.kind == "disk" and bool(re.search(r"No space left|[Qq]uota exceeded", failed.message))


def no_room_for_index(failed: Failed, folder: Path) -> MachineBlocks:
    """The error where nothing is installed yet, and what the channels have did not go into TMPDIR."""
    return MachineBlocks(
        f"What the channels have could not be written into TMPDIR ({folder}): {failed.message}",
        fix=f"export TMPDIR=/a/larger/place, or make room there (df -h {folder}; df -i {folder}); run again.",
    )


def error_of(failed: Failed, spec: EnvSpec) -> SetupError:
    """The error for what the engine said."""
    return _ERRORS[failed.kind](failed, spec)


def _name(dependency: str) -> str:
    return re.split(r"[\s=<>!~\[]", dependency.rpartition("::")[2], maxsplit=1)[0]


def _channels(spec: EnvSpec) -> str:
    return " or ".join(shown(channel) for channel in spec.channels)


def _what(failed: Failed, spec: EnvSpec) -> str:
    """What was asked for, as exactly as is known."""
    return failed.url or failed.package or _channels(spec)


def _file(spec: EnvSpec) -> str:
    return f" in {spec.file}" if spec.file else ""


def _unreadable(failed: Failed, spec: EnvSpec) -> SetupError:
    return BadInput(
        f"{spec.at(failed.package)}«{failed.package}» is no package specification: {failed.message}.",
        fix="Write a name and, where needed, a version: numpy, numpy=2.1, «numpy >=2,<3».",
    )


def _missing(failed: Failed, spec: EnvSpec) -> SetupError:
    name = _name(failed.package)
    hint = f" Did you mean {' or '.join(failed.near)}?" if failed.near else ""
    return PackagesQuarrel(
        f"{spec.at(failed.package)}there is no package «{name}» in {_channels(spec)}.{hint}",
        fix=f"Correct the name{_file(spec)}, or add the channel that has it. "
        f"What only PyPI has goes below «pip:».",
    )


def _version(failed: Failed, spec: EnvSpec) -> SetupError:
    name, many = _name(failed.package), len(failed.near)
    if not many:
        return PackagesQuarrel(
            f"{spec.at(failed.package)}«{failed.package}» is not in {_channels(spec)}.",
            fix=f"Ask for another version, or for none{_file(spec)}: {name}",
        )
    there = ", ".join(failed.near[:_MANY]) + (f" and {many - _MANY} older" if many > _MANY else "")
    problem = f"{spec.at(failed.package)}«{failed.package}» does not exist. There is {name} {there}."
    if failed.url:
        later = shown(failed.url).rstrip("/")
        return PackagesQuarrel(
            f"{problem} {later} has what you ask for, but the first channel that knows {name} counts.",
            fix=f"Put {later} first among the channels{_file(spec)}.",
        )
    return PackagesQuarrel(
        problem, fix=f"Ask for one that exists{_file(spec)}, for example: {name}={failed.near[0]}"
    )


def _machine(failed: Failed, spec: EnvSpec) -> SetupError:
    needed = failed.package
    if needed.startswith("__cuda"):
        version = re.sub(r"[^\d.]", "", needed.partition(" ")[2].split(",")[0]) or "12"
        return PackagesQuarrel(
            f"The packages need a GPU ({needed}), and this machine shows none.\n{failed.message}".rstrip(),
            fix=f"If the jobs run where there is one, say so, then run again: "
            f"export CONDA_OVERRIDE_CUDA={version}",
        )
    return PackagesQuarrel(
        f"The packages need something that this machine has not: {needed}.\n{failed.message}".rstrip(),
        fix="Make the lock on this machine: hpc-jupyter-setup env lock FILE.yml"
        if spec.lock
        else f"Ask for older versions of these packages{_file(spec)}.",
    )


def _conflict(failed: Failed, spec: EnvSpec) -> SetupError:
    listed = "".join(f"\n  {spec.at(d)}{d}" for d in failed.quarrel)
    if len(failed.quarrel) == 1:
        what = f"What this needs cannot be had from {_channels(spec)}:{listed}"
    else:
        what = f"These packages cannot be had together:{listed}"
    lines = failed.message.splitlines()
    reasons = (
        lines if len(lines) <= _LONGEST else [*lines[:_LONGEST], f"… and {len(lines) - _LONGEST:,} more"]
    )
    fix = _change(failed, spec) if failed.kind == "conflict" else _loosen(spec)
    return PackagesQuarrel("\n".join([what, *reasons]), fix=fix)


def _loosen(spec: EnvSpec) -> str:
    return (
        f"Loosen or leave out one of these{_file(spec)}. Without --engine, one that is enough is looked for."
    )


def _change(failed: Failed, spec: EnvSpec) -> str:
    """The one change that makes it possible, where there is one."""
    if not failed.package:
        return f"Change or leave out one of these{_file(spec)}, then run again: no single change is enough."
    if failed.near:
        return f"Write {failed.near[0]} in the place of {failed.package}{_file(spec)}: all can be had then."
    more = " Or add the channel that has what it needs." if len(failed.quarrel) == 1 else ""
    return f"Leave out {failed.package}{_file(spec)}: the rest can be had together.{more}"


def _channel(failed: Failed, spec: EnvSpec) -> SetupError:
    if failed.package:
        return NetworkTrouble(
            f"{_what(failed, spec)} is not there, although the channel lists it.",
            fix=f"The channel, or the mirror, is just being changed, or out of date. {_AGAIN}",
        )
    return NetworkTrouble(
        f"There is no conda channel at {_what(failed, spec)}: {failed.message}",
        fix=f"Check the names of the channels{_file(spec)}, and --mirror.",
    )


def _forbidden(failed: Failed, spec: EnvSpec) -> SetupError:
    return NetworkTrouble(
        f"{_what(failed, spec)} is not for everybody: {failed.message}",
        fix="Give the name and password that it or the proxy wants, or use another channel or --mirror URL.",
    )


def _unreachable(failed: Failed, spec: EnvSpec) -> SetupError:
    return NetworkTrouble(
        f"{_what(failed, spec)} could not be reached: {failed.message}",
        fix="Check the network and the proxy (https_proxy), or use a mirror: --mirror URL. Then run again.",
    )


def _server(failed: Failed, spec: EnvSpec) -> SetupError:
    return NetworkTrouble(f"{_what(failed, spec)} answered with an error: {failed.message}", fix=_AGAIN)


def _garbled(failed: Failed, spec: EnvSpec) -> SetupError:
    return NetworkTrouble(
        f"{_what(failed, spec)} is not what a conda channel has: {failed.message}. "
        "Perhaps it was a login page of the network.",
        fix="Open any page in a browser on this network and log in; or use another network, or --mirror URL.",
    )


def _broken(failed: Failed, spec: EnvSpec) -> SetupError:
    what = _what(failed, spec)
    return NetworkTrouble(f"{what} ended before it was complete: {failed.message}", fix=_AGAIN)


def _offline(failed: Failed, spec: EnvSpec) -> SetupError:
    if not failed.near:
        return NetworkTrouble(
            f"What {_channels(spec)} has is not known on this account, and --offline allows no question.",
            fix="Run once without --offline; or create from a lock, which needs no index.",
        )
    many = len(failed.near) - _MANY
    names = ", ".join(sorted(failed.near)[:_MANY]) + (f" and {many} more" if many > 0 else "")
    return NetworkTrouble(
        f"Not in the package cache, and --offline allows no download: {names}.",
        fix="Run once without --offline where there is a network.",
    )


def _lock(failed: Failed, spec: EnvSpec) -> SetupError:
    return BadInput(
        f"{spec.file} cannot be read by this version of the program: {failed.message}",
        fix="Make the lock anew: hpc-jupyter-setup env lock FILE.yml",
    )


def _changed(failed: Failed, spec: EnvSpec) -> SetupError:
    return NetworkTrouble(
        f"The channel has changed since the plan was shown: {_what(failed, spec)} is no longer there.",
        fix="Run again: the new plan is shown first.",
    )


def _hash(failed: Failed, spec: EnvSpec) -> SetupError:
    what = _what(failed, spec)
    return NetworkTrouble(
        f"{what} is not the file that the channel promises, and was not used: {failed.message}",
        fix="Run again; if it stays so, the server or something on the way changes it: use another mirror.",
    )


def _disk(failed: Failed, spec: EnvSpec) -> SetupError:
    return MachineBlocks(
        f"A file could not be written: {failed.message}",
        fix="See what is free (df -h; df -i; quota -s), make room or choose another place, then run again.",
    )


def _terms(failed: Failed, spec: EnvSpec) -> SetupError:
    theirs = [c for c in spec.channels if is_anacondas(c)] or ["https://repo.anaconda.com/pkgs/main"]
    accept = " ".join(f"--channel {c}" for c in theirs)
    return BadInput(
        f"{failed.package} wants your agreement to the terms of {' and '.join(map(shown, theirs))}, "
        f"and nobody gives it in your place: {TERMS}",
        fix="Write «conda-forge» in the place of these channels: it asks for no agreement. Or, when you have "
        f"read the terms and agree: conda tos accept --override-channels {accept}",
    )


def _program(failed: Failed, spec: EnvSpec) -> SetupError:
    return CommandFailed(
        f"{failed.package} could not do it: {failed.message or 'it said nothing'}",
        fix="Mend what it names, then run again; or leave out --engine.",
    )


def _bug(failed: Failed, spec: EnvSpec) -> SetupError:
    return CommandFailed(
        f"The engine that installs packages failed: {failed.message}",
        fix="Run again; if it stays so, report it with this message.",
    )


_ERRORS: dict[str, Callable[[Failed, EnvSpec], SetupError]] = {
    "spec": _unreadable,
    "missing": _missing,
    "version": _version,
    "machine": _machine,
    "conflict": _conflict,
    "clash": _conflict,
    "channel": _channel,
    "forbidden": _forbidden,
    "unreachable": _unreachable,
    "server": _server,
    "garbled": _garbled,
    "broken": _broken,
    "offline": _offline,
    "changed": _changed,
    "lock": _lock,
    "hash": _hash,
    "disk": _disk,
    "terms": _terms,
    "program": _program,
    "bug": _bug,
}
