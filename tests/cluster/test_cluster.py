"""The cluster of the tests is what the tests take it for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cluster import machine
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.machine import line_of, until
from tests.cluster.nodes import CannotStart, Node
from tests.cluster.secrets_search import where

WORD = "hush-" + "hush"  # in two parts, so that this file is not among the places where it is found


def submit(cluster: Cluster, *argv: str) -> tuple[int, str]:
    """What sbatch answers: its code and all it says."""
    done = cluster.login.run(["sbatch", *argv])
    return done.returncode, done.stdout + done.stderr


def state(node: Node, job: str) -> str:
    """What Slurm says of a job."""
    return node.run(["squeue", "-h", "-t", "all", "-j", job, "-o", "%T %r"]).stdout.strip()


def test_a_job_runs_on_a_compute_node_as_alice(cluster: Cluster) -> None:
    """A job runs on c1 under its own name, as an ordinary user, and its output is in the shared home."""
    script = "hostname; id -un; exit 1"
    done = cluster.login.run(["sbatch", "-W", "-p", "debug", "-o", "out", "--wrap", script])
    assert done.returncode == 1
    assert (cluster.home / "out").read_text().startswith("c1\nalice\n")


def test_graphics_cards_are_on_c2_only(cluster: Cluster) -> None:
    """A job of the gpu partition gets its card; where there is none it is refused."""
    code, said = submit(cluster, "-W", "-p", "gpu", "--gres=gpu:1", "-o", "out", "--wrap", "hostname; env")
    assert code == 0, said
    assert "CUDA_VISIBLE_DEVICES=0\n" in (cluster.home / "out").read_text()
    assert submit(cluster, "-p", "debug", "--gres=gpu:1", "--wrap", "true")[0] == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-A", "bogus"], "Invalid account or account/partition combination specified"),
        (["-p", "debug", "-t", "31"], "Requested time limit is invalid (missing or exceeds some limit)"),
        (["--reservation=exam"], "Access denied to requested reservation"),
        (["--reservation=none"], "Requested reservation is invalid"),
    ],
)
def test_slurm_refuses(cluster: Cluster, argv: list[str], said: str) -> None:
    """Accounts, limits and reservations are enforced with Slurm's own words."""
    assert submit(cluster, *argv, "--wrap", "true") == (
        1,
        f"sbatch: error: Batch job submission failed: {said}\n",
    )


def test_a_reservation_of_ones_own_is_waited_for(cluster: Cluster) -> None:
    """Alice may submit to her course, which has not begun."""
    job = cluster.login.sh("sbatch --parsable --reservation=course --wrap true").strip()
    until(lambda: state(cluster.login, job) == "PENDING Reservation")


def test_the_laptop_reaches_compute_nodes_through_the_login_node_only(cluster: Cluster) -> None:
    """ssh -J works, hosts are known, and there is no other way in."""
    assert cluster.laptop.sh("ssh -J login c1 hostname") == "c1\n"
    assert "unreachable" in cluster.laptop.run(["ssh", "c1", "true"]).stderr


def test_a_compute_node_can_refuse_ssh(cluster: Cluster) -> None:
    """With the switch on, alice gets no further than the login node; off, she does."""
    cluster.refuse_ssh("c1")
    refused = cluster.laptop.run(["ssh", "-J", "login", "c1", "true"])
    assert (refused.returncode, "Permission denied" in refused.stderr) == (255, True)
    assert cluster.laptop.sh("ssh -J login c2 hostname") == "c2\n"
    cluster.allow_ssh("c1")
    assert cluster.laptop.sh("ssh -J login c1 hostname") == "c1\n"


