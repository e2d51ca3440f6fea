"""The door to the machine: programs that are heard and ended, downloads that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web_server import (
    Fault,
    WebServer,
    changed,
    cut,
    drip,
    drip_head,
    elsewhere,
    endless,
    moved,
    page,
    stall,
    status,
    whole,
)

from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble
from setup_wizard.world import Ask, Patience, Progress, World
from setup_wizard.world.beside import beside

BODY = bytes(range(256)) * 400  # 102,400 bytes
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server to misbehave."""
    with WebServer() as server:
        yield server


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# --- programs -------------------------------------------------------------------------------------------


def test_run_gives_the_answer_of_a_program(world: World) -> None:
    """Exit code, standard output and error, with stdin fed and the home ours."""
    output = world.run(["bash", "-c", 'cat; echo "$HOME"; echo oh >&2; exit 7'], stdin="hallo\n")
    assert (output.code, output.out, output.err) == (7, f"hallo\n{world.home}\n", "oh\n")


def test_run_feeds_more_than_a_pipe_holds(world: World) -> None:
    """A megabyte goes in and comes out whole; a program that does not read it is no error."""
    text = "x" * (1 << 20)
    assert world.run(["cat"], stdin=text).out == text
    assert world.run(["true"], stdin=text).code == 0


def test_run_tells_each_line_as_it_comes(world: World) -> None:
    """Carriage returns end a line, empty ones are left out, the last may lack its newline."""
    heard: list[str] = []
    world.run(["printf", r"10%%\r50%%\r100%%\r\n\ndone\nlast ü"], on_line=heard.append)
    assert heard == ["10%", "50%", "100%", "done", "last ü"]


def test_run_tells_a_line_before_the_program_ends(world: World, tmp_path: Path) -> None:
    """Progress is heard while the program still works: it waits for what our answer to its line does."""
    go = tmp_path / "go"
    os.mkfifo(go)
    script = f"echo ready; read answer < {go}; echo $answer"

    def answer(line: str) -> None:
        if line == "ready":
            with go.open("w") as f:
                f.write("heard\n")

    assert world.run(["bash", "-c", script], on_line=answer, timeout=10).out == "ready\nheard\n"


def test_run_lets_us_look_meanwhile(world: World, tmp_path: Path) -> None:
    """A program that says nothing until we have looked is no reason to wait for ever."""
    flag = tmp_path / "looked"
    script = f"while [ ! -e {flag} ]; do sleep 0.01; done; echo seen"
    assert world.run(["sh", "-c", script], meanwhile=flag.touch, timeout=60).out == "seen\n"


def test_run_ends_a_program_that_takes_too_long(world: World) -> None:
    """After `timeout` the program is killed with its children, and what it said is kept."""
    output = world.run(["bash", "-c", "sleep 600 & echo $!; wait"], timeout=0.5)
    assert output.code == -9
    assert "took too long" in output.err
    until(lambda: not alive(int(output.out)))


def test_run_ends_a_program_that_says_nothing(world: World) -> None:
    """`silence` counts from the last output: who talks may go on, who falls silent is killed."""
    talking = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"
    assert world.run(["bash", "-c", talking], silence=0.8).code == 0
    assert world.run(["bash", "-c", "echo 1; sleep 600"], silence=0.4).code == -9


def test_run_does_not_wait_for_what_a_program_leaves_behind(world: World) -> None:
    """A background process that holds the pipes open neither keeps us waiting nor stays."""
    output = world.run(["bash", "-c", "sleep 600 & echo $!"])
    assert output.code == 0
    until(lambda: not alive(int(output.out)))


