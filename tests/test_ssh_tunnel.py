"""The way in through ssh: the command that is printed, and a real tunnel through a real sshd on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from setup_wizard import access, orders, session, sites
from setup_wizard.access import Spot, Ticket, Way
from setup_wizard.errors import BadInput
from setup_wizard.session import Address, Job
from setup_wizard.world import Ask, World
from tests.session_parts import until
from tests.ssh_server import SshServer
from tests.web_server import WebServer

tunnel = access.find("tunnel")
SPOT = Spot("127.0.0.1", 40123, "c1", "4711", "able-otter")


@pytest.fixture
def ticket(world: World) -> Ticket:
    """What a launch on a login node has reserved."""
    return tunnel.reserve(world, Way(logins=("login3.example.edu",)))


@pytest.fixture
def jupyter() -> Iterator[WebServer]:
    """A web server on the node's loopback, in Jupyter's place."""
    with WebServer() as web:
        web.serve("/api", b'{"version": "2.21.0"}')
        yield web


def test_the_command_goes_to_the_node_through_the_real_login_node(ticket: Ticket) -> None:
    """One ssh, the same port at both ends, on loopback at both, kept alive, ended when it cannot serve."""
    route = tunnel.route(ticket, SPOT)
    assert route.url == "http://127.0.0.1:40123/"
    words = shlex.split(route.command)
    assert words[:2] == ["ssh", "-N"]
    assert words[-5:] == [
        "-L",
        "127.0.0.1:40123:127.0.0.1:40123",
        "-J",
        "student@login3.example.edu",
        "student@c1",
    ]
    assert {"ExitOnForwardFailure=yes", "ServerAliveInterval=15"} <= set(words)
    assert not route.anywhere


DERECHO, EXPANSE = ("derecho.hpc.ucar.edu",), ("login.expanse.sdsc.edu",)
PSC, TACC = ("bridges2.psc.edu",), ("stampede3.tacc.utexas.edu",)


@pytest.mark.parametrize(
    ("here", "env", "logins", "named"),
    [
        ("login02.expanse.sdsc.edu", {}, EXPANSE, "login02.expanse.sdsc.edu"),
        ("login2.stampede3.tacc.utexas.edu", {}, TACC, "login2.stampede3.tacc.utexas.edu"),
        ("login", {}, ("login",), "login"),
        ("derecho3.hsn.de.hpc.ucar.edu", {}, DERECHO, "derecho.hpc.ucar.edu"),
        ("br012.ib.bridges2.psc.edu", {}, PSC, "bridges2.psc.edu"),
        ("login02", {}, EXPANSE, "login.expanse.sdsc.edu"),
        ("login02.hut.example.org", {}, (), "login02.hut.example.org"),
        ("hut", {}, (), "hut"),
        # in a job
        ("exp-1-02", {"SLURM_SUBMIT_HOST": "login02"}, EXPANSE, "login.expanse.sdsc.edu"),
        ("exp-1-02", {"SLURM_SUBMIT_HOST": "login02"}, (), "login02"),
        ("dec0001", {"PBS_O_HOST": "derecho3.hsn.de.hpc.ucar.edu"}, DERECHO, "derecho.hpc.ucar.edu"),
        ("n1.hut.example.org", {"PBS_O_HOST": "login1.hut.example.org"}, (), "login1.hut.example.org"),
        # in a shell of salloc, which runs on the login node
        ("login02.hut.example.org", {"SLURM_SUBMIT_HOST": "login02"}, (), "login02.hut.example.org"),
    ],
)
def test_the_command_names_a_login_node_that_the_laptop_reaches(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    here: str,
    env: dict[str, str],
    logins: tuple[str, ...],
    named: str,
) -> None:
    """This very one by its name in the site's domain; a name of the cluster's own network is no use outside.

    In a job it is the node that the job was submitted from, and never the one of the job.
    """
    stand_in = tmp_path / "bin/hostname"  # the machine has only one name
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\necho {here}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(World, "hostname", property(lambda _: here.split(".")[0]))
    world.env.update(env, PATH=f"{stand_in.parent}:{world.env['PATH']}")
    spot = msgspec.structs.replace(SPOT, host=here)
    for nodes, words in (
        ("ssh", ("-J", f"student@{named}", f"student@{here}")),
        ("address", (f"student@{named}",)),
    ):
        ticket = tunnel.reserve(world, Way(logins=logins, nodes=nodes))
        assert tuple(shlex.split(tunnel.route(ticket, spot).command))[-len(words) :] == words
    relay = tunnel.route(tunnel.reserve(world, Way(logins=logins, nodes="relay")), spot).command
    assert f" student@{named} " in relay


def test_the_address_that_jupyter_takes_is_on_the_way_to_the_login_node_inside(world: World) -> None:
    """Where it must listen to the cluster's network, the public name of the login node plays no part."""
    ticket = Ticket(login="cluster.invalid", inside="127.0.0.1", nodes="address")
    assert tunnel.address(world, ticket) == "127.0.0.1"