def test_nodes_have_their_own_loopback_and_temporary_files(cluster: Cluster) -> None:
    """What one node has on 127.0.0.1, /tmp and /dev/shm is nowhere else; the home is shared."""
    cluster.node("c1").sh("touch /tmp/a /dev/shm/a ~/a")
    assert cluster.node("c2").sh("ls -d /tmp/a /dev/shm/a ~/a 2>/dev/null || true") == "/home/alice/a\n"
    listen = (
        "import socket as s; x = s.create_server(('127.0.0.1', 7777)); print('on', flush=True); x.accept()"
    )
    server = cluster.node("c1").spawn([sys.executable, "-c", listen], stdout=subprocess.PIPE)
    with server:
        assert line_of(server) == "on"
        assert cluster.node("c2").run(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7777"]).returncode == 1
        assert cluster.node("c1").run(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7777"]).returncode == 0
        server.kill()


def test_the_program_runs_inside(cluster: Cluster) -> None:
    """The checkout and its Python can be used by alice on every node, and written by nobody there."""
    program = [sys.executable, "-m", "setup_wizard", "--version"]
    for node in cluster.nodes.values():
        done = node.run(program, env={"PYTHONPATH": str(CHECKOUT)})
        assert done.stdout.startswith("hpc-jupyter-setup "), done.stderr
        assert node.run(["touch", CHECKOUT / "x"], user="root").returncode == 1
        assert node.run(["touch", "/etc/x"], user="root").returncode == 1


def test_nothing_of_the_caller_can_be_seen(cluster: Cluster) -> None:
    """Of the caller's home the nodes see what they need to run Python, and of the environment nothing."""
    os.environ["SECRET_OF_THE_CALLER"] = "1"
    assert "SECRET_OF_THE_CALLER" not in cluster.login.sh("env")
    del os.environ["SECRET_OF_THE_CALLER"]
    home = Path.home()
    shown = set(cluster.login.run(["ls", "-A", home]).stdout.split())
    assert not shown & {".ssh", ".bash_history", ".gitconfig", ".netrc", ".bashrc"}


def test_signals_arrive_and_codes_come_back(cluster: Cluster) -> None:
    """A command on a node is handled like one of this machine, by pid and by code."""
    assert cluster.login.run(["bash", "-c", "exit 7"]).returncode == 7
    assert cluster.login.run(["no-such-program"]).returncode == 127
    assert cluster.login.run(["cat"], input="in").stdout == "in"
    trap = "trap 'echo told; exit 3' TERM; echo on; while :; do sleep 0.1; done"
    with cluster.login.spawn(["bash", "-c", trap], stdout=subprocess.PIPE) as shell:
        assert line_of(shell) == "on"
        shell.terminate()
        assert line_of(shell) == "told"
        assert shell.wait() == 3
    with cluster.login.spawn(["sleep", "1000"]) as sleeper:
        until(lambda: cluster.login.kill_all("sleep", 0) == 1)
        sleeper.kill()
        assert sleeper.wait() == -signal.SIGKILL
    until(lambda: cluster.login.kill_all("sleep", 0) == 0)


def test_a_node_crashes_and_comes_back(cluster: Cluster) -> None:
    """A killed node takes its jobs along, Slurm notices, and the node can be used again once it is booted."""
    job = cluster.login.sh("sbatch --parsable --no-requeue -w c2 --wrap 'sleep 1000'").strip()
    until(lambda: state(cluster.login, job) == "RUNNING None")
    cluster.kill("c2")
    until(lambda: state(cluster.login, job).startswith("NODE_FAIL"), 40)
    cluster.boot("c2")
    cluster.wait_idle()


def test_a_network_cable_can_be_pulled(cluster: Cluster) -> None:
    """Without its cable the login node cannot be reached; with it again, it can."""
    cluster.login.unplug()
    assert cluster.laptop.run(["ssh", "-o", "ConnectTimeout=1", "login", "true"]).returncode == 255
    cluster.login.plug()
    assert cluster.laptop.sh("ssh login hostname") == "login\n"


def test_the_controller_can_be_down(cluster: Cluster) -> None:
    """Without slurmctld squeue fails in Slurm's words; started again, the controller knows its jobs."""
    job = cluster.login.sh("sbatch --parsable --wrap 'sleep 1000'").strip()
    until(lambda: state(cluster.login, job) == "RUNNING None")
    assert cluster.login.kill_all("slurmctld", signal.SIGTERM) == 1  # it writes down its jobs first
    until(lambda: cluster.login.kill_all("slurmctld", 0) == 0)
    assert "Unable to contact slurm controller" in cluster.login.run(["squeue"]).stderr
    cluster.start_controller()
    until(lambda: state(cluster.login, job) == "RUNNING None")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_an_ordinary_user_has_the_cluster_too(tmp_path: Path) -> None:
    """Without any right of root, in a user namespace: a job runs, and ssh leads through the login node."""
    python, somebody = "/usr/bin/python3", ["setpriv", "--reuid=1", "--regid=1", "--clear-groups"]
    able = [*somebody, python, "-c", "import sys, tests.cluster.cluster; assert sys.version_info >= (3, 10)"]
    if subprocess.run(able, cwd=CHECKOUT, capture_output=True).returncode != 0:
        pytest.skip("nobody else may read this checkout, or /usr/bin/python3 is older than 3.10")
    for name, argv in (
        ("login", ["sbatch", "-W", "--wrap", "exit 7"]),
        ("laptop", ["ssh", "-J", "login", "c1", "exit 7"]),
    ):
        command = [*somebody, python, "-B", "-m", "tests.cluster", name, "alice", *argv]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
        assert done.returncode == 7, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give rights up")
def test_where_there_can_be_no_namespaces_it_is_said(tmp_path: Path) -> None:
    """Without the right to make namespaces nothing is started and nothing left, and the reason is told."""
    bound = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all"]
    command = [*bound, sys.executable, "-m", "tests.cluster", "login", "alice", "true"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (3, "")
    assert "No cluster on this machine: no network namespace may be made here: unshare" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a program is missing, the packages to install are named."""
    monkeypatch.setattr(machine, "program", lambda name: "" if name in ("sshd", "ip") else name)
    with pytest.raises(CannotStart, match="apt-get install --no-install-recommends iproute2 openssh-server"):
        Cluster()


def test_nothing_is_left() -> None:
    """After the end there is no process, no file and no address; of a killed one a folder, for a while."""
    script = "from tests.cluster.cluster import Cluster; import os; c = Cluster(); print(c.base, flush=True);"
    before = links()
    for end, code in (("c.down()", 0), ("os.kill(os.getpid(), 9)", -9)):
        done = subprocess.run(
            [sys.executable, "-c", script + end], cwd=CHECKOUT, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        base = done.stdout.strip()
        until(partial(gone, base), 10)
        assert links() == before
        assert Path(base).exists() == (code != 0)
    Cluster().down()  # which sweeps
    assert not Path(base).exists()


def gone(base: str) -> bool:
    """Whether nothing uses a cluster's folder any more."""
    return not using(base)


def links() -> str:
    """This machine's own network devices."""
    return " ".join(sorted(os.listdir("/sys/class/net"))) + Path("/proc/net/route").read_text()


def using(base: str) -> list[str]:
    """The processes that name a folder in their arguments or hang in its mounts."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            texts = [
                Path("/proc", pid, part).read_text(errors="replace") for part in ("cmdline", "mountinfo")
            ]
        except OSError:
            continue
        if pid != str(os.getpid()) and any(base in text for text in texts):
            found.append(pid)
    return found


def test_torque_commands(cluster: Cluster) -> None:
    """qsub gives an id, qstat shows the job, qdel ends it; an unknown job is code 153."""
    login = cluster.login
    login.sh("printf '#!/bin/bash\necho id=$PBS_JOBID on $(hostname)\nsleep 1000\n' > job.sh")
    job = login.sh("qsub -q debug -l nodes=1:ppn=1,walltime=0:10:00 -j oe -o out job.sh").strip()
    until(lambda: f"id={job} on c1\n" in login.sh("cat out 2>/dev/null || true"))
    assert f"Job Id:\t{job}\n" in login.sh(f"qstat -f {job}")
    assert login.run(["qdel", job]).returncode == 0
    until(lambda: state(login, job).startswith("CANCELLED"))
    unknown = login.run(["qstat", "999999"])
    assert (unknown.returncode, unknown.stdout) == (153, "")


def test_secrets_are_found_wherever_they_are(cluster: Cluster) -> None:
    """The search finds arguments, readable files and job comments, and on demand also what is hidden."""
    assert where(cluster, WORD) == []
    login, c1 = cluster.login, cluster.node("c1")
    login.sh(f"umask 077; mkdir private; echo {WORD} > private/file; chmod 644 private/file")
    with c1.spawn(["sleep", "1000"], env={"WORD": WORD}) as quiet:
        until(lambda: c1.kill_all("sleep", 0) == 1)
        assert where(cluster, WORD) == []
        assert where(cluster, WORD, hidden=True) == ["c1: environ of sleep", "home/private/file"]
        quiet.kill()
    c1.sh(f"echo {WORD} > /dev/shm/file")
    login.sh(f"chmod o+x ~ private; sbatch --comment={WORD} --wrap 'sleep 1000'")
    with c1.spawn(["tail", "-f", "/dev/null", WORD], stderr=subprocess.DEVNULL) as loud:
        until(lambda: c1.kill_all("tail", 0) == 1)
        found = set(where(cluster, WORD))
        loud.kill()
    told = {"squeue -h -t all -o %all", "scontrol show job -d"}
    assert {"c1: /dev/shm/file", "home/private/file", "c1: cmdline of tail", *told} <= found
