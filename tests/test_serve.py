"""Serve, in the job: every end is orderly, and says what it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import session_parts as parts

from setup_wizard import launch, proof, serve, session
from setup_wizard.errors import MachineBlocks
from setup_wizard.jupyter import idle, nook, start, words
from setup_wizard.jupyter.nook import Nook
from setup_wizard.session import End
from setup_wizard.world import World


def ended(mine: session.Session) -> End:
    """How the session ended, once it has."""
    parts.until(lambda: session.read(mine.folder, End))
    end = session.read(mine.folder, End)
    assert end
    return end


# --- every end, with a real Jupyter ---------------------------------------------------------------------


@pytest.mark.real
def test_idle_ends_it_but_not_what_works(jupyter_prefix: Path, tmp_path: Path) -> None:
    """Nothing done for the given time ends the session; a kernel that computes keeps it, however silent."""
    world = parts.machine(tmp_path)
    limit = 1.0
    mine, address = parts.begun(world, parts.job(world, jupyter_prefix, idle_minutes=limit / 60))
    flag = tmp_path / "go-on"
    code = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.05)\nprint(42)"
    began, busy_until = world.now(), 0.0

    def look() -> bool:
        nonlocal busy_until
        if not flag.exists() and world.now() - began > 4 * limit:
            busy_until = world.now()
            assert not session.read(mine.folder, End)
            flag.touch()
        return flag.exists()

    run_cell_beside(world, mine, address, code, look)
    assert busy_until - began > 4 * limit
    assert ended(mine).how == "idle"
    parts.assert_nothing_left(world, mine)
    (row,) = launch.sessions(world)
    assert (row.state, row.detail) == ("ended", "Nothing was done for 0.0166667 min.")


def run_cell_beside(
    world: World, mine: session.Session, address: session.Address, code: str, look: Callable[[], bool]
) -> None:
    """Run a cell, and call `look` again and again until it is true and the cell has ended."""
    target = launch.target_of(mine, address)
    cookies = proof._open_page(world, target)
    kernel = proof._start_kernel(world, target, cookies)

    async def both() -> None:
        cell = asyncio.ensure_future(proof._converse(target, cookies, kernel, code))
        while not (look() and cell.done()):
            await asyncio.sleep(0.05)
        assert (await cell).strip() == "42"

    asyncio.run(both())


@pytest.mark.real
def test_the_death_of_jupyter_is_explained(jupyter_prefix: Path, tmp_path: Path) -> None:
    """Jupyter is killed: the session ends, with its kernels, and `launch` and `sessions` name the cause."""
    world = parts.machine(tmp_path)
    mine, _ = parts.begun(world, parts.job(world, jupyter_prefix))
    parts.start_kernel(world, mine)
    os.kill(parts.jupyter_of(world, mine), signal.SIGKILL)
    with pytest.raises(MachineBlocks, match="memory ran out") as told:
        launch.prove(world, mine)
    assert told.value.fix == words.MEMORY
    (row,) = launch.sessions(world)
    assert (row.state, row.fix) == ("died", words.MEMORY)
    assert row.detail in told.value.problem
    parts.assert_nothing_left(world, session.load(row.folder))


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_it_starts_ends_it_whole(jupyter_prefix: Path, tmp_path: Path, number: int) -> None:
    """Each signal that means «end», in the middle of the start, leaves nothing but the logs."""
    world = parts.machine(tmp_path)
    mine = launch.submit(world, parts.job(world, jupyter_prefix))
    parts.until(lambda: session.read(mine.folder, session.Place) and parts.jupyter_is_up(world, mine))
    os.kill(parts.serve_of(mine).pid, number)
    assert ended(mine).how == "stopped"
    parts.assert_nothing_left(world, mine)
    left = sorted(p.name for p in mine.folder.iterdir())
    assert left == ["end.json", "jupyter.log", "place.json", "serve.log", "session.json"]


@pytest.mark.real
def test_leaving_from_the_browser_is_no_death(jupyter_prefix: Path, tmp_path: Path) -> None:
    """File, Shut Down ends the session as «left», and the shell of its terminal too."""
    world = parts.machine(tmp_path)
    mine, _ = parts.begun(world, parts.job(world, jupyter_prefix))
    mark = parts.nook_of(mine)
    name = json.loads(parts.ask(world, mine, "api/terminals", "POST", b"{}").body)["name"]
    assert name
    parts.until(lambda: shell_on_terminal(world, mark))
    parts.until(lambda: not idle.program_on_terminal(world, mark))  # its start files may start some
    assert parts.ask(world, mine, "api/shutdown", "POST").status == 200
    assert ended(mine).how == "left"
    parts.assert_nothing_left(world, mine)


def shell_on_terminal(world: World, mine: Nook) -> bool:
    """Whether a program of the session has a terminal."""
    for pid, _ in world.marked(mine.mark):
        with contextlib.suppress(FileNotFoundError):  # a process that is just ending
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[idle.TTY] != "0":
                return True
    return False


def test_a_broken_start_is_an_end_too(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No place for sockets, or a bug of ours: the secrets go, and the end says what it was."""
    env = tmp_path / "env"
    for trouble, says in (
        (MachineBlocks("There is no place.", fix="df"), "There is no place."),
        (ZeroDivisionError("a bug"), "The session broke: ZeroDivisionError('a bug')"),
    ):
        mine = session.reserve(world, session.Job(env, world.home), session.this_process(world))

        def fail(_: World, trouble: Exception = trouble) -> Nook:
            raise trouble

        monkeypatch.setattr(nook, "make", fail)
        assert serve.Serve(world, mine).run().how == "died"
        assert ended(mine).problem == says
        parts.assert_nothing_left(world, mine)


