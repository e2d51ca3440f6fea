"""Locks: the solution of an environment.yml for one or more platforms, kept in a file beside it.

What an environment of a lock holds is known beforehand: nothing is solved, no index is asked for. The file is
a lock of rattler's; in front of it stands, as a comment, what was asked for.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from setup_wizard.conda.channels import read_channels
from setup_wizard.conda.child import ask
from setup_wizard.conda.spec import EnvSpec, digest, read_spec
from setup_wizard.conda.talk import Request
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.world import Report, World, scratch, silent

MARK = "# hpc-jupyter-setup lock: "
PLATFORMS = ("linux-64", "linux-aarch64", "linux-ppc64le")


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a lock was solved from: the request, whole, and the name of its file, which lay beside.

    `sha256` is that of all that follows in the lock, `secret` are variables whose values stay out of it.
    """

    file: str
    sha256: str
    platforms: tuple[str, ...]
    name: str
    channels: tuple[str, ...]
    dependencies: tuple[str, ...]
    pip: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    logins: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


def here(world: World) -> str:
    """The platform of this machine, as conda calls it."""
    machine = world.system[1]
    return {"x86_64": "linux-64", "amd64": "linux-64", "arm64": "linux-aarch64"}.get(
        machine, f"linux-{machine}"
    )


def check_platforms(names: list[str]) -> tuple[str, ...]:
    """Platforms for which a lock can be made. Raises BadInput."""
    for name in names:
        if name not in PLATFORMS:
            raise BadInput(
                f"There is no platform «{name}» here.{did_you_mean(name, PLATFORMS)}",
                fix=f"Give --platform {','.join(PLATFORMS[:2])}",
            )
    return tuple(dict.fromkeys(names))


def make(
    world: World, spec: EnvSpec, platforms: tuple[str, ...], report: Report = silent, mirror: str = ""
) -> str:
    """The text of a lock; asks the channels. What a mirror has said is written as its channel's own.

    Raises PackagesQuarrel, BadInput, NetworkTrouble.
    """
    with scratch.folder(world) as tmp:
        request = Request(
            (mirror,) if mirror else spec.urls,
            spec.dependencies,
            repodata=str(world.cache / "repodata") if world.offline else str(tmp),
            packages=str(world.cache / "pkgs"),
            to_lock=platforms,
            offline=world.offline,
        )
        text = ask(world, request, spec, report).lock
    return with_header(text.replace(f"{mirror}/", f"{spec.urls[0]}/") if mirror else text, spec, platforms)


def of_installed(world: World, prefix: Path, spec: EnvSpec) -> str:
    """A lock of what an environment holds; asks nobody."""
    with scratch.folder(world) as tmp:
        request = Request(
            spec.urls, (), repodata=str(tmp), packages=str(tmp), target=str(prefix), to_lock=(here(world),)
        )
        return with_header(ask(world, request, spec, silent).lock, spec, (here(world),))


def with_header(text: str, spec: EnvSpec, platforms: tuple[str, ...]) -> str:
    """A lock of rattler's with what was asked for in front of it."""
    header = Header(
        file=Path(spec.file).name,
        sha256=_sha256(text),
        platforms=platforms,
        name=spec.name,
        channels=spec.urls,
        dependencies=spec.dependencies,
        pip=spec.pip,
        variables=spec.variables,
        logins=spec.logins,
        secret=tuple(spec.secret),
    )
    return f"{MARK}{msgspec.json.encode(header).decode()}\n{text}"


def is_lock(text: str) -> bool:
    """Whether a text is a lock of ours."""
    return text.startswith(MARK)


def spec_of(text: str, origin: str, anaconda: bool = False, frozen: bool = False) -> EnvSpec:
    """What the environment of a lock is to hold.

    Raises BadInput where the lock is damaged, or its YAML, which lies beside it, asks for something else now;
    that does not count where the lock is wanted `frozen`.
    """
    header = _header(text, origin)
    spec = EnvSpec(
        name=header.name,
        channels=read_channels(((c, f"{origin}:1:1") for c in header.channels), None, anaconda),
        dependencies=header.dependencies,
        pip=header.pip,
        variables=header.variables,
        logins=header.logins,
        secret=dict.fromkeys(header.secret, ""),
    )
    if header.file and not frozen:
        _must_match(spec, Path(origin).with_name(header.file), origin)
    return msgspec.structs.replace(spec, origin=origin, lock=_sha256(text))


def text_for(world: World, spec: EnvSpec, text: str) -> str:
    """The lock of a spec for the engine. Raises BadInput where it is for other platforms, or was changed."""
    header = _header(text, spec.origin)
    if _sha256(text) != spec.lock:
        raise BadInput(
            f"{spec.origin} was changed since the plan was shown.",
            fix="Run again: the new plan is shown first.",
        )
    if here(world) not in header.platforms:
        every = ",".join((*header.platforms, here(world)))
        raise BadInput(
            f"{spec.origin} is for {' and '.join(header.platforms)}; this machine is {here(world)}.",
            fix=f"hpc-jupyter-setup env lock {header.file} --platform {every}",
        )
    mirrored = header.channels if header.channels != spec.urls else ()
    for channel in mirrored:  # a mirror has the same packages at another address
        text = text.replace(f"{channel}/", f"{spec.urls[0]}/")
    return text


def _header(text: str, origin: str) -> Header:
    first, _, rest = text.partition("\n")
    try:
        header = msgspec.json.decode(first.removeprefix(MARK), type=Header)
    except msgspec.MsgspecError as e:
        raise BadInput(
            f"{origin}:1:1: this line does not say what the lock is for: {e}.", fix=_anew("FILE.yml")
        ) from None
    if header.sha256 != _sha256(rest):
        raise BadInput(
            f"{origin} is damaged: it ends early, or somebody has edited it.", fix=_anew(header.file)
        )
    return header


def _anew(file: str) -> str:
    return f"Make the lock anew: hpc-jupyter-setup env lock {file or 'FILE.yml'}"


def _sha256(text: str) -> str:
    """The same on every way that a text file takes: git may have ended its lines otherwise."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def _must_match(spec: EnvSpec, file: Path, origin: str) -> None:
    """Raise BadInput where the YAML beside the lock asks for something else than it did."""
    if not file.is_file():
        return
    now = read_spec(file, anaconda=True)
    if digest(msgspec.structs.replace(now, secret=dict.fromkeys(now.secret, ""))) == digest(spec):
        return
    was, asks = set(spec.dependencies), set(now.dependencies)
    news = [*(f"+ {d}" for d in sorted(asks - was)), *(f"- {d}" for d in sorted(was - asks))]
    what = ", ".join(news) or "its channels, pip or variables"
    raise BadInput(
        f"{origin} does not match {file.name} any more: {what}.",
        fix=f"Solve it anew: hpc-jupyter-setup env lock {file}\n"
        f"Or take it as it is: hpc-jupyter-setup env create {origin} --frozen",
    )
