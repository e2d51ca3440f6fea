"""What a user asks of a launch, and what of it was used last: the default next time, on the same site."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import files, walltime
from setup_wizard.container import Container
from setup_wizard.errors import MachineBlocks
from setup_wizard.schedulers import Resources
from setup_wizard.session import Job
from setup_wizard.sites import Site
from setup_wizard.world import World

# What belongs to a partition: taken over with it, and with nothing else.
SHARE = ("partition", "qos", "constraint", "gpus", "gres", "nodes", "cpus", "memory", "time_limit")
CHOOSES = ("partition", "qos", "constraint", "gpus", "gres", "reservation")  # who names one of these, chooses

USUAL = Resources()


class Wish(msgspec.Struct, frozen=True):
    """What was asked for; "" and None leave it open.

    `here` is the user's word that Jupyter may run on this very machine, `interactive` that it is to end
    with this terminal, in the allocation that we are in or in one of its own, `readable` that others may read
    along (plain HTTP), `packed` that the environment is to be unpacked on the node, from the file `pack` if
    one is named.
    """

    prefix: Path | None = None
    folder: Path | None = None
    interface: str = ""
    idle_minutes: float | None = None
    site: str = ""
    scheduler: str = ""
    access: str = ""
    resources: Resources = Resources()
    modules: tuple[str, ...] = ()
    modulepaths: tuple[str, ...] = ()
    container: Container | None = None
    scratch: str = ""
    packed: bool | None = None
    pack: Path | None = None
    here: bool = False
    interactive: bool = False
    readable: bool = False


def as_last_time(wish: Wish, was: Job | None, site: Site) -> Wish:
    """The wish, with what was used last on this site where it is left open; not the way in.

    Who names a partition, a GPU or a reservation gets no more of the old resources than the account.
    """
    if was is None or was.site != site.name:
        return wish
    jupyter = not (wish.prefix or wish.container or wish.pack)
    same = not wish.modules and not wish.modulepaths and (jupyter or was.prefix == wish.prefix)
    return msgspec.structs.replace(
        wish,
        prefix=_still_there(was) if jupyter else wish.prefix,
        container=was.container if jupyter else wish.container,
        folder=wish.folder or (was.folder if was.folder.is_dir() else None),
        interface=wish.interface or was.interface,
        idle_minutes=was.idle_minutes if wish.idle_minutes is None else wish.idle_minutes,
        modules=was.modules if same else wish.modules,
        modulepaths=was.modulepaths if same else wish.modulepaths,
        scratch=wish.scratch or was.scratch,
        resources=wish.resources if was.scheduler == "local" else _resources(wish.resources, was.resources),
    )


def as_then(wish: Wish, was: Job) -> Wish:
    """What was used last, whole, the way in and the file that is unpacked too, but for what is asked for now.

    That it may run on this machine is no part of it: who has said so then says it again.
    """
    jupyter, local = not (wish.prefix or wish.container or wish.pack), was.scheduler == "local"
    modules = wish.modules or wish.modulepaths
    asked = {
        n: v for n in Resources.__struct_fields__ if (v := getattr(wish.resources, n)) != getattr(USUAL, n)
    }
    return msgspec.structs.replace(
        wish,
        prefix=was.prefix if jupyter else wish.prefix,
        container=was.container if jupyter else wish.container,
        folder=wish.folder or was.folder,
        interface=wish.interface or was.interface,
        idle_minutes=was.idle_minutes if wish.idle_minutes is None else wish.idle_minutes,
        site=was.site,
        scheduler=wish.scheduler or ("" if local and (was.interactive or asked) else was.scheduler),
        access=wish.access or ("" if local else was.access),
        resources=msgspec.structs.replace(was.resources, **asked),
        modules=wish.modules if modules else was.modules,
        modulepaths=wish.modulepaths if modules else was.modulepaths,
        scratch=wish.scratch or was.scratch,
        pack=was.packed if jupyter and wish.packed is None else wish.pack,
        interactive=wish.interactive or was.interactive,
    )


def _still_there(was: Job) -> Path | None:
    return was.prefix if not was.container and (was.prefix / "bin/python").exists() else None


def _resources(wanted: Resources, was: Resources) -> Resources:
    chosen = any(getattr(wanted, name) for name in CHOOSES)
    names = ["account"] if chosen else ["account", *SHARE]
    if "qos" in names and wanted.account not in ("", was.account):
        names.remove("qos")  # it goes with the account
    return msgspec.structs.replace(
        wanted, **{name: getattr(wanted, name) or getattr(was, name) for name in names}
    )


def taken_over(before: Wish, after: Wish) -> list[str]:
    """The flags for what was left open before and is not any more: «--partition debug»."""
    return [*_flags(before, after), *_flags(before.resources, after.resources)]


def _flags(before: Wish | Resources, after: Wish | Resources) -> Iterator[str]:
    usual = type(after)()
    for name in after.__struct_fields__:
        value = getattr(after, name)
        if name == "resources" or value in (getattr(before, name), getattr(usual, name)):
            continue
        yield f"{FLAGS.get(name) or '--' + name.replace('_', '-')} {_shown(name, value)}"


FLAGS = {
    "prefix": "--environment",
    "folder": "--notebook-dir",
    "idle_minutes": "--idle",
    "modules": "--env-modules",
    "modulepaths": "--append-modulepath",
    "container": "--sif",
    "scratch": "--scratch-dir",
}


def _shown(name: str, value: object) -> str:
    if isinstance(value, Container):
        return value.image
    if isinstance(value, tuple):
        return (":" if name == "modulepaths" else ",").join(map(str, value))
    if name == "time_limit" and isinstance(value, int):
        return walltime.written(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def remember(world: World, job: Job) -> None:
    """Keep what was used; a home that cannot be written to is no reason not to launch."""
    with contextlib.suppress(MachineBlocks):
        files.write(_last(world), msgspec.json.encode(job, enc_hook=str), mode=0o600)


def last(world: World) -> Job | None:
    """What was used last; None when nothing was, or it cannot be read."""
    try:
        return msgspec.json.decode(
            _last(world).read_bytes(), type=Job, dec_hook=lambda kind, value: kind(value)
        )
    except (OSError, msgspec.MsgspecError):
        return None


def _last(world: World) -> Path:
    return world.state / "launch.json"