def test_serve_refuses_a_damaged_session(world: World) -> None:
    """A folder that holds no session: an exit code and a sentence, before anything detaches."""
    argv = [*world.own_python("setup_wizard.serve"), str(world.home), "--detach"]
    output = world.run(argv, env=world.clean_env(**world.own_python_env()), timeout=30)
    assert output.code == 2
    assert "does not hold a session" in output.err
    assert output.out == ""


# --- its parts ------------------------------------------------------------------------------------------


def test_the_nook_is_short_private_and_on_this_node(world: World, tmp_path: Path) -> None:
    """A TMPDIR that is too long for sockets is passed over; the folder is 0700 and goes with all in it."""
    world.env["TMPDIR"] = str(tmp_path / ("x" * 80))
    (tmp_path / ("x" * 80)).mkdir()
    mine = nook.make(world)
    try:
        assert not mine.path.is_relative_to(tmp_path)
        assert stat.S_IMODE(mine.path.stat().st_mode) == 0o700
        longest = mine.run / "kernel-00000000-0000-0000-0000-000000000000-ipc-5"
        assert len(str(longest).encode()) <= nook.LONGEST
    finally:
        nook.leave(world, mine, patience=1)
    assert not mine.path.exists()


def test_a_tmpdir_from_nowhere_is_none(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is not absolute means another folder to each program: it is passed over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    world.env["TMPDIR"] = "tmp"
    mine = nook.make(world)
    nook.leave(world, mine, patience=0.1)
    assert mine.path.is_absolute()
    assert not mine.path.is_relative_to(tmp_path)


def test_only_the_nooks_of_dead_sessions_of_this_node_are_swept(world: World) -> None:
    """Whose process is gone is removed; one that lives, another host's, and what says nothing stay."""
    lives, dead, far, mute = (nook.make(world) for _ in range(4))
    host, boot, sight, pid, born = (dead.path / nook.OWNER).read_text().split("\n")
    try:
        (dead.path / nook.OWNER).write_text("\n".join([host, boot, sight, pid, "1"]))
        (far.path / nook.OWNER).write_text("\n".join(["elsewhere", boot, sight, pid, "1"]))
        (mute.path / nook.OWNER).unlink()
        nook.sweep(world)
        assert [n.path.exists() for n in (lives, dead, far, mute)] == [True, False, True, True]
        assert born
    finally:
        for each in (lives, far, mute):
            nook.leave(world, each, patience=0.1)


def test_leaving_the_nook_ends_who_carries_its_mark(world: World) -> None:
    """Also a process that ignores the request to end; never one without the mark."""
    mine = nook.make(world)
    name, _, value = mine.mark.partition("=")
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    stubborn = f"{ignore}; print('', flush=True); time.sleep(60)"
    theirs = subprocess.Popen(["sleep", "60"])
    ours = subprocess.Popen(
        ["python3", "-c", stubborn],
        env={**os.environ, name: value},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert ours.stdout
        ours.stdout.readline()
        nook.leave(world, mine, patience=0.3)
        assert ours.wait(10) == -signal.SIGKILL
        assert theirs.poll() is None
    finally:
        for process in (ours, theirs):
            process.kill()
            process.wait()


def test_an_activation_is_taken_over(world: World, tmp_path: Path) -> None:
    """Kernels of a conda environment get what its activation scripts set; a broken script changes nothing."""
    prefix, mine = tmp_path / "envs" / "geo", Nook(Path("/tmp/hjs-x"))
    scripts = prefix / "etc/conda/activate.d"
    scripts.mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    (scripts / "gdal.sh").write_text('echo noise; export GDAL_DATA="$CONDA_PREFIX/share/gdal data"\n')
    world.env.update(CONDA_PREFIX="/other", VIRTUAL_ENV="/other", JUPYTER_PATH="/site/jupyter")
    env = start.environment(world, prefix, mine)
    assert env["GDAL_DATA"] == f"{prefix}/share/gdal data"
    assert (env["CONDA_PREFIX"], env["CONDA_DEFAULT_ENV"]) == (str(prefix), "geo")
    assert env["PATH"].startswith(f"{prefix}/bin:")
    assert env["JUPYTER_PATH"] == "/site/jupyter"
    assert "VIRTUAL_ENV" not in env
    (scripts / "broken.sh").write_text("exit 3\n")
    assert "GDAL_DATA" not in start.environment(world, prefix, mine)


def test_a_program_on_a_terminal_is_work(world: World) -> None:
    """A shell that waits is idle; a program that it runs is work, until it ends."""
    mine = nook.make(world)
    name, _, value = mine.mark.partition("=")
    pid, fd = pty.fork()
    if not pid:
        os.execvpe("bash", ["bash", "--norc", "--noprofile"], {"PATH": os.environ["PATH"], name: value})
    try:
        os.read(fd, 1)  # its prompt
        assert not idle.program_on_terminal(world, mine)
        os.write(fd, b"sleep 60\n")
        parts.until(lambda: idle.program_on_terminal(world, mine))
        os.write(fd, b"\x03")
        parts.until(lambda: not idle.program_on_terminal(world, mine))
    finally:
        nook.leave(world, mine, patience=0.1)
        os.waitpid(pid, 0)
        os.close(fd)


def test_no_answer_is_not_idle(world: World) -> None:
    """A Jupyter that does not answer, or not in its own words, may be busy: it is not ended for that."""
    mine = nook.make(world)
    try:
        assert idle.idle_for(world, "http://127.0.0.1:9/", "token", mine) == 0.0
    finally:
        nook.leave(world, mine, patience=0.1)


def test_half_a_runtime_file_is_none(tmp_path: Path) -> None:
    """The port counts only from a whole file."""
    mine = Nook(tmp_path)
    mine.run.mkdir()
    file = mine.run / "jpserver-7.json"
    assert start.port(mine) == 0
    for text, port in (('{"port": 88', 0), ('{"pid": 7}', 0), ('{"port": 8888, "pid": 7}', 8888)):
        file.write_text(text)
        assert start.port(mine) == port


@pytest.mark.parametrize(
    ("log", "code", "says", "fix"),
    [
        (
            "/e/bin/python: No module named jupyterlab",
            1,
            "jupyterlab is not installed in /e",
            "conda install -p /e",
        ),
        (
            "ModuleNotFoundError: No module named 'tornado.web'",
            1,
            "misses its module tornado.web",
            "--force-reinstall",
        ),
        ("OSError: [Errno 28] No space left on device", 1, "no space left", "df -h"),
        ("OSError: [Errno 122] Disk quota exceeded: '/h'", 1, "no space left", "quota"),
        ("sqlite3.OperationalError: disk I/O error", 1, "a database of its own", "quota"),
        ("sqlite3.OperationalError: database or disk is full", 1, "a database of its own", "quota"),
        ("MemoryError", 1, "ran out of memory", "more memory"),
        ("", -9, "killed from outside", "memory"),
        ("OSError: [Errno 98] Address already in use", 1, "took Jupyter's port", "Launch again"),
        ("PermissionError: [Errno 13] Permission denied: '/h/x'\n", 1, "may not use /h/x", "ls -ld /h/x"),
        ("OSError: [Errno 30] Read-only file system: '/h/x'", 1, "may not use /h/x", "ls -ld /h/x"),
        ("one\nlast words", 3, "ended with exit code 3.\none\nlast words", "Read the rest"),
        ("", -11, "ended by signal 11", "Read the rest"),
        ("Permission denied: '/old'\n" + "[I] fine\n" * 60, 1, "ended with exit code 1", "Read the rest"),
    ],
)
def test_last_words_become_a_cause_and_a_fix(log: str, code: int, says: str, fix: str) -> None:
    """What Jupyter wrote last, and how it ended, in the user's words."""
    problem, mend = words.death(log, code, Path("/e"), "lab")
    assert says in problem
    assert fix in mend


@pytest.mark.parametrize(
    ("version", "warned"),
    [("2.19.9", True), ("2.20.0", False), ("2.21.1", False), ("3.0.0a1", False), ("", False)],
)
def test_an_old_jupyter_server_is_warned_of(version: str, warned: bool) -> None:
    """Below the floor there is a warning with the command; at it and above, or unknown, there is none."""
    said = words.warning(version)
    assert ("jupyter_server>=2.20.0" in said) == warned
