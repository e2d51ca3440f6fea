"""From the laptop to a session on another machine, through a real sshd; both are this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setup_wizard import (
    __version__,
    arrival,
    connect,
    delivery,
    errand,
    launch,
    pulse,
    session,
    tunnel,
    watching,
)
from setup_wizard.access import Ticket
from setup_wizard.cli import consent
from setup_wizard.connect import Connected, Seen, logged_in
from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.far import Far
from setup_wizard.jupyter.start import shows
from setup_wizard.session import Session
from setup_wizard.tunnel import Tunnel
from setup_wizard.world import Output, Progress, World, nooks, processes
from tests import session_parts
from tests.program import ROOT
from tests.session_parts import until
from tests.ssh_server import SshServer


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The account on the cluster, with our program in its PATH."""
    world = session_parts.machine(tmp_path_factory.mktemp("far"))
    tool = world.home / ".local/bin/hpc-jupyter-setup"
    tool.parent.mkdir(parents=True)
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m setup_wizard "$@"\n')
    tool.chmod(0o755)
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # for sockets
        world.env.update(XDG_CACHE_HOME=short, PYTHONPATH=str(ROOT))
        yield world
        launch.stop_all(world)


@pytest.fixture(scope="module")
def running(cluster: World, jupyter_prefix: Path) -> Session:
    """A session there whose way in is a tunnel."""
    mine, _ = session_parts.begun(cluster, session_parts.job(cluster, jupyter_prefix, access="tunnel"))
    return mine


@pytest.fixture
def sshd(cluster: World, tmp_path: Path) -> Iterator[SshServer]:
    """The cluster's sshd."""
    with SshServer(tmp_path, cluster.env) as server:
        yield server


@pytest.fixture
def way(world: World, sshd: SshServer) -> Iterator[Far]:
    """The laptop, logged in to the cluster."""
    with logged_in(world, "login", str(sshd.config)) as there:
        yield there


