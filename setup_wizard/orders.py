"""What a user asks of a launch becomes a job: the wish, then the site's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import discovery, sites
from setup_wizard.access import Way
from setup_wizard.environments import packs
from setup_wizard.errors import BadInput
from setup_wizard.jupyter.start import PAGES
from setup_wizard.schedulers import STEPS, Resources, allocation, find
from setup_wizard.schedulers.torque import is_pbs_pro
from setup_wizard.session import Job
from setup_wizard.sites import Found, Site
from setup_wizard.wish import Wish
from setup_wizard.world import World

NO_SLURM = "establish_config_source"  # its programs are installed, and no cluster is behind them
Ask = Callable[[Resources, Site], Resources]  # what is still open, of somebody who knows
ASKING = 10.0  # seconds; a scheduler that is there answers at once, or says that its controller is down


class Order(msgspec.Struct, frozen=True):
    """The job, what its site says of ways in, and the site."""

    job: Job
    way: Way
    site: Site


def order(world: World, wish: Wish, site: Site | None = None, ask: Ask | None = None) -> Order:
    """The whole job. BadInput for what cannot be had, MachineBlocks where Jupyter may not run."""
    interface = wish.interface or "lab"
    if interface not in PAGES:
        raise BadInput(f"There is no interface «{interface}».", fix=f"--interface {' | '.join(PAGES)}")
    site = site or site_of(world, wish)
    scheduler = _scheduler(world, wish, site)
    resources = wish.resources
    if scheduler == "local":
        _may_run_here(world, wish, site)
    else:
        resources = discovery.checked(ask(resources, site) if ask else resources, site, world)
    job = Job(
        prefix=wish.prefix or Path(),
        folder=wish.folder or world.home,
        interface=interface,  # type: ignore[arg-type]
        idle_minutes=60 if wish.idle_minutes is None else wish.idle_minutes,
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
        within=allocation(world.env) if scheduler == "local" else None,
    )
    if job.held:
        find(scheduler).hold(resources, world.home)  # BadInput for what it cannot be asked
    return Order(job, way_of(site, job, readable=wish.readable), site)


def way_of(site: Site, job: Job, *, readable: bool = False) -> Way:
    """What a site says of its ways in to such a job."""
    of_another = job.interactive and job.scheduler == "local"  # in an allocation that is no work of ours
    steps = job.scheduler in STEPS and not of_another
    nodes: Any = "address" if readable else "relay" if steps and site.ssh_to_compute == "no" else "ssh"
    return Way(site.rps, site.rps_ca, site.login, nodes, steps=steps, readable=readable)


def site_of(world: World, wish: Wish) -> Site:
    """The system: the one that was named, else the one that this is. Raises BadInput."""
    return found(world, wish).site


def found(world: World, wish: Wish) -> Found:
    """The same, with others that it could be as well."""
    if wish.site:
        return Found(sites.find(wish.site, world))
    known = sites.known(world)
    here = sites.detect(world, known)
    if here.marker or here.cluster or here.site.scheduler != "slurm" or wish.scheduler == "slurm":
        return here
    answer = world.run(["sinfo", "-h"], timeout=ASKING)
    return Found(known.sites["workstation"]) if NO_SLURM in answer.err else here


def _scheduler(world: World, wish: Wish, site: Site) -> str:
    if wish.here or (wish.interactive and _allocated(world)):
        return "local"
    scheduler = wish.scheduler or _dialect(world, site)
    if wish.interactive and scheduler == "local":
        raise BadInput(
            "There is no scheduler here that --interactive could take an allocation from.",
            fix="Leave it out: Jupyter runs on this machine then.",
        )
    if wish.interactive and wish.resources.nodes > 1:
        raise BadInput("An interactive session has one node.", fix="Leave out --nodes, or --interactive.")
    return scheduler


def _dialect(world: World, site: Site) -> str:
    """The site's scheduler; where all that is known of it is that it has qsub, qstat tells which one."""
    if (site.name, site.scheduler) != ("generic-pbs", "pbs"):
        return site.scheduler
    return "pbs" if is_pbs_pro(world.run(["qstat", "--version"], timeout=ASKING)) else "torque"


def _pack(world: World, wish: Wish, site: Site, scheduler: str) -> Path | None:
    """The file to unpack: the one that was named, or ours of the environment, where that is wanted."""
    if wish.pack:
        return wish.pack
    by_itself = site.packed and scheduler != "local" and not wish.container
    wanted = by_itself if wish.packed is None else wish.packed
    if wanted and wish.container:
        raise BadInput("An image is one file already.", fix="Leave out --packed.")
    return packs.kept_at(world, wish.prefix or Path()) if wanted else None


def _allocated(world: World) -> bool:
    """Whether we are on a node of an allocation; BadInput for who holds one and is not there."""
    if "SLURM_JOB_ID" in world.env and "SLURMD_NODENAME" not in world.env:
        raise BadInput(
            f"You have the allocation {world.env['SLURM_JOB_ID']}, and are not on a node of it.",
            fix="Go there, and launch again: srun --pty bash",
        )
    return allocation(world.env) is not None


def _may_run_here(world: World, wish: Wish, site: Site) -> None:
    if not wish.here:
        discovery.refuse_login_node(world, site)
    if wish.access == "direct":
        raise BadInput(
            f"Plain HTTP is for jobs alone: {world.hostname}, where you are, is not opened to the network.",
            fix="Use --access tunnel; or launch a job, without --here and from outside an allocation.",
        )


def _access(site: Site, scheduler: str, wish: Wish) -> str:
    if scheduler == "local" and not wish.interactive:
        return "local"
    return best_way(site)


def best_way(site: Site) -> str:
    """The way in that a site has and names first, never plain HTTP; else the tunnel."""
    return next((way for way in site.access if way == "tunnel" or (way == "rps" and site.rps)), "tunnel")
