"""What is known of a system, which one this is, and what its scheduler offers, as pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.ui.figures import tilde
from setup_wizard.ui.pages import GOOD, WARN
from setup_wizard.ui.plan_page import remedy
from setup_wizard.ui.sheet import GAP, Page, Words, grid, line, title, whole
from setup_wizard.walltime import written

if TYPE_CHECKING:
    from setup_wizard.discovery import Account, Limits, Offer, Partition, Reservation
    from setup_wizard.errors import SetupError
    from setup_wizard.sites import Found, Known, Site

WAYS = {"rps": "Reverse Proxy Service", "tunnel": "SSH tunnel", "direct": "direct, readable on the way"}
SCHEDULERS = {
    "slurm": "Slurm",
    "torque": "Torque",
    "pbs": "PBS",
    "kubernetes": "Kubernetes, no batch system",
    "local": "none: Jupyter runs on the machine itself",
}


def listed(known: Known, home: Path) -> Page:
    """A line for each system, and below the files that are wrong."""
    rows: list[Sequence[Words]] = [
        (
            (site.name, "strong"),
            site.title,
            SCHEDULERS[site.scheduler].split(",")[0].split(":")[0],
            _state(site),
        )
        for _, site in sorted(known.sites.items())
    ]
    return [*grid(rows), *_broken(known.broken, home)]


def _state(site: Site) -> Words:
    if site.status == "active":
        return ""
    since = f" {site.retired}" if site.retired else ""
    after = f", now {site.successor}" if site.successor else ""
    return (f"{site.status}{since}{after}" if site.status == "retired" else "not known to be in use", "warn")


def _broken(broken: Iterable[SetupError], home: Path) -> Page:
    page: Page = []
    for e in broken:
        page += [GAP, line(tilde(e.problem, home), mark=WARN), *remedy(e.fix, indent=2)]
    return page


def one(site: Site) -> Page:
    """All that is known of a system; what is not known is not mentioned."""
    page: Page = [title(site.title)]
    page += [line(_state(site), mark=WARN)] if site.status != "active" else []
    page += [GAP, *grid([((name, "dim"), text) for name, text in _facts(site) if text])]
    if site.partitions:
        page += [GAP, title("Partitions"), *grid(_partitions(site), indent=2)]
    if site.instead:
        page += [GAP, line(("This program cannot launch there. ", "warn"), site.instead)]
    return [*page, *([GAP, line(site.note)] if site.note else [])]


def _facts(site: Site) -> list[tuple[str, str]]:
    account = {"required": "must be named", "optional": "need not be named", "unknown": ""}[site.account]
    ssh = {"yes": "allowed where a job of yours runs", "no": "not allowed", "unknown": ""}[
        site.ssh_to_compute
    ]
    return [
        ("Name", site.name),
        ("Scheduler", SCHEDULERS[site.scheduler]),
        ("Log in", " ".join(site.login)),
        ("Login nodes", site.login_policy),
        ("Account", "; ".join(text for text in (account, site.account_hint) if text)),
        ("Ways in", ", ".join(WAYS[way] + (f" ({site.rps})" if way == "rps" else "") for way in site.access)),
        ("ssh to compute nodes", ssh),
        ("QOS", " ".join(site.qos) or ("the name of the partition" if site.qos_like_partition else "")),
        ("Constraint", f"one of {', '.join(site.constraint)}" if site.constraint else ""),
        ("Nodes", "whole ones, for one job alone" if site.exclusive else ""),
        ("Large files", "  ".join(site.scratch)),
        ("Files are deleted", "; ".join(f"in {folder} {rule}" for folder, rule in site.purge.items())),
        ("Asked for quotas", "; ".join(site.quota)),
        ("Modules", " ".join(site.modules)),
        ("Guide", site.guide),
        ("These values are", "" if site.confidence == "unknown" else f"of {site.confidence} confidence"),
    ]


def _partitions(site: Site) -> list[Sequence[Words]]:
    rows: list[Sequence[Words]] = []
    for p in site.partitions:
        said = [
            *(["proposed"] if p.default else []),
            *(["GPU"] if p.gpu else []),
            *(["for short tries"] if p.debug else []),
            *([f"{p.nodes} nodes" if p.nodes > 1 else "1 node"] if p.nodes else []),
            *([f"{p.gpus} GPUs"] if p.gpus else []),
            *([p.note] if p.note else []),
        ]
        rows.append(((p.name, "strong"), p.limit, ", ".join(said)))
    return rows


def detected(found: Found, login: bool, known: Known, home: Path) -> Page:
    """Which system this is, how that is known, and what it means."""
    site = found.site
    how = f"by {found.marker}" if found.marker else "as no known system's markers are here"
    page: Page = [line((site.title, "strong"), f" ({site.name}), {how}.", mark=GOOD)]
    if found.others:
        others = " or ".join(found.others)
        page.append(line(f"It could be {others} as well; say which: --site NAME", mark=WARN))
    page += [line(_state(site), mark=WARN)] if site.status != "active" else []
    page += [line("This is a login node: Jupyter belongs on a compute node.")] if login else []
    page += [line(("This program cannot launch here. ", "warn"), site.instead)] if site.instead else []
    page += [line("More: ", (f"hpc-jupyter-setup sites show {site.name}", "command"))]
    return [*page, *_broken(known.broken, home)]


def offered(offer: Offer) -> Page:
    """What the user has, as far as the scheduler tells: accounts, partitions, reservations."""
    page: Page = []
    if offer.accounts:
        page += [GAP, title("Your accounts"), *grid([_charged(a) for a in offer.accounts], indent=2)]
    limited = [q for q in offer.qos or () if q.name in offer.qos_names and _most(q.limits)]
    if limited:
        rows: list[Sequence[Words]] = [((q.name, "strong"), _most(q.limits)) for q in limited]
        page += [GAP, title("QOS with limits of their own"), *grid(rows, indent=2)]
    if offer.partitions:
        page += [GAP, title("Partitions"), *grid([_offered(p) for p in offer.partitions], indent=2)]
    if offer.reservations:
        page += [GAP, title("Reservations"), *grid([_reserved(r) for r in offer.reservations], indent=2)]
    return page


def _charged(a: Account) -> Sequence[Words]:
    where = f"in {a.partition}" if a.partition else ""
    qos = ", ".join(f"{q} (the default)" if q == a.default_qos and len(a.qos) > 1 else q for q in a.qos)
    return ((a.name, "strong"), where, f"QOS {qos}" if qos else "", _most(a.limits))


def _most(limits: Limits) -> str:
    """What one job may have at most."""
    told = [
        *([written(limits.time)] if limits.time else []),
        *(f"{n} {unit}" for n, unit in ((limits.nodes, "nodes"), (limits.cores, "cores")) if n is not None),
        *([f"{limits.gpus} GPUs"] if limits.gpus is not None else []),
    ]
    return f"a job: at most {', '.join(told)}" if told else ""


def _offered(p: Partition) -> Sequence[Words]:
    limit = "" if p.limit is None else written(p.limit) if p.limit else "no limit"
    nodes = "" if p.nodes is None else f"{p.idle} of {p.nodes} nodes idle"
    node = [
        *([f"{p.cores} cores"] if p.cores else []),
        *([f"{p.memory / 1024:.0f} GB"] if p.memory else []),
        *([f"{p.gpus} GPUs {' '.join(p.gpu_types)}".rstrip()] if p.gpus else []),
        *(["the default"] if p.default else []),
        *([] if p.open else [f"takes no jobs: {p.state}"]),
    ]
    return ((p.name, "strong"), limit, nodes, ", ".join(node))


def _reserved(r: Reservation) -> Sequence[Words]:
    return ((r.name, "strong"), f"{r.start} to {r.end}", " ".join((*r.users, *r.accounts)))


def right(file: Path, site: Site) -> Page:
    """A site file in which nothing is wrong, and how to make it count."""
    return [
        line(f"{file} is right: {site.title}.", mark=GOOD),
        line("To use it on this account:"),
        whole(f"install -D -m 644 {file} ~/.config/hpc-jupyter-setup/sites/{site.name}.yml", indent=2),
    ]