def running_with(mark: str) -> dict[int, str]:
    """The command lines of all processes that name `mark`, by their ids."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode()
            if mark in line:
                found[int(path.parent.name)] = line
    return found


def ours(mark: str) -> list[str]:
    """The command lines of all processes that name `mark`."""
    return list(running_with(mark).values())


def test_a_session_is_reached_and_proven(way: Far, running: Session) -> None:
    """Over the one log-in: followed, a tunnel to the node itself, a cell through it; the token stays ours."""
    what = connect.connect(way, connect.follow(way, running.id))
    assert what.proof.answer == "42"
    assert what.tunnel
    assert what.tunnel.kind == "ssh"
    assert what.url.startswith(f"http://127.0.0.1:{what.tunnel.local}/lab?token=")
    assert what.tunnel.local != what.tunnel.remote  # Jupyter itself holds that one here: another was chosen
    token = session.secret(running, "token")
    assert ours(token) == []
    assert token not in "".join(p.read_text() for p in way.folder.glob("log*"))
    what.tunnel.shut()


@pytest.mark.parametrize("refused", [False, True])
def test_a_forward_of_the_users_own_that_is_taken(
    world: World, sshd: SshServer, running: Session, refused: bool
) -> None:
    """A LocalForward for every host, its port held by another program: it is none of ours, on either way."""
    closed = f"Host {socket.gethostname()}\n ProxyCommand false\n IdentityFile none\n"
    if refused:
        sshd.config.write_text(sshd.config.read_text().replace(f" {socket.gethostname()}\n", "\n") + closed)
    with socket.create_server(("127.0.0.1", 0)) as held:
        own = f"Host *\n LocalForward 127.0.0.1:{held.getsockname()[1]} localhost:22\n"
        sshd.config.write_text(f"{sshd.config.read_text()}{own} ExitOnForwardFailure yes\n")
        with logged_in(world, "login", str(sshd.config)) as there:
            what = connect.connect(there, connect.follow(there, running.id))
            assert what.tunnel
            assert what.tunnel.kind == ("relay" if refused else "ssh")
            assert what.proof.answer == "42"


@pytest.mark.parametrize("refused", [False, True])
def test_where_no_birth_of_a_process_is_known(
    world: World, sshd: SshServer, running: Session, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """macOS has no /proc (simulated: none can be had here): both encrypted ways open, and are shut again."""
    monkeypatch.setattr(processes, "born", lambda _: "")
    closed = f"Host {socket.gethostname()}\n ProxyCommand false\n IdentityFile none\n"
    if refused:
        sshd.config.write_text(sshd.config.read_text().replace(f" {socket.gethostname()}\n", "\n") + closed)
    with logged_in(world, "login", str(sshd.config)) as there:
        what = connect.connect(there, connect.follow(there, running.id))
        assert what.tunnel
        assert what.tunnel.kind == ("relay" if refused else "ssh")
        assert what.tunnel.is_open()
        assert what.proof.answer == "42"
        with pulse.heard(there, str(running.folder)) as beat:
            until(lambda: beat.log.exists() and beat.log.read_text())
        what.tunnel.shut()
        assert not what.tunnel.is_open()
        assert ours(f"{there.folder}/n") == []


def test_where_nodes_let_nobody_in_it_goes_through_the_job(
    world: World, sshd: SshServer, running: Session
) -> None:
    """ssh to the node is refused: it is reached through our relay, and that is told before the token goes."""
    closed = f"Host {socket.gethostname()}\n ProxyCommand false\n IdentityFile none\n"
    sshd.config.write_text(sshd.config.read_text().replace(f" {socket.gethostname()}\n", "\n") + closed)
    said: list[str] = []
    with logged_in(world, "login", str(sshd.config)) as there:
        what = connect.reach(there, running.id, lambda progress: said.append(progress.title), said.append)
        assert said[-3:] == [connect.OPEN, socket.gethostname(), connect.PROVE]
        assert what.tunnel
        assert what.tunnel.kind == "relay"
        assert what.proof.answer == "42"


def test_the_last_way_that_leads_nowhere_is_not_offered_again(
    way: Far, running: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the person's consent it went over the cluster's network, in vain: that is the end, and is said."""
    monkeypatch.setattr(tunnel, "SHOWN", 0.2)
    closed = tunnel.Tunnel.to(way, socket.gethostname(), 9, ("static/x", "y"))
    with pytest.raises(tunnel.NoWay, match="over the cluster's network either") as e:
        closed.open(Ticket(nodes="address"), running.id)
    with pytest.raises(tunnel.NoWay) as again:
        consent.to_network(way, e.value, [tunnel.READABLE], json=False)
    assert again.value is e.value


def test_what_goes_wrong_after_the_launch_names_the_session(
    cluster: World, sshd: SshServer, running: Session, way: Far
) -> None:
    """No way leads to the node: the session goes on, and the error has the command that comes back to it."""
    config = sshd.config
    closed = f"Host {socket.gethostname()}\n ProxyCommand false\n IdentityFile none\n"
    config.write_text(config.read_text().replace(f" {socket.gethostname()}\n", "\n") + closed)
    ticket = running.folder / "ticket.json"
    before = ticket.read_text()
    ticket.write_text(json.dumps({**json.loads(before), "relay": ""}))
    words = ["connect", "login", "-F", str(config), "--session", running.id, "--no-browser"]
    try:
        argv = [sys.executable, "-m", "setup_wizard", *words]
        said = subprocess.run(argv, env=cluster.env, text=True, capture_output=True, timeout=60)
    finally:
        ticket.write_text(before)
    assert said.returncode == MachineBlocks.code
    assert f"hpc-jupyter-setup connect -F {config} login --session {running.id}\n" in said.stderr
    assert "goes on" in said.stderr


def test_a_cut_while_the_tunnel_opens_is_no_reason_for_plain_http(
    way: Far, sshd: SshServer, running: Session
) -> None:
    """That nothing leads to the node is not believed while the login node is away: it is tried again."""
    seen = connect.follow(way, running.id)
    tunnel = Tunnel.to(way, seen.node, 1, ("static/x", "x"))
    sshd.stop()
    with pytest.raises(NetworkTrouble):
        tunnel.open(Ticket(), running.id)
    told: list[str] = []
    again = threading.Timer(0, lambda: (until(lambda: told), sshd.start()))
    again.start()
    what = connect.reach(way, running.id, lambda progress: told.append(progress.title))
    again.join()
    assert "is away" in told[0]
    assert what.proof.answer == "42"