def test_run_ends_a_program_that_ignores_the_request_to_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours in `on_line` ends the program too, if need be by force."""
    monkeypatch.setattr("setup_wizard.world.programs.FAREWELL", 0.2)
    pids: list[int] = []

    def stumble(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(["bash", "-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done"], on_line=stumble)
    until(lambda: not alive(pids[0]))


RUNNER = """
import sys
import textwrap
from pathlib import Path
from setup_wizard.world import World
World.here().run(["bash", "-c", sys.argv[1]])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_a_program_dies_with_us(tmp_path: Path, number: int) -> None:
    """However our process ends, the program that it runs ends too."""
    pid_file = tmp_path / "pid"
    us = subprocess.Popen(
        [
            sys.executable,
            "-c",
            RUNNER,
            f"echo $$ > {pid_file}; while :; do read -t 60 < <(:) || sleep 0.2; done",
        ],
        stderr=subprocess.DEVNULL,
    )
    until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    child = int(pid_file.read_text())
    assert alive(child)
    us.send_signal(number)
    us.wait(10)
    until(lambda: not alive(child))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_just_as_a_program_starts_is_heard(tmp_path: Path, number: int) -> None:
    """Python only prints what is raised while it forks: the request to end comes through all the same."""
    run = f"""
        import os, signal, sys
        from pathlib import Path
        from setup_wizard.world import World
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), {int(number)}))
        try:
            World(Path({str(tmp_path)!r}), os.environ).run(["sleep", "30"], timeout=20)
        except KeyboardInterrupt:
            print("heard")
        print(Path("/proc/self/task", str(os.getpid()), "children").read_text().strip() or "alone")
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(run)], capture_output=True, text=True)
    assert (ran.stdout.split(), ran.stderr) == (["heard", "alone"], "")


def test_a_program_can_be_interrupted(world: World) -> None:
    """It starts with no signal blocked, and with what ends a program as it is by default."""
    ran = world.run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"])
    mine = Path("/proc/self/status").read_text()
    wanted = [line for line in mine.splitlines() if line.startswith("SigBlk")]
    ending = (1 << signal.SIGTERM - 1) | (1 << signal.SIGHUP - 1)
    blocked, ignored = (int(line.split()[1], 16) for line in ran.out.splitlines())
    assert blocked == int(wanted[0].split()[1], 16)
    assert not ignored & ending


def test_what_a_killed_run_leaves_keeps_the_lock(tmp_path: Path) -> None:
    """A file in `inherit` stays open in the program's own children, so a lock on it outlives our death."""
    lock, ready = tmp_path / "lock", tmp_path / "ready"
    runner = (
        "import fcntl, sys\nfrom setup_wizard.world import World\n"
        f"world, lock = World.here(), open({str(lock)!r}, 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\nworld.inherit.append(lock.fileno())\n"
        f"world.run(['bash', '-c', '(echo $BASHPID > {ready}; exec sleep 600) & wait'])\n"
    )
    us = subprocess.Popen([sys.executable, "-c", runner])
    until(lambda: ready.exists() and ready.read_text().endswith("\n"))
    us.kill()
    us.wait()
    left = int(ready.read_text())
    try:
        assert subprocess.run(["flock", "--nonblock", lock, "true"]).returncode == 1
    finally:
        os.kill(left, signal.SIGKILL)
    assert subprocess.run(["flock", "--wait", "5", lock, "true"]).returncode == 0


def test_a_program_is_ended_by_signals_that_we_hold_back(world: World) -> None:
    """Where we take our signals one by one, as a session does, what we start hears its own at once."""
    held = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        output = world.run(["grep", "SigBlk", "/proc/self/status"])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert int(output.out.split()[1], 16) == 0


def test_a_program_that_is_not_there(world: World, tmp_path: Path) -> None:
    """127 and its name; a folder that is not there is named, not the program; 126 for no program at all."""
    assert world.run(["no-such-program"]).code == 127
    assert "no-such-program" in world.run(["no-such-program"]).err
    assert str(tmp_path / "gone") in world.run(["true"], cwd=tmp_path / "gone").err
    (tmp_path / "text").write_text("no program")
    assert world.run([tmp_path / "text"]).code == 126


