"""What a user has, asked of a real Slurm."""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.cluster.cluster import Cluster


def detect(cluster: Cluster) -> dict[str, Any]:
    """What `sites detect` says on the login node."""
    argv = [sys.executable, "-m", "setup_wizard", "sites", "detect", "--json"]
    done = cluster.login.run(argv)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_partitions_and_reservations_of_a_real_slurm(cluster: Cluster) -> None:
    """Partitions with limits and GPUs, and reservations; without accounting no accounts are known."""
    found = detect(cluster)
    assert (found["site"]["name"], found["login_node"]) == ("generic-slurm", True)
    partitions = {p["name"]: p for p in found["offer"]["partitions"]}
    assert {n: (p["limit"], p["default"], p["gpus"]) for n, p in partitions.items()} == {
        "compute": (172800, True, 2),
        "debug": (1800, False, 0),
        "gpu": (86400, False, 2),
    }
    assert {r["name"] for r in found["offer"]["reservations"]} == {"exam", "course"}
    assert found["offer"]["accounts"] is None


def test_a_site_file_is_recognised_by_the_name_of_the_cluster(cluster: Cluster) -> None:
    """A file of alice's own with Slurm's ClusterName makes the system a known one."""
    folder = cluster.home / ".config/hpc-jupyter-setup/sites"
    folder.mkdir(parents=True)
    text = "name: lab\ntitle: The lab\nscheduler: slurm\nmarkers: {cluster: lab}\nlogin_hosts: [login]\n"
    (folder / "lab.yml").write_text(text)
    found = detect(cluster)
    assert (found["site"]["name"], found["marker"]) == ("lab", "Slurm's ClusterName lab")
    assert found["login_node"]


def test_a_controller_that_is_down_does_not_stop_anybody(cluster: Cluster) -> None:
    """Nothing is known then, and that is said in time."""
    cluster.login.kill_all("slurmctld", 9)
    assert set(detect(cluster)["offer"].values()) == {None}