def test_the_command_is_the_same_for_every_shell(world: World, ticket: Ticket) -> None:
    """Nothing in it is quoted or expanded, so that cmd.exe, PowerShell, bash and csh read it alike."""
    for nodes in ("ssh", "relay", "address"):
        command = tunnel.route(msgspec.structs.replace(ticket, nodes=nodes), SPOT).command
        assert not set(command) & set("'\"$`\\%^&|;<>*?!()")


def test_through_the_job_where_nobody_may_log_in_to_nodes(ticket: Ticket) -> None:
    """The forward ends in a socket of the user's on the login node, and our relay is what it starts."""
    route = tunnel.route(msgspec.structs.replace(ticket, nodes="relay"), SPOT)
    command = route.command
    words = shlex.split(command)
    assert words[words.index("-L") + 1] == f"127.0.0.1:40123:{ticket.sockets}/able-otter"
    assert words[-5:] == [
        "student@login3.example.edu",
        sys.executable,
        "-m",
        "setup_wizard.relay",
        "able-otter",
    ]
    second = tunnel.route(ticket, SPOT).note
    assert command in second  # told as the second choice, too
    assert "does not encrypt" in route.note
    assert second.index("does not encrypt") < second.index(command), "known before it is run"


def test_where_jobs_cannot_be_entered_no_relay_is_offered(world: World) -> None:
    """A job of Torque has no steps: the second choice that is told is the cluster's network."""
    ticket = tunnel.reserve(world, Way(logins=("login3.example.edu",), steps=False))
    note = tunnel.route(ticket, SPOT).note
    assert "relay" not in note
    assert "--i-understand-http-is-readable" in note


def test_in_an_allocation_that_one_has_no_relay_is_offered(world: World) -> None:
    """The relay would look for Jupyter on the login node: which job it is in, the session does not know."""
    site = sites.find("generic-slurm", world)
    for interactive in (True, False):
        job = Job(world.home, world.home, scheduler="local", access="tunnel", interactive=interactive)
        assert orders.way_of(site, job).steps is not interactive


def test_over_the_cluster_network_says_what_that_means(ticket: Ticket) -> None:
    """When Jupyter must listen on the node's address, the user hears who can read along."""
    route = tunnel.route(
        msgspec.structs.replace(ticket, nodes="address"), msgspec.structs.replace(SPOT, address="10.1.2.3")
    )
    assert "127.0.0.1:40123:10.1.2.3:40123" in route.command
    assert "plain HTTP" in route.note


def test_jupyter_listens_on_loopback(world: World, ticket: Ticket) -> None:
    """No other machine can reach it, unless the site leaves no other way."""
    assert tunnel.address(world, ticket) == "127.0.0.1"
    assert ticket.origin == ""


def test_the_command_opens_the_tunnel(ticket: Ticket, jupyter: WebServer, tmp_path: Path) -> None:
    """Run as printed, with a real sshd in place of both nodes, it leads to Jupyter."""
    port = int(jupyter.url.rpartition(":")[2])
    mine, spot = free_port(), Spot("127.0.0.1", port, "node", "1", "able-otter")
    ours = msgspec.structs.replace(ticket, login="login", user="")
    command = tunnel.route(ours, spot).command.replace(f"-L 127.0.0.1:{port}", f"-L 127.0.0.1:{mine}")
    with SshServer(tmp_path) as sshd, running(sshd.words(command)):
        until(lambda: answers(mine))
        with pytest.raises(subprocess.CalledProcessError) as e:  # and a second one does not pretend
            subprocess.run(sshd.words(command), check=True, capture_output=True, timeout=30)
        assert b"Address already in use" in e.value.stderr


def test_another_port_where_the_own_one_is_taken(ticket: Ticket, jupyter: WebServer, tmp_path: Path) -> None:
    """The printed command ends with ssh's own words; with the number changed as the note says, it leads on.

    Here the port is taken by Jupyter itself, which is on the same machine.
    """
    port, mine = int(jupyter.url.rpartition(":")[2]), free_port()
    ours = msgspec.structs.replace(ticket, login="login", user="")
    route = tunnel.route(ours, Spot("127.0.0.1", port, "node", "1", "able-otter"))
    with SshServer(tmp_path) as sshd:
        done = subprocess.run(sshd.words(route.command), capture_output=True, text=True, timeout=30)
        says = re.search(r"«(.+?)», write another number in place of the first (\d+) behind -L", route.note)
        assert says
        assert done.returncode != 0
        assert says[1] in done.stderr
        before, behind = route.command.split("-L ")
        changed = f"{before}-L {behind.replace(says[2], str(mine), 1)}"
        with running(sshd.words(changed)):
            until(lambda: answers(mine))


