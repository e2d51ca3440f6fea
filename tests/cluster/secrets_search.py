"""Search the whole cluster for something that must not be seen there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.nodes import Node

# The service's own knowledge, and what everybody may know of it: the names that resolve. The proxy's access
# log has the host names that browsers asked for: it is the proxy's own, on its own machine.
NOT_OURS = ("rps", "etc/hosts", "log/apache-access.log")


def where(cluster: Cluster, *secrets: str, hidden: bool = False) -> list[str]:
    """Where others than their owner can read a secret: arguments, files, what Slurm tells and keeps.

    hidden: also where only its owner can, the environment of processes and files of mode 0600.
    """
    needles = [secret.encode() for secret in secrets]
    found = [*in_processes(cluster, needles, hidden), *in_files(cluster, needles, hidden)]
    return sorted([*found, *in_answers(cluster, secrets)])


def in_processes(cluster: Cluster, needles: list[bytes], hidden: bool) -> Iterator[str]:
    """Arguments (everybody reads them), and the environment."""
    for name, node in up(cluster).items():
        for pid in node.processes():
            for part in ("cmdline", *(["environ"] if hidden else [])):
                said = content(Path(f"/proc/{pid}/{part}"))
                if any(needle in said for needle in needles):
                    yield f"{name}: {part} of {content(Path(f'/proc/{pid}/comm')).decode().strip()}"


def in_files(cluster: Cluster, needles: list[bytes], hidden: bool) -> Iterator[str]:
    """Shared folders, Slurm's own among them, and what each node has for itself."""
    own = ("tmp", "var/tmp", "dev/shm", "run")
    nodes = {name: Path(f"/proc/{node.first}/root") for name, node in up(cluster).items()}
    roots = {"": cluster.base, **{f"{n}: /{f}/": root / f for n, root in nodes.items() for f in own}}
    # what is seen already, and what no node can write
    known = [str(path).lstrip("/") for path in (cluster.base, *cluster.keep)]
    others = {root / path for root in nodes.values() for path in known}
    for label, root in roots.items():
        for folder, inner, names in os.walk(root):
            inner[:] = [i for i in inner if Path(folder, i) not in others]
            for path in (Path(folder, name) for name in names):
                place = str(path.relative_to(root))
                if (label == "" and place.startswith(NOT_OURS)) or not path.is_file() or path.is_symlink():
                    continue
                if hidden or readable(path, root):
                    said = content(path)
                    if any(needle in said for needle in needles):
                        yield f"{label}{place}"


def up(cluster: Cluster) -> dict[str, Node]:
    """The nodes that have not crashed."""
    return {name: node for name, node in cluster.nodes.items() if node.process}


def readable(path: Path, root: Path) -> bool:
    """Whether others may read a file: its mode, and that of every folder around it."""
    folders = [p for p in path.parents if p == root or root in p.parents]
    return bool(path.stat().st_mode & 0o004) and all(p.stat().st_mode & 0o001 for p in folders)


def in_answers(cluster: Cluster, secrets: Sequence[str]) -> Iterator[str]:
    """What the scheduler tells everybody of its jobs."""
    for asked in ("squeue -h -t all -o %all", "scontrol show job -d", "qstat -f"):
        said = cluster.login.run(asked.split(), user="root").stdout
        if any(secret in said for secret in secrets):
            yield asked


def content(path: Path) -> bytes:
    """A file's bytes; none when it has gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