def test_the_tunnel_comes_back(way: Far, sshd: SshServer, running: Session) -> None:
    """sshd is killed with all connections, and started again: the same local port leads to Jupyter again."""
    what = connect.connect(way, connect.follow(way, running.id))
    assert what.tunnel
    told: list[str] = []
    watcher = threading.Thread(target=watched, args=(way, what, told), daemon=True)
    watcher.start()
    until(lambda: len(told) == 1)
    sshd.stop()
    until(lambda: any("is away" in line for line in told))
    sshd.start()
    until(lambda: "is open" in told[-1], 20)
    assert shows(way.world, what.tunnel.base, what.tunnel.sign)


def test_it_ends_with_the_session(
    way: Far, cluster: World, jupyter_prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session ends there: so does the watch, with how it ended, and without a question before."""
    monkeypatch.setattr(watching, "ASK", 1e9)
    wanted = session_parts.job(cluster, jupyter_prefix, access="tunnel")
    mine, _ = session_parts.begun(cluster, wanted)
    what = connect.connect(way, connect.follow(way, mine.id))
    connect.stop(way, mine.id)
    assert watching.watch(way, what).state == "ended"


def watched(way: Far, what: Connected, told: list[str]) -> None:
    """Watch in a thread of its own, until the connection is closed for good."""

    def hear(progress: Progress) -> None:
        told.append(progress.title)

    with contextlib.suppress(SetupError, OSError):  # the test is over, and its folder gone
        watching.watch(way, what, hear)


def test_nothing_is_left_of_it(world: World, sshd: SshServer, running: Session) -> None:
    """After the block no ssh of ours runs, and its folder is gone."""
    with logged_in(world, "login", str(sshd.config)) as there:
        connect.connect(there, connect.follow(there, running.id))
        folder = there.folder
        assert ours(str(folder))
    until(lambda: not ours(str(folder)), 10)
    assert not folder.exists()


def test_the_words_of_a_launch_go_there_as_they_are(way: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks, quotes and dollars arrive; a tunnel is asked for unless another way in is."""
    asked: list[Any] = []

    def run(there: Far, words: Any, *_: Any) -> Output:
        asked.append(tuple(words[1:]))
        return Output(0, '{"session": "able-otter"}')

    monkeypatch.setattr(errand, "run", run)
    assert connect.launch(way, ["-d", "my work"]) == "able-otter"
    connect.launch(way, ["--access", "rps"])
    assert asked == [
        ("launch", "--detach", "--json", "--access", "tunnel", "-d", "my work"),
        ("launch", "--detach", "--json", "--access", "rps"),
    ]
    odd = "a  b'c\"d $HOME `id` \\ *"
    assert way.run("printf", "%s", odd).out == odd


def test_an_error_there_is_the_error_here(way: Far) -> None:
    """What the program there says is wrong, and how to mend it, is what the user reads here."""
    with pytest.raises(SetupError, match="There is no session «abel-otter»") as e:
        connect.stop(way, "abel-otter")
    assert e.value.code == BadInput.code
    assert connect.look(way, "abel-otter").state == "ended"
    with pytest.raises(MachineBlocks, match="there is no session abel-otter") as e:
        connect.follow(way, "abel-otter")
    assert "ssh login hpc-jupyter-setup sessions" in e.value.fix


def test_without_our_program_there_it_is_told_how_to_install_it(way: Far, cluster: World) -> None:
    """The flag to add, and nothing is installed by itself."""
    tool = cluster.home / ".local/bin/hpc-jupyter-setup"
    tool.rename(tool.with_name("gone"))
    try:
        with pytest.raises(MachineBlocks, match="is not installed on login") as e:
            connect.launch(way, [])
        assert "connect login --install" in e.value.fix
    finally:
        tool.with_name("gone").rename(tool)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Far]:
    """A login node with nothing of ours; its packages come from where pip has them on this machine."""
    there = session_parts.machine(tmp_path)
    pip = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.endswith("_proxy")}
    cache = pip.get("PIP_CACHE_DIR") or str(Path.home() / ".cache/pip")
    with SshServer(tmp_path, {**there.env, **pip, "PIP_CACHE_DIR": cache}) as server:
        (tmp_path / "laptop").mkdir()
        with logged_in(session_parts.machine(tmp_path / "laptop"), "login", str(server.config)) as far:
            yield far


