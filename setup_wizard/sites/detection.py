"""Which system is this? Its markers tell: environment, directories, full host name, Slurm's ClusterName."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from setup_wizard.sites.data import Site
from setup_wizard.sites.reading import GENERIC, Known
from setup_wizard.world import World

HOSTNAME_TAKES, SCONTROL_TAKES = 2, 5  # seconds at most; scontrol waits for a controller that is down
ON_A_NODE = ("SLURMD_NODENAME", "PBS_JOBID")  # set by what starts a job, on the node where it starts it

Tell = Callable[[Site], str]  # the marker of a site that is to be seen here; "" for none


class Found(msgspec.Struct, frozen=True):
    """The site, the marker that told ("": none did), and others that the same markers fit.

    `cluster` is Slurm's own name of it, where Slurm was asked and has answered.
    """

    site: Site
    marker: str = ""
    others: tuple[str, ...] = ()
    cluster: str = ""


def detect(world: World, known: Known) -> Found:
    """The site that we are on: the only one that the first telling kind of marker fits.

    Where it fits several, the next kind decides among them, and at last the later folder. Where nothing
    fits: generic-slurm, generic-pbs or workstation, by the programs in PATH.
    """
    left = [site for name, site in known.sites.items() if name not in GENERIC]
    marker, cluster = "", list[str]()
    for tell in (_environment(world), _directories(world), _hosts(world), _cluster(world, cluster)):
        told = {site.name: why for site in left if (why := tell(site))}
        if told:
            left = [site for site in left if site.name in told]
            marker = told[left[0].name]
        if len(told) == 1:
            return Found(left[0], marker)
    if not marker:
        return Found(known.sites[_generic(world)], cluster="".join(cluster))
    return _by_folder(left, marker, known)


def _by_folder(fitting: list[Site], marker: str, known: Known) -> Found:
    """Of several that fit, the one of the latest folder, and among these the first by name."""
    best, *others = sorted(fitting, key=lambda site: (-known.ranks[site.name], site.name))
    alike = tuple(o.name for o in others if known.ranks[o.name] == known.ranks[best.name])
    return Found(best, marker, alike)


def _generic(world: World) -> str:
    if world.which("sbatch"):
        return "generic-slurm"
    return "generic-pbs" if world.which("qsub") else "workstation"


def _environment(world: World) -> Tell:
    def tell(site: Site) -> str:
        for name, value in site.markers.environment.items():
            if name in world.env and value in ("", world.env[name]):
                return f"the variable {name}={world.env[name]}"
        return ""

    return tell


def _directories(world: World) -> Tell:
    def there(path: str) -> bool:
        return (world.root / path.lstrip("/")).is_dir()

    def tell(site: Site) -> str:
        for entry in site.markers.directories:
            together = (entry,) if isinstance(entry, str) else entry
            if together and all(there(path) for path in together):
                return f"the directory {' and '.join(together)}"
        return ""

    return tell


def _hosts(world: World) -> Tell:
    asked: list[str] = []

    def tell(site: Site) -> str:
        if site.markers.hosts and not asked:
            asked.append(full_host_name(world))
        fits = any(re.fullmatch(pattern, asked[0]) for pattern in site.markers.hosts if asked[0])
        return f"the host name {asked[0]}" if fits else ""

    return tell


def full_host_name(world: World) -> str:
    """The host's name with its domain; "" when only a short one can be had: many systems have a login01."""
    name = world.hostname
    if "." not in name and world.which("hostname"):
        name = world.run(["hostname", "-f"], timeout=HOSTNAME_TAKES).out.strip()
    return name.lower() if "." in name.strip(".") else ""


def _cluster(world: World, asked: list[str]) -> Tell:
    """`asked` takes the name, once Slurm was asked for it."""

    def tell(site: Site) -> str:
        if site.markers.cluster and not asked:
            asked.append(cluster_name(world))
        fits = bool(site.markers.cluster) and site.markers.cluster == asked[0]
        return f"Slurm's ClusterName {asked[0]}" if fits else ""

    return tell


def cluster_name(world: World) -> str:
    """Slurm's name of the cluster: from a job's environment, else from the controller; "" when unknown."""
    if world.env.get("SLURM_CLUSTER_NAME"):
        return world.env["SLURM_CLUSTER_NAME"]
    if not world.which("scontrol"):
        return ""
    answer = world.run(["scontrol", "show", "config"], timeout=SCONTROL_TAKES)
    match = re.search(r"^ClusterName\s*=\s*(\S+)", answer.out, flags=re.M) if answer.code == 0 else None
    return match[1] if match else ""


def on_login_node(world: World, site: Site) -> bool:
    """Whether this host is for logging in, and not for computing, as far as anybody can tell.

    Where the site names its login hosts, their names decide: `salloc` sets a job's variables there too.
    Where it names none, a host that can submit counts as one, unless a job of ours has been started on it.
    """
    if site.scheduler in ("local", "kubernetes"):
        return False
    host = world.hostname.lower()
    if site.login_hosts:
        return site.is_login_host(host) or site.is_login_host(host.split(".")[0])
    if on_a_node(world):
        return False
    return any(world.which(submit) for submit in ("sbatch", "qsub"))


def on_a_node(world: World) -> bool:
    """Whether what runs us is a job, with whose end all that it started ends."""
    return any(world.env.get(name) for name in ON_A_NODE)
