"""What a user asks of a launch becomes a job: flags, then what was used last here, then the site's own."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import discovery, files, sites
from setup_wizard.access import Way
from setup_wizard.container import Container
from setup_wizard.environments import packs
from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.jupyter.start import PAGES
from setup_wizard.schedulers import STEPS, Resources, find
from setup_wizard.session import Job
from setup_wizard.sites import Site
from setup_wizard.world import World

ALLOCATIONS = ("SLURM_JOB_ID", "PBS_JOBID")
NO_SLURM = "establish_config_source"  # its programs are installed, and no cluster is behind them
ASKING = 10.0  # seconds; a configured Slurm answers at once, or says that its controller is down


class Wish(msgspec.Struct, frozen=True):
    """What was asked for; "" and None leave it open.

    `here` is the user's word that Jupyter may run on this very machine, `interactive` that it is to end
    with this terminal, in the allocation that we are in or in one of its own, `readable` that others may read
    along (plain HTTP), `packed` that the environment is to be unpacked on the node, from the file `pack` if
    one is named.
    """

    prefix: Path
    folder: Path
    interface: str = "lab"
    idle_minutes: float = 60
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


class Order(msgspec.Struct, frozen=True):
    """The job, what its site says of ways in, and the site."""

    job: Job
    way: Way
    site: Site


def order(world: World, wish: Wish) -> Order:
    """The whole job. BadInput for what cannot be had, MachineBlocks where Jupyter may not run."""
    if wish.interface not in PAGES:
        raise BadInput(f"There is no interface «{wish.interface}».", fix=f"--interface {' | '.join(PAGES)}")
    site = _site(world, wish)
    scheduler = _scheduler(world, wish, site)
    resources = wish.resources
    if scheduler == "local":
        _may_run_here(world, wish, site)
    else:
        resources = discovery.checked(_as_last_time(world, site, resources), site, world)
    job = Job(
        prefix=wish.prefix,
        folder=wish.folder,
        interface=wish.interface,  # type: ignore[arg-type]
        idle_minutes=wish.idle_minutes,
        site=site.name,
        scheduler=scheduler,
        access=wish.access or _access(site, scheduler, wish),
        resources=resources,
        modules=wish.modules,
        modulepaths=wish.modulepaths,
        container=wish.container,
        scratch=wish.scratch,
        packed=_pack(world, wish, site, scheduler),
        local=tuple(filter(None, [wish.scratch, *site.scratch])),
        interactive=wish.interactive,
    )
    if job.held:
        find(scheduler).hold(resources, world.home)  # BadInput for what it cannot be asked
    return Order(job, way_of(site, job, readable=wish.readable), site)


def way_of(site: Site, job: Job, *, readable: bool = False) -> Way:
    """What a site says of its ways in to such a job."""
    steps = job.scheduler in STEPS
    nodes: Any = "address" if readable else "relay" if steps and site.ssh_to_compute == "no" else "ssh"
    return Way(domain=site.rps, ca=site.rps_ca, nodes=nodes, steps=steps, readable=readable)


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


def _site(world: World, wish: Wish) -> Site:
    if wish.site:
        return sites.find(wish.site, world)
    known = sites.known(world)
    found = sites.detect(world, known)
    if found.marker or found.cluster or found.site.scheduler != "slurm" or wish.scheduler == "slurm":
        return found.site
    answer = world.run(["sinfo", "-h"], timeout=ASKING)
    return known.sites["workstation"] if NO_SLURM in answer.err else found.site


def _scheduler(world: World, wish: Wish, site: Site) -> str:
    if wish.here or (wish.interactive and _allocated(world)):
        return "local"
    scheduler = wish.scheduler or site.scheduler
    if wish.interactive and scheduler == "local":
        raise BadInput(
            "There is no scheduler here that --interactive could take an allocation from.",
            fix="Leave it out: Jupyter runs on this machine then.",
        )
    if wish.interactive and wish.resources.nodes > 1:
        raise BadInput("An interactive session has one node.", fix="Leave out --nodes, or --interactive.")
    return scheduler


def _pack(world: World, wish: Wish, site: Site, scheduler: str) -> Path | None:
    """The file to unpack: the one that was named, or ours of the environment, where that is wanted."""
    if wish.pack:
        return wish.pack
    by_itself = site.packed and scheduler != "local" and not wish.container
    wanted = by_itself if wish.packed is None else wish.packed
    if wanted and wish.container:
        raise BadInput("An image is one file already.", fix="Leave out --packed.")
    return packs.kept_at(world, wish.prefix) if wanted else None


def _allocated(world: World) -> bool:
    """Whether we are on a node of an allocation; BadInput for who holds one and is not there."""
    if "SLURM_JOB_ID" in world.env and "SLURMD_NODENAME" not in world.env:
        raise BadInput(
            f"You have the allocation {world.env['SLURM_JOB_ID']}, and are not on a node of it.",
            fix="Go there, and launch again: srun --pty bash",
        )
    return any(name in world.env for name in ALLOCATIONS)


def _may_run_here(world: World, wish: Wish, site: Site) -> None:
    if not wish.here:
        discovery.refuse_login_node(world, site)
    elif wish.access == "direct":
        raise BadInput("Plain HTTP and --here do not go together.", fix="Choose --access tunnel.")


def _access(site: Site, scheduler: str, wish: Wish) -> str:
    if scheduler == "local" and not wish.interactive:
        return "local"
    return next((way for way in site.access if way != "rps" or site.rps), "tunnel")


def _as_last_time(world: World, site: Site, wanted: Resources) -> Resources:
    """With the account of last time on this site, and its partition and QOS when neither is given."""
    was = last(world)
    if not was or was.site != site.name or was.scheduler == "local":
        return wanted
    new = {"account": wanted.account or was.resources.account}
    if not wanted.partition and not wanted.gpus and not wanted.gres:
        new["partition"] = was.resources.partition
        new["qos"] = wanted.qos or was.resources.qos
    return msgspec.structs.replace(wanted, **new)