def made_there(far: Far) -> list[str]:
    """What is in the home there, where we put something."""
    return far.run("sh", "-c", "cd; mkdir -p .local; find .local | sort").out.splitlines()


@pytest.mark.real
def test_our_program_is_installed_there(bare: Far) -> None:
    """Whole, with what it needs, from the files that run here: one folder and one link, both removable."""
    assert bare.version() == ""
    told: list[Progress] = []
    delivery.deliver(bare, told.append)
    assert bare.version() == __version__
    assert bare.tool().endswith("/.local/bin/hpc-jupyter-setup")
    assert connect.look(bare, "x").state == "ended"  # it runs, and answers
    assert told
    program, *rest = bare.run("sh", "-c", "cd ~/.local/share/hpc-jupyter-setup; ls").out.split()
    assert rest == []
    assert program.startswith("program-")
    assert "data/envs/jupyterlab.yml" in bare.run("sh", "-c", "cd; find .local -name '*.yml'").out


def test_an_installation_that_fails_leaves_nothing(bare: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index has not what it needs: that is said with the fix, and the home is as it was."""
    before = made_there(bare)
    no_index = 'os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS="", PIP_CONFIG_FILE=os.devnull)\n'
    source = Path(arrival.__file__).read_text() + no_index
    changed = bare.folder / "arrival.py"
    changed.write_text(source)
    monkeypatch.setattr(arrival, "__file__", str(changed))
    with pytest.raises(SetupError, match="cannot be had there") as e:
        delivery.deliver(bare)
    assert "pip.conf" in e.value.fix
    assert set(made_there(bare)) - set(before) <= {".local/bin", ".local/share"}


def test_what_another_has_put_there_stays(bare: Far) -> None:
    """A program of that name that we have not installed is not replaced."""
    bare.run("sh", "-c", "mkdir -p ~/.local/bin; echo mine > ~/.local/bin/hpc-jupyter-setup")
    with pytest.raises(SetupError, match="not of our making"):
        delivery.deliver(bare)
    assert bare.run("sh", "-c", "cat ~/.local/bin/hpc-jupyter-setup").out == "mine\n"


@pytest.mark.parametrize(
    ("theirs", "old"), [("0.0.9", True), ("999", False), (__version__, False), ("?", True)]
)
def test_an_older_program_there_is_known(theirs: str, old: bool) -> None:
    """Older than ours is offered an update; a newer one is left alone."""
    assert delivery.is_old(theirs) is old


def test_another_key_is_never_bypassed(world: World, sshd: SshServer) -> None:
    """A host with another key than it had: nothing is sent, and the centre is to be asked."""
    known = sshd.folder / "known"
    known.write_text(known.read_text().split()[0] + " " + (sshd.folder / "user.pub").read_text())
    with pytest.raises(MachineBlocks, match="not the one that this machine knows") as e:
        logged_in(world, "login", str(sshd.config)).__enter__()
    assert "Ask your centre" in e.value.fix


def test_an_unknown_host_is_to_be_looked_at_by_the_person(world: World, sshd: SshServer) -> None:
    """Nobody is here to compare the key: so it is not accepted."""
    (sshd.folder / "known").write_text("")
    with pytest.raises(MachineBlocks, match="does not know login yet"):
        logged_in(world, "login", str(sshd.config)).__enter__()


def test_who_is_not_let_in_reads_why(world: World, sshd: SshServer) -> None:
    """ssh's own last word, and how to see more of it."""
    (sshd.folder / "authorized").write_text("")
    with pytest.raises(MachineBlocks, match=r"does not let you in: .*Permission denied"):
        logged_in(world, "login", str(sshd.config)).__enter__()


def test_a_host_that_is_not_there(world: World, sshd: SshServer) -> None:
    """It is said, within seconds."""
    sshd.stop()
    with pytest.raises(NetworkTrouble, match=r"could not be reached: .*refused"):
        logged_in(world, "login", str(sshd.config)).__enter__()
    sshd.start()


def test_no_ssh(world: World, tmp_path: Path) -> None:
    """A laptop without ssh is told so."""
    world.env["PATH"] = str(tmp_path)
    with pytest.raises(MachineBlocks, match="There is no ssh"):
        logged_in(world, "login").__enter__()


def test_a_session_that_died_there_is_told_with_its_fix(way: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tunnel is opened to it."""
    died = Seen("x", "died", detail="Jupyter ran out of memory.", fix="Ask for more.")
    monkeypatch.setattr(connect, "look", lambda *_: died)
    with pytest.raises(MachineBlocks, match="ran out of memory") as e:
        connect.follow(way, "x")
    assert e.value.fix == "Ask for more."


def test_the_browser_gets_a_page_that_leads_to_the_address(
    cluster: World, sshd: SshServer, running: Session, tmp_path: Path
) -> None:
    """The page is the user's alone, and goes with the tunnel; where no browser opens, that is said."""
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\ncp "${{1#file://}}" {seen}.part; mv {seen}.part {seen}\n')
    browser.chmod(0o755)
    argv = [sys.executable, "-m", "setup_wizard", "connect", "login", "-F", str(sshd.config), "--json"]
    env, pipe = {**cluster.env, "BROWSER": f"{browser} %s"}, subprocess.PIPE
    call = [*argv, "--session", running.id]
    with subprocess.Popen(call, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as child:
        assert child.stderr
        try:
            until(seen.exists)
        finally:
            child.send_signal(signal.SIGINT)
        said = child.stderr.read().decode()
    assert f"token={session.secret(running, 'token')}" in seen.read_text()
    assert "open the address above there" in said
    assert not (cluster.cache / nooks.PAGES).exists()


@pytest.mark.parametrize("heir", [True, False])
def test_who_kills_it_hard_leaves_no_connection(
    cluster: World, sshd: SshServer, running: Session, heir: bool
) -> None:
    """SIGKILL: master, tunnel, pulse and the folder with them go; if need be, with the next call."""
    words = ["connect", "login", "-F", str(sshd.config), "--session", running.id, "--no-browser", "--json"]
    argv = [sys.executable, "-m", "setup_wizard", *words]
    with subprocess.Popen(argv, env=cluster.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        out = child.stdout
        assert out
        until(lambda: b'"answer": "42"' in out.readline())
        until(lambda: any("sleep 1" in line for line in ours(str(sshd.config))))  # the pulse
        nook = re.findall(rf"/tmp/{nooks.PREFIX}\w+", " ".join(ours(str(sshd.config))))[0]
        heirs = [pid for pid, line in running_with(nook).items() if nooks.HEIR[:9] in line]
        for pid in [] if heir else heirs:
            os.killpg(pid, signal.SIGKILL)
        child.kill()
    assert len(heirs) == 1
    if not heir:
        assert ours(nook)
        nooks.sweep(cluster)
    until(lambda: not ours(nook), 10)
    assert not Path(nook).exists()
    assert launch.sessions(cluster)[0].state == "ready"


def test_ctrl_c_leaves_the_session_and_says_how_to_come_back(
    cluster: World, sshd: SshServer, running: Session
) -> None:
    """Without anybody to ask, the session goes on; the tunnel and every ssh of ours are gone."""
    words = ["connect", "login", "-F", str(sshd.config), "--session", running.id, "--no-browser", "--json"]
    argv = [sys.executable, "-m", "setup_wizard", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, env=cluster.env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as child:
        out = child.stdout
        assert out
        assert child.stderr
        until(lambda: b'"answer": "42"' in out.readline())
        child.send_signal(signal.SIGINT)
        said = child.stderr.read().decode()
    assert child.returncode == 0
    assert f"hpc-jupyter-setup connect -F {sshd.config} login --session {running.id}\n" in said
    assert launch.sessions(cluster)[0].state == "ready"
    until(lambda: not ours(str(sshd.config)), 10)