def test_clean_env_leads_no_python_astray(world: World) -> None:
    """PYTHONPATH, PYTHONHOME and the variables of another conda do not reach our programs."""
    names = ("PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "CONDA_EXE", "JUPYTER_RUNTIME_DIR")
    theirs = {**dict.fromkeys(names, "/x"), "LANG": "C"}
    env = World(world.home, {**world.env, **theirs}).clean_env(TMPDIR="/t")
    assert not set(names) & set(env)
    assert (env["HOME"], env["PYTHONNOUSERSITE"], env["TMPDIR"]) == (str(world.home), "1", "/t")


# --- fetch ----------------------------------------------------------------------------------------------


def test_fetch_gives_what_the_server_says(world: World, web: WebServer) -> None:
    """Status, body and lower-case headers; a 404 is an answer, not an error; redirects are followed."""
    reply = world.fetch(web.serve("/a", b"hello"))
    assert (reply.status, reply.text, reply.headers["content-length"]) == (200, "hello", "5")
    assert world.fetch(f"{web.url}/none").status == 404
    assert world.fetch(web.serve("/b", b"", moved("/a"))).text == "hello"


def test_fetch_asks_again_when_the_server_is_in_trouble(world: World, web: WebServer) -> None:
    """Two 503 and then the answer: the answer; 503 for ever: an error that says so."""
    assert world.fetch(web.serve("/a", b"well", status(503), status(503))).text == "well"
    with pytest.raises(NetworkTrouble, match="answered 500"):
        world.fetch(web.serve("/b", b"", *[status(500)] * 9))
    assert [a.path for a in web.asked].count("/b") == world.patience.tries


@pytest.mark.parametrize(
    ("fault", "words"),
    [(stall(), "fell silent"), (cut(10), "closed the connection too early"), (drip(0.02), "sent only")],
    ids=["stall", "cut", "drip"],
)
def test_fetch_gives_up_on_a_server_that_does_not_come_to_an_end(
    world: World, web: WebServer, fault: Callable[..., None], words: str
) -> None:
    """Silence, a hang-up and a trickle end in an error with the cause, within our patience."""
    world.patience = Patience(connect=2, silence=0.5, tries=2, pause=0.01, slow_for=0.3)
    with pytest.raises(NetworkTrouble, match=words) as e:
        world.fetch(web.serve("/a", BODY, fault, fault))
    assert e.value.fix


def test_fetch_of_an_endless_answer_ends(
    world: World, web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer larger than anything we fetch whole is cut off."""
    monkeypatch.setattr("setup_wizard.world.web.MOST", 1 << 20)
    with pytest.raises(NetworkTrouble, match="more than the 1048576 bytes"):
        world.fetch(web.serve("/a", BODY, endless))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/", "refuses the connection"),
        ("http://no-such-host.invalid/", "knows its name|could not be reached"),
    ],
)
def test_fetch_says_why_nobody_answers(world: World, url: str, words: str) -> None:
    """A dead port and an unknown name are told apart, each with what to do."""
    with pytest.raises(NetworkTrouble, match=words) as e:
        world.fetch(url, tries=1)
    assert "--mirror" in e.value.fix


@pytest.mark.parametrize("url", ["mirror", "ftp://x/", "http://[::1", "http://x:99999999/"])
def test_fetch_of_what_is_no_address(world: World, url: str) -> None:
    """The address itself is to blame, not the network."""
    with pytest.raises(BadInput, match="not a web address"):
        world.fetch(url)


def test_fetch_reads_files(world: World, tmp_path: Path) -> None:
    """A `file:` address answers as a server would."""
    (tmp_path / "a b").write_text("x")
    assert world.fetch((tmp_path / "a b").as_uri()).text == "x"
    assert world.fetch((tmp_path / "none").as_uri()).status == 404


def test_the_proxy_of_the_environment_is_used(world: World, web: WebServer) -> None:
    """http_proxy of the world's own environment gets the request, no_proxy and proxies=False go around it."""
    web.serve("http://far.example/x", b"through the proxy")
    here = web.serve("/x", b"straight")
    world.env["http_proxy"] = web.url.removeprefix("http://")
    assert world.fetch("http://far.example/x").text == "through the proxy"
    assert world.fetch(here, proxies=False).text == "straight"
    world.env["no_proxy"] = "localhost, 127.0.0.1"
    assert world.fetch(here).text == "straight"


@pytest.mark.parametrize("slow", [drip(0.05), drip_head(0.05)], ids=["body", "head"])
def test_a_call_has_its_time_in_all(world: World, web: WebServer, slow: Fault) -> None:
    """A byte now and then, in the body or before it, does not keep a call waiting beyond its time."""
    url = web.serve("/x", bytes(100), slow)
    with pytest.raises(NetworkTrouble, match="timed out"):
        world.call(Ask(url, timeout=0.3))
    assert world.call(Ask(url)).body == bytes(100), "and the next call is answered"


@pytest.mark.parametrize("proxy", ["gopher://p:1", "http://[p"])
def test_a_proxy_that_is_none(world: World, proxy: str) -> None:
    """A proxy that cannot be used is named with the variable to mend."""
    world.env["https_proxy"] = proxy
    with pytest.raises(BadInput, match="proxy"):
        world.fetch("https://far.example/x")


def test_certificates_that_cannot_be_read(world: World) -> None:
    """SSL_CERT_FILE that leads nowhere is an error of the environment, and said so."""
    world.env["SSL_CERT_FILE"] = "/no/such/ca.pem"
    with pytest.raises(BadInput, match="SSL_CERT_FILE"):
        world.fetch("https://far.example/x")


# --- download -------------------------------------------------------------------------------------------


def test_download_is_whole_and_reported(world: World, web: WebServer, tmp_path: Path) -> None:
    """The file has its name and hash, its folder is private, and progress went up to the size."""
    seen: list[Progress] = []
    path = world.cache / "downloads" / "a.sh"
    world.download(web.serve("/a", BODY), path, sha256=SHA.upper(), report=seen.append)
    assert path.read_bytes() == BODY
    assert not list(path.parent.glob("*.part"))
    assert (seen[-1].title, seen[-1].done, seen[-1].total, seen[-1].unit) == (
        "a.sh",
        len(BODY),
        len(BODY),
        "B",
    )
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert world.cache.stat().st_mode & 0o777 == 0o700


def test_download_keeps_what_is_right_and_replaces_what_is_not(
    world: World, web: WebServer, tmp_path: Path
) -> None:
    """A file with the right hash is not fetched again; one with another hash is."""
    path = tmp_path / "a"
    path.write_bytes(BODY)
    world.download(f"{web.url}/never", path, sha256=SHA)
    assert not web.asked
    path.write_bytes(b"old")
    world.download(web.serve("/a", BODY), path, sha256=SHA)
    assert path.read_bytes() == BODY


def test_download_goes_on_after_a_break(world: World, web: WebServer, tmp_path: Path) -> None:
    """Cut twice, it asks for the rest only, and the sum is right."""
    path = tmp_path / "a"
    world.download(web.serve("/a", BODY, cut(30_000), cut(30_000)), path, sha256=SHA, size=len(BODY))
    assert path.read_bytes() == BODY
    assert [a.headers.get("range") for a in web.asked] == [None, "bytes=30000-", "bytes=60000-"]


def test_download_goes_on_in_the_next_run(world: World, web: WebServer, tmp_path: Path) -> None:
    """A run that was given up or killed leaves a `.part`, from which the next goes on."""
    path = tmp_path / "a"
    url = web.serve("/a", BODY, *[cut(10_000)] * 3)
    with pytest.raises(NetworkTrouble, match="too early"):
        world.download(url, path, sha256=SHA)
    assert (tmp_path / "a.part").read_bytes() == BODY[:30_000]
    assert not path.exists()
    world.download(url, path, sha256=SHA)
    assert web.asked[-1].headers["range"] == "bytes=30000-"
    assert path.read_bytes() == BODY


def test_breaks_do_not_count_while_much_is_gained(
    world: World, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that breaks often but brings a lot each time gets there, whatever the number of tries."""
    monkeypatch.setattr("setup_wizard.world.downloads.A_LOT", 9_999)
    url = web.serve("/a", BODY, *[cut(10_000)] * 10)
    assert world.download(url, tmp_path / "a", sha256=SHA).read_bytes() == BODY
    assert len(web.asked) == 11


@pytest.mark.parametrize("fault", [whole, elsewhere, status(416)], ids=["200", "wrong 206", "416"])
def test_download_where_resuming_is_not_to_be_had(
    world: World, web: WebServer, tmp_path: Path, fault: Callable[..., None]
) -> None:
    """A server that ignores, misunderstands or refuses the range: from the start, and right in the end."""
    (tmp_path / "a.part").write_bytes(BODY[:50_000])
    assert world.download(web.serve("/a", BODY, fault), tmp_path / "a", sha256=SHA).read_bytes() == BODY


@pytest.mark.parametrize(
    "left", [b"something else", b"x" * len(BODY), b"x" * (len(BODY) + 5)], ids=["short", "full", "over-full"]
)
def test_download_over_a_part_of_something_else(
    world: World, web: WebServer, tmp_path: Path, left: bytes
) -> None:
    """A `.part` that is not the beginning of this file costs one more fetch, and no wrong byte."""
    (tmp_path / "a.part").write_bytes(left)
    world.download(web.serve("/a", BODY), tmp_path / "a", sha256=SHA, size=len(BODY))
    assert (tmp_path / "a").read_bytes() == BODY
    assert len(web.asked) <= 2


def test_download_after_a_server_in_trouble(world: World, web: WebServer, tmp_path: Path) -> None:
    """A 503 with a short Retry-After, a 429, and then the file."""
    url = web.serve("/a", BODY, status(503, Retry_After="0"), status(429))
    assert world.download(url, tmp_path / "a", sha256=SHA).read_bytes() == BODY


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ([status(404)], "answered 404"),
        ([status(403)], "answered 403"),
        ([status(407)], "proxy wants a name and a password"),
        ([status(500)] * 9, "server is in trouble"),
        ([page()], "login page"),
        ([page("application/octet-stream")], "login page"),
        ([changed], "wrong SHA-256"),
        ([endless], "more than the 102400 bytes expected"),
        ([stall(500)] * 9, "fell silent"),
        ([drip(0.02)] * 9, "sent only"),
        ([cut(0)] * 9, "too early"),
    ],
    ids=["404", "403", "407", "500", "page", "page in disguise", "hash", "endless", "stall", "drip", "cut"],
)
def test_a_download_that_cannot_be_had(
    world: World, web: WebServer, tmp_path: Path, faults: list[Callable[..., None]], words: str
) -> None:
    """Each way to lie or fail gets its own words and a fix; nothing is under the final name."""
    world.patience = Patience(connect=2, silence=0.5, tries=2, pause=0.01, slow_for=0.3)
    with pytest.raises(NetworkTrouble, match=words) as e:
        world.download(web.serve("/a", BODY, *faults), tmp_path / "a", sha256=SHA, size=len(BODY))
    assert e.value.fix
    assert not (tmp_path / "a").exists()


def test_a_page_of_the_network_leaves_nothing_to_go_on_from(
    world: World, web: WebServer, tmp_path: Path
) -> None:
    """After logging in the file comes whole: the page is not taken for its beginning."""
    url = web.serve("/a", BODY, page(), page("application/x-sh"))
    for _ in range(2):
        with pytest.raises(NetworkTrouble, match="login page"):
            world.download(url, tmp_path / "a", sha256=SHA, size=len(BODY))
    assert world.download(url, tmp_path / "a", sha256=SHA, size=len(BODY)).read_bytes() == BODY


def test_no_hash_no_download(world: World, web: WebServer, tmp_path: Path) -> None:
    """Without a SHA-256 nobody is even asked."""
    with pytest.raises(NetworkTrouble, match="no SHA-256"):
        world.download(web.serve("/a", BODY), tmp_path / "a", sha256="")
    assert not web.asked


def test_ctrl_c_in_a_download_loses_nothing(world: World, web: WebServer, tmp_path: Path) -> None:
    """What came before Ctrl-C is on disk, and the next run goes on from there."""

    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    url = web.serve("/a", BODY, cut(40_000))
    with pytest.raises(KeyboardInterrupt):
        world.download(url, tmp_path / "a", sha256=SHA, report=interrupt)
    have = (tmp_path / "a.part").stat().st_size
    assert have > 0
    world.download(url, tmp_path / "a", sha256=SHA)
    assert web.asked[-1].headers["range"] == f"bytes={have}-"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 kB."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    point = tmp_path / "small"
    point.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", point], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system here: {mounted.stderr.decode().strip()}")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


def test_a_full_disk(world: World, web: WebServer, small_disk: Path) -> None:
    """The place and the fix are named, nothing is under the final name; with space again, it goes on."""
    url = web.serve("/a", BODY)
    with pytest.raises(MachineBlocks, match="No space left") as e:
        world.download(url, small_disk / "a", sha256=SHA, size=len(BODY))
    assert f"df -h {small_disk}" in e.value.fix
    assert not (small_disk / "a").exists()
    have = (small_disk / "a.part").stat().st_size
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    world.download(url, small_disk / "a", sha256=SHA, size=len(BODY))
    assert web.asked[-1].headers["range"] == f"bytes={have}-"


def test_a_place_that_cannot_be_written(world: World, web: WebServer, tmp_path: Path) -> None:
    """A folder that cannot be made is the machine's trouble, and named."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MachineBlocks, match="could not be written"):
        world.download(web.serve("/a", BODY), tmp_path / "file" / "sub" / "a", sha256=SHA)


def test_download_from_a_folder(world: World, tmp_path: Path) -> None:
    """A `file:` mirror is verified like any other; what is missing or wrong is said."""
    source = tmp_path / "source file"
    source.write_bytes(BODY)
    target = tmp_path / "cache" / "a"
    assert world.download(source.as_uri(), target, sha256=SHA).read_bytes() == BODY
    target.unlink()
    with pytest.raises(NetworkTrouble, match="wrong SHA-256"):
        world.download(source.as_uri(), target, sha256="0" * 64)
    with pytest.raises(NetworkTrouble, match="is not there"):
        world.download((tmp_path / "none").as_uri(), target, sha256=SHA)
    assert not list(target.parent.iterdir())


# --- the machine ----------------------------------------------------------------------------------------


def test_the_disk_below_a_path_that_is_not_there_yet(world: World, small_disk: Path) -> None:
    """Free bytes, free inodes and the kind of the file system that a path would be on."""
    disk = world.disk(small_disk / "not" / "yet")
    assert disk.kind == "tmpfs"
    assert 0 < disk.free_bytes <= 64 << 10
    assert disk.free_files


def test_work_goes_on_beside_who_waits_for_something_else() -> None:
    """Its result and its trouble come back; what the waiting raises is not kept waiting for the work."""
    looks: list[int] = []
    gate = threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 3:
            gate.set()

    assert beside(lambda: gate.wait(30) and "done", look) == "done"
    assert len(looks) >= 3
    with pytest.raises(ZeroDivisionError):
        beside(lambda: 1 / 0, bool)
    gate.clear()
    with pytest.raises(KeyError):
        beside(lambda: gate.wait(30), lambda: {}["over"])
    gate.set()
