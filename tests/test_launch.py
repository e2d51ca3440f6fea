"""From nothing to a proven session, with a real Jupyter; what others can and cannot do with it; its end."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import session_parts as parts
from web_server import WebServer

from setup_wizard import launch, proof, running, session
from setup_wizard.errors import BadInput, Busy, MachineBlocks, NotProven
from setup_wizard.launch import Launched
from setup_wizard.session import Address, End, Job, Proven
from setup_wizard.trees import walk
from setup_wizard.world import Ask, Progress, World

pytestmark = pytest.mark.real

Running = tuple[World, Launched, list[str]]


@pytest.fixture(scope="module")
def running_one(jupyter_prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A session for the tests that only look, with the titles that its launch reported."""
    world = parts.machine(tmp_path_factory.mktemp("running"))
    world.env.update(http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9")
    titles: list[str] = []
    launched = launch.launch(world, parts.job(world, jupyter_prefix), lambda p: titles.append(p.title))
    yield world, launched, titles
    launch.stop_all(world)


# --- it works -------------------------------------------------------------------------------------------


def test_launch_ends_with_a_proof(running_one: Running, jupyter_prefix: Path) -> None:
    """A cell ran through the printed URL, in the kernel of the environment that was asked for."""
    _, launched, titles = running_one
    assert launched.proof.kernel_prefix == str(jupyter_prefix)
    assert launched.proof.answer == "42"
    assert launched.address.url in launched.proof.via
    assert titles == [launch.START, launch.WAIT, launch.PROVE]


def test_the_proof_leaves_no_kernel(running_one: Running) -> None:
    """The kernel of the proof is gone afterwards, and so is its connection file."""
    world, launched, _ = running_one
    assert json.loads(parts.ask(world, launched.session, "api/kernels").body) == []
    assert list(parts.nook_of(launched.session).run.glob("kernel-*")) == []


def test_sessions_shows_it(running_one: Running, jupyter_prefix: Path) -> None:
    """One row: ready, whose environment, since when, on which node, and the URL that opens it."""
    world, launched, _ = running_one
    (row,) = [r for r in launch.sessions(world) if r.id == launched.session.id]
    assert (row.state, row.alive) == ("ready", True)
    assert (row.environment, row.node) == (str(jupyter_prefix), world.hostname)
    assert row.started == launched.session.created
    assert row.url == launched.url
    assert world.call(Ask(row.url)).status == 200


def test_a_kernel_of_another_environment_is_not_proven(running_one: Running, tmp_path: Path) -> None:
    """When the kernel answers from another prefix than the expected one, that is said, with both."""
    world, launched, _ = running_one
    target = launch.target_of(launched.session, launched.address)
    wrong = proof.Target(target.url, target.token, target.sign, tmp_path)
    with pytest.raises(NotProven, match=f"not in {tmp_path}"):
        proof.prove(world, wrong)


# --- who may not ----------------------------------------------------------------------------------------


def test_the_token_is_nowhere_to_be_seen(running_one: Running) -> None:
    """No command line, no kernel's environment, no log and no file that others can read holds a secret."""
    world, launched, _ = running_one
    mine, nook = launched.session, parts.nook_of(launched.session)
    kernel = parts.start_kernel(world, mine)
    token, cookie = (session.secret(mine, n).encode() for n in ("token", "cookie"))
    pids = [pid for pid, _ in world.marked(nook.mark)] + [parts.serve_of(mine).pid]
    try:
        assert len(pids) >= 3
        for pid in pids:
            for name in ("cmdline", "environ"):
                seen = Path(f"/proc/{pid}/{name}").read_bytes()
                assert token not in seen
                assert cookie not in seen
    finally:
        parts.ask(world, mine, f"api/kernels/{kernel}", "DELETE")
    holders = {f for root in (world.home, nook.path) for f in files_with(root, token)}
    assert {f.name for f in holders} == {
        "token",
        f"jpserver-{parts.jupyter_of(world, mine)}.json",
        f"jpserver-{parts.jupyter_of(world, mine)}-open.html",
    }
    assert {stat.S_IMODE(f.stat().st_mode) for f in holders} == {0o600}
    assert {stat.S_IMODE(f.stat().st_mode) for f in (mine.folder, nook.path)} == {0o700}


def files_with(root: Path, needle: bytes) -> list[Path]:
    regular = [root / name for name in walk(root) if stat.S_ISREG((root / name).lstat().st_mode)]
    return [f for f in regular if needle in f.read_bytes()]


def test_kernels_speak_through_sockets_of_ours(running_one: Running) -> None:
    """All five channels of a kernel are sockets that only we can open; nothing listens beyond loopback."""
    world, launched, _ = running_one
    kernel = parts.start_kernel(world, launched.session)
    nook = parts.nook_of(launched.session)
    try:
        (connection,) = nook.run.glob("kernel-*.json")
        assert json.loads(connection.read_bytes())["transport"] == "ipc"
        parts.until(lambda: len(list(nook.run.glob("kernel-*-ipc-?"))) == 5)
        assert {stat.filemode(p.lstat().st_mode) for p in nook.run.glob("kernel-*-ipc-?")} == {"srwx------"}
        ports = listening([pid for pid, _ in world.marked(nook.mark)])
        assert {address for address, _ in ports} == {"0100007F"}
        assert launched.address.port in {port for _, port in ports}
    finally:
        parts.ask(world, launched.session, f"api/kernels/{kernel}", "DELETE")


def listening(pids: list[int]) -> set[tuple[str, int]]:
    """Address (as the kernel writes it) and port of each TCP socket that these processes listen on."""
    inodes = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            link = os.readlink(fd)
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1"])
def test_a_foreign_page_is_refused(running_one: Running, origin: str) -> None:
    """With the user's own cookies, a page of another origin can start no kernel; nor one without XSRF."""
    world, launched, _ = running_one
    target = launch.target_of(launched.session, launched.address)
    cookies = proof._open_page(world, target)
    own = proof._headers(target, cookies)
    xsrf = {"X-XSRFToken": cookies["_xsrf"]}

    def post(headers: dict[str, str]) -> int:
        return world.call(Ask(f"{target.base}api/kernels", "POST", headers, b"{}")).status

    assert post({**own, **xsrf, "Origin": origin}) in (403, 404)
    assert post(own) == 403
    assert json.loads(parts.ask(world, launched.session, "api/kernels").body) == []


def test_another_host_name_is_refused(running_one: Running) -> None:
    """A page whose name was made to point here (DNS rebinding) gets nothing."""
    world, launched, _ = running_one
    assert parts.ask(world, launched.session, "api/status").status == 200
    assert parts.ask(world, launched.session, "api/status", Host="evil.example").status == 403


# --- the home stays as it was, and nothing is left ------------------------------------------------------


def test_a_session_leaves_the_home_as_it_was(
    jupyter_prefix: Path, running_one: Running, tmp_path: Path
) -> None:
    """A second session beside the first is proven and stopped; then only our own folder tells of it."""
    world, (other_world, other, _) = parts.machine(tmp_path), running_one
    job = parts.job(world, jupyter_prefix)
    before = sorted(str(p) for p in world.home.rglob("*"))
    launched = launch.launch(world, job)
    assert parts.ask(other_world, other.session, "api/status").status == 200
    assert launched.address.port != other.address.port
    assert launch.stop(world, launched.session) is True
    parts.assert_nothing_left(world, launched.session)
    ours = {str(p) for p in (world.state, *world.state.parents, *world.state.rglob("*"))}
    assert sorted(str(p) for p in world.home.rglob("*") if str(p) not in ours) == before
    assert launch.stop(world, launched.session) is False
    (row,) = launch.sessions(world)
    assert (row.state, row.detail, row.url, row.alive) == ("ended", "stopped", "", False)
    assert parts.ask(other_world, other.session, "api/status").status == 200


HOSTILE = """
c = get_config()
c.ServerApp.ip = '0.0.0.0'
c.ServerApp.allow_origin = '*'
c.ServerApp.disable_check_xsrf = True
c.ServerApp.allow_unauthenticated_access = True
c.ServerApp.allow_remote_access = True
c.IdentityProvider.token = ''
"""


def test_what_lies_about_in_the_account_does_no_harm(
    jupyter_prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open settings, a stray python3 kernel, poisoned modules and variables change nothing; the user's
    own start-up file of IPython is still read, and the classic interface opens its own page."""
    world = parts.machine(tmp_path)
    home = world.home
    for place, text in {
        ".jupyter/jupyter_config.py": HOSTILE,
        ".jupyter/jupyter_server_config.py": HOSTILE,
        ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(
            {"argv": ["/bin/false"], "display_name": "Stray", "language": "python"}
        ),
        "work/random.py": "raise SystemExit('poisoned')",
        "poison/json.py": "raise SystemExit('poisoned')",
        ".ipython/profile_default/startup/mine.py": "import os; os.environ['MY_STARTUP'] = 'read'",
    }.items():
        path = home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    poison = {
        "JUPYTER_TOKEN": "stray",
        "JUPYTER_PORT": "1",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "PYTHONHOME": "/x",
    }
    world.env.update(poison, PYTHONPATH=str(home / "poison"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(proof, "CELL", "import os; print(42); import sys; print(sys.prefix); " + TELL)
    launched = launch.launch(world, parts.job(world, jupyter_prefix, interface="notebook"))
    ((address, port),) = listening([parts.jupyter_of(world, launched.session)])
    assert address == "0100007F"
    assert launched.url.startswith(f"http://127.0.0.1:{port}/tree?token=")
    with pytest.raises(NotProven) as told:  # the cell tells more than a proof may
        proof.prove(world, launch.target_of(launched.session, launched.address))
    _, _, said = told.value.problem.partition("The kernel runs in ")
    prefix, variables = said.partition(", not in")[0].split("\n")
    tells = json.loads(variables)
    assert prefix == str(jupyter_prefix)
    assert tells["MY_STARTUP"] == "read"
    assert tells["PYTHONNOUSERSITE"] == "1"
    assert not {*poison, "PYTHONPATH"} & tells.keys()
    assert tells["PATH"].startswith(f"{jupyter_prefix}/bin:")
    assert launch.stop(world, launched.session)
    parts.assert_nothing_left(world, launched.session)


TELL = "import json; print(json.dumps(dict(os.environ)))"


def test_a_session_that_nobody_follows_is_ready_when_a_cell_has_run(
    jupyter_prefix: Path, tmp_path: Path
) -> None:
    """The job itself proves it; until then the list calls it starting, and shows no address."""
    world = parts.machine(tmp_path)
    mine = launch.submit(world, parts.job(world, jupyter_prefix))
    answers = lambda: session.read(mine.folder, Address)  # noqa: E731
    parts.until(answers)
    rows = [*launch.sessions(world)]
    parts.until(lambda: rows.extend(launch.sessions(world)) or rows[-1].state == "ready")
    assert {(r.state, r.url) for r in rows if r.state != "ready"} == {("starting", "")}
    assert rows[0].detail == running.UNPROVEN
    proven, address = session.read(mine.folder, Proven), answers()
    assert proven
    assert address
    assert (proven.url, proven.answer, proven.kernel_prefix) == (address.url, "42", str(jupyter_prefix))
    assert launch.stop(world, mine)
    parts.assert_nothing_left(world, mine)


def test_a_session_whose_kernel_does_not_answer_right_ends_as_not_proven(
    jupyter_prefix: Path, tmp_path: Path
) -> None:
    """The user's own start-up file spoils it: the launch and the list say what was heard; nothing is left."""
    world = parts.machine(tmp_path)
    startup = world.home / ".ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "quiet.py").write_text("import builtins; builtins.print = lambda *said: None")
    with pytest.raises(NotProven, match="42 was expected"):
        launch.launch(world, parts.job(world, jupyter_prefix))
    (row,) = launch.sessions(world)
    assert (row.state, "42 was expected" in row.detail) == ("died", True)
    parts.assert_nothing_left(world, session.load(row.folder))


def test_a_stranger_at_the_address_of_a_proven_session_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for its URL hears of it, and how to look again; the token goes nowhere."""
    monkeypatch.setattr(launch, "SURE", 0.2)
    mine = session.reserve(world, Job(world.home, world.home), session.this_process(world))
    with WebServer() as web:
        web.serve("/api", b'{"version": "2.21.0"}')
        session.write(mine.folder, Address(f"{web.url}/", "c1", 1, world.now()))
        session.write(mine.folder, Proven(f"{web.url}/", "/prefix", "42", "websocket"))
        with pytest.raises(NotProven, match=f"The session {mine.id} goes on") as told:
            launch.prove(world, mine)
        assert f"hpc-jupyter-setup url {mine.id}" in told.value.fix
        token = session.secret(mine, "token")
        assert not any(token in a.path or token in str(a.headers) for a in web.asked)
    assert session.read(mine.folder, End) is None


# --- interrupted, refused, dead -------------------------------------------------------------------------


def test_ctrl_c_leaves_a_session_that_can_be_stopped(jupyter_prefix: Path, tmp_path: Path) -> None:
    """Interrupted while Jupyter starts: it is listed as starting, and `stop` ends it with all it began."""
    world = parts.machine(tmp_path)

    def interrupt(progress: Progress) -> None:
        if progress.title == launch.WAIT:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch.launch(world, parts.job(world, jupyter_prefix), interrupt)
    (row,) = launch.sessions(world)
    assert (row.state, row.alive, row.url) == ("starting", True, "")
    assert launch.stop_all(world) == {row.id: True}
    parts.assert_nothing_left(world, session.load(row.folder))
    assert launch.stop_all(world) == {}


def test_an_environment_without_jupyter_says_so(tmp_path: Path) -> None:
    """The cause comes from Jupyter's own last words, with the command that mends it; nothing is left."""
    world = parts.machine(tmp_path)
    prefix = tmp_path / "bare"
    more = "--system-site-packages"  # which no records tell of, so that it is let pass
    assert world.run(["/usr/bin/python3", "-m", "venv", "--without-pip", more, prefix]).code == 0
    with pytest.raises(MachineBlocks, match=f"jupyterlab is not installed in {prefix}") as told:
        launch.launch(world, parts.job(world, prefix))
    assert told.value.fix == f"conda install -p {prefix} -c conda-forge jupyterlab"
    (row,) = launch.sessions(world)
    assert (row.state, row.fix) == ("died", told.value.fix)
    parts.assert_nothing_left(world, session.load(row.folder))


def test_what_cannot_start_is_refused_before_anything_is_made(world: World, jupyter_prefix: Path) -> None:
    """No Python in the prefix, no folder, or a negative time: BadInput, and no session."""
    good = Job(jupyter_prefix, world.home)
    for bad in (
        Job(world.home, world.home),
        Job(jupyter_prefix, world.home / "missing"),
        Job(jupyter_prefix, world.home, idle_minutes=-1),
        Job(good.prefix, good.folder, scheduler="slrm"),
    ):
        with pytest.raises(BadInput):
            launch.launch(world, bad)
    assert not session.home(world).exists()


def test_a_launch_that_was_killed_before_the_job_is_cleared_away(world: World, jupyter_prefix: Path) -> None:
    """Its session is shown as starting while its launch lives, as dead with the reason after that."""
    job = Job(jupyter_prefix, world.home)
    us = session.this_process(world)
    alive = session.reserve(world, job, us)
    dead = session.reserve(world, job, session.Process(us.host, us.pid, "1"))
    far = session.reserve(world, job, session.Process("elsewhere", 1, "1"))
    rows = {row.id: row for row in launch.sessions(world)}
    assert rows[alive.id].state == "waiting"
    assert rows[far.id].state == "unknown"
    assert (rows[dead.id].state, "interrupted" in rows[dead.id].detail) == ("died", True)
    assert not (dead.folder / "token").exists()
    assert (far.folder / "token").exists()
    with pytest.raises(Busy):
        launch.stop(world, alive)
    with pytest.raises(MachineBlocks, match="not known"):
        launch.stop(world, far)


def test_logs_of_long_ago_are_forgotten(world: World, jupyter_prefix: Path) -> None:
    """With the next launch go the folders of sessions that ended long ago, or whose making was cut short."""
    job, us = Job(jupyter_prefix, world.home), session.this_process(world)
    old, young = session.reserve(world, job, us), session.reserve(world, job, us)
    session.write(old.folder, End(world.now() - running.KEEP - 1, "stopped"))
    session.write(young.folder, End(world.now() - 60, "stopped"))
    torn, growing = (session.home(world) / f"{session.UNBORN}{name}" for name in ("torn", "growing"))
    torn.mkdir()
    growing.mkdir()
    os.utime(torn, (1, 1))
    assert {s.id for s in session.every(world)} == {old.id, young.id}
    running.forget_old(world)
    assert [s.id for s in session.every(world)] == [young.id]
    assert session.unborn(world) == [growing]


def test_a_session_that_was_killed_is_cleared_away(jupyter_prefix: Path, tmp_path: Path) -> None:
    """SIGKILL for serve: Jupyter and its kernels end too; the next look removes the secrets and says so."""
    world = parts.machine(tmp_path)
    mine, _ = parts.begun(world, parts.job(world, jupyter_prefix))
    parts.start_kernel(world, mine)
    parts.until(lambda: session.read(mine.folder, Proven))  # else Jupyter waits for the proof's kernel
    serve = parts.serve_of(mine)
    jupyter = parts.jupyter_of(world, mine)
    os.kill(serve.pid, signal.SIGKILL)
    parts.until(lambda: not world.born(jupyter))
    (row,) = launch.sessions(world)
    assert (row.state, row.url) == ("died", "")
    assert "ended from outside" in row.detail
    parts.assert_nothing_left(world, mine)
    assert launch.stop(world, mine) is False


def test_a_session_from_the_terminal_of_another_is_no_part_of_it(
    jupyter_prefix: Path, tmp_path: Path
) -> None:
    """What is launched from inside of a session goes on when that one ends."""
    world = parts.machine(tmp_path)
    outer, _ = parts.begun(world, parts.job(world, jupyter_prefix))
    inside = World(world.home, {**world.env, "JUPYTER_RUNTIME_DIR": str(parts.nook_of(outer).run)})
    inner, _ = parts.begun(inside, parts.job(inside, jupyter_prefix))
    launch.stop(world, outer)
    parts.assert_nothing_left(world, outer)
    assert parts.ask(world, inner, "api/status").status == 200
    launch.stop(world, inner)


def test_stop_does_not_wait_for_a_session_that_hangs(
    jupyter_prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A serve that does not react any more is ended hard, and what it left is cleared away."""
    monkeypatch.setattr(running, "STOP", 0.5)
    world = parts.machine(tmp_path)
    mine, _ = parts.begun(world, parts.job(world, jupyter_prefix))
    os.kill(parts.serve_of(mine).pid, signal.SIGSTOP)
    assert launch.stop(world, mine) is True
    parts.assert_nothing_left(world, mine)
    (row,) = launch.sessions(world)
    assert (row.state, row.detail) == ("ended", "stopped")
    assert session.read(mine.folder, Address) is None