@pytest.mark.parametrize("nodes", ["ssh", "relay", "address"])
def test_every_command_tells_what_to_do_where_its_port_is_taken(ticket: Ticket, nodes: str) -> None:
    """The number to change is the first behind -L, on each way."""
    route = tunnel.route(msgspec.structs.replace(ticket, nodes=nodes), SPOT)
    assert route.note.startswith("If ssh says «Address already in use»")
    assert re.findall(r"\d{5}", route.command.partition("-L ")[2])[0] == str(SPOT.port)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_the_relay_leads_through_the_job(
    world: World, jupyter: WebServer, tmp_path: Path, short: Path
) -> None:
    """A socket that only the user can reach leads to Jupyter; it goes with the ssh that started the relay."""
    world.env.update(PYTHONPATH=os.pathsep.join(sys.path), XDG_CACHE_HOME=str(short))
    port = int(jupyter.url.rpartition(":")[2])
    job = Job(Path(sys.prefix), tmp_path, scheduler="local", access="tunnel")
    mine = session.reserve(world, job, session.this_process(world))
    session.write(mine.folder, Address(f"http://127.0.0.1:{port}/", world.hostname, port, world.now()))
    ticket = msgspec.structs.replace(tunnel.reserve(world, Way(nodes="relay")), login="login", user="")
    spot = Spot("127.0.0.1", port, world.hostname, "1", mine.id)
    local = free_port()
    command = tunnel.route(ticket, spot).command.replace(f"-L 127.0.0.1:{port}", f"-L 127.0.0.1:{local}")
    door = world.cache / "relay" / mine.id
    with SshServer(tmp_path, world.env) as sshd:
        with running(sshd.words(command)):
            until(lambda: answers(local))
            assert door.stat().st_mode & 0o777 == 0o700
            assert door.parent.stat().st_mode & 0o777 == 0o700
        until(lambda: not door.exists())


def test_the_relay_finds_slurm_where_only_a_profile_does(
    world: World, jupyter: WebServer, tmp_path: Path, short: Path
) -> None:
    """ssh runs it without the profiles: it goes on as after a log-in. srun, a stand-in, makes no step."""
    apps = tmp_path / "apps"
    apps.mkdir()
    (apps / "srun").write_text('#!/bin/sh\nwhile [ "$1" != -Q ]; do shift; done\nshift\nexec "$@"\n')
    (apps / "srun").chmod(0o755)
    (world.home / ".bash_profile").write_text(f"echo Welcome; export PATH={apps}:$PATH\n")
    path, python = "/nowhere", os.pathsep.join(sys.path)
    world.env.update(PATH=path, PYTHONPATH=python, XDG_CACHE_HOME=str(short))
    port = int(jupyter.url.rpartition(":")[2])
    job = Job(Path(sys.prefix), tmp_path, scheduler="slurm", access="tunnel")
    mine = session.reserve(world, job, session.this_process(world))
    session.write(mine.folder, Address(f"http://127.0.0.1:{port}/", "c1", port, world.now()))
    door = world.cache / "relay" / mine.id
    argv = [sys.executable, "-m", "setup_wizard.relay", mine.id]
    with subprocess.Popen(argv, env=world.env, stdout=subprocess.PIPE) as child:
        try:
            until(door.exists)
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(str(door))
                link.sendall(b"GET /api HTTP/1.0\r\n\r\n")
                link.settimeout(30)
                with link.makefile("rb") as answer:
                    assert answer.read().endswith(b'{"version": "2.21.0"}')
        finally:
            child.terminate()
    assert not door.exists()


def test_the_relay_says_when_there_is_no_such_session(world: World) -> None:
    """A misspelt name is answered as everywhere: a sentence and a fix, no traceback."""
    done = relay(world, "abel-otter")
    assert done.returncode == BadInput.code
    assert done.stderr.startswith("There is no session «abel-otter».")


def relay(world: World, name: str) -> subprocess.CompletedProcess[str]:
    """The relay, run to its end."""
    argv = [sys.executable, "-m", "setup_wizard.relay", name]
    return subprocess.run(argv, env=dict(world.env), text=True, capture_output=True, timeout=30)


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return int(s.getsockname()[1])


def answers(port: int) -> bool:
    """Whether Jupyter answers through that local port."""
    with contextlib.suppress(Exception):
        return World.here().call(Ask(f"http://127.0.0.1:{port}/api")).body == b'{"version": "2.21.0"}'
    return False


@contextlib.contextmanager
def running(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs meanwhile; its end is ours to wait for."""
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield child
        finally:
            child.kill()
