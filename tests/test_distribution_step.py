"""The distribution: downloaded, verified, installed whole or not at all, and taken back to the byte.

The installers here are small scripts that stand in for the real one: real files with a real SHA-256, served
over HTTP and run by the real bash, with the answers and exit codes of the real one.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from mirror_parts import kept_tiny_mirror
from web_server import WebServer, changed, cut, status

from setup_wizard import trees
from setup_wizard.conda import found, registry
from setup_wizard.conda.distributions import Release, choose, listing
from setup_wizard.conda.installer import explain, room_of
from setup_wizard.errors import BadInput, CommandFailed, Declined, MachineBlocks, NetworkTrouble, SetupError
from setup_wizard.step import Blocked, Done, Todo
from setup_wizard.steps.distribution import Distribution
from setup_wizard.world import Output, Progress, World, silent

STAND_IN = """#!/bin/sh
# A stand-in for tests, not Miniconda.
[ "$1 $2" = "-b -p" ] || { echo "ERROR: did not recognize option '$1', please try -h"; exit 1; }
P="$3"
if [ -e "$P" ]; then echo "ERROR: File or directory already exists: '$P'"; exit 1; fi
mkdir -p "$P/bin" "$P/etc/profile.d" "$P/conda-meta" "$P/pkgs" || exit 1
echo "PREFIX=$P"; echo "Unpacking payload..."
@MISFORTUNE@
printf '#!/bin/sh\\n@CONDA@\\n' > "$P/bin/conda"
chmod +x "$P/bin/conda"
echo true > "$P/etc/profile.d/conda.sh"
echo made > "$P/conda-meta/history"
echo '{}' > "$P/conda-meta/conda-26.5.3-py314_0.json"
env > "$P/env.txt"
echo "channels: [defaults]" > "$P/.condarc"
printf "#!/bin/sh\\necho it runs\\n" > "$TMPDIR/program"
chmod +x "$TMPDIR/program"
"$TMPDIR/program" || exit 1
mkdir -p ~/.conda && echo "$P" >> ~/.conda/environments.txt
echo "installation finished."
"""


@pytest.fixture
def web() -> Iterator[WebServer]:
    """Where installers are downloaded from."""
    with WebServer() as server:
        yield server


def step(
    web: WebServer, prefix: Path, misfortune: str = ":", conda: str = "echo conda 26.5.3"
) -> Distribution:
    """The step for a stand-in installer that meets `misfortune` half-way."""
    script = STAND_IN.replace("@MISFORTUNE@", misfortune).replace("@CONDA@", conda).encode()
    name = "Miniconda3-tests-py314_26.5.3-1-Linux-x86_64.sh"
    release = Release(
        family="miniconda",
        version="26.5.3-1",
        python_tag="py314",
        os="Linux",
        arch="x86_64",
        file_name=name,
        url=web.serve(f"/{name}", script),
        sha256=hashlib.sha256(script).hexdigest(),
        size=len(script),
        label="tests",
    )
    return Distribution(release=release, prefix=prefix)


@pytest.fixture
def prefix(world: World) -> Path:
    """Where conda goes."""
    return world.home / "sw" / "miniconda3"


def test_install_and_take_back(world: World, web: WebServer, prefix: Path) -> None:
    """Todo, then Done with a conda that answers; after undo the home is as it was, to the byte."""
    (world.home / "notes").write_text("mine")
    before = trees.picture(world.home)
    it = step(web, prefix)
    state = it.check(world)
    assert isinstance(state, Todo)
    assert it.release.sha256 in state.preview
    assert trees.picture(world.home) == before

    lines: list[str] = []
    it.apply(world, lambda p: lines.append(p.title))
    assert "Unpacking payload..." in lines
    assert isinstance(it.check(world), Done)
    assert registry.listed(world) == [prefix]
    assert [(f.prefix, f.version, f.healthy) for f in found.find(world)] == [(prefix, "26.5.3", True)]
    assert not list(prefix.parent.glob(".*"))
    assert not list(world.cache.rglob("*.sh"))

    assert it.undo(state.before, world) == []
    left = trees.picture(world.home)
    assert {k: v for k, v in left.items() if not k.startswith((".local", ".cache"))} == before


def test_the_installer_meets_nothing_of_the_users(world: World, web: WebServer, prefix: Path) -> None:
    """Neither PYTHONPATH nor condarc nor XDG folders reach it, and what it does to its home is not theirs."""
    theirs = {"PYTHONPATH": "/x", "CONDARC": "/x", "XDG_CONFIG_HOME": "/x", "MAMBA_ROOT_PREFIX": "/x"}
    world.env.update(theirs)
    registry.path(world).parent.mkdir()
    registry.path(world).write_text("/theirs")
    it = step(web, prefix)
    state = it.check(world)
    assert isinstance(state, Todo)
    it.apply(world, silent)
    env = dict(line.partition("=")[::2] for line in (prefix / "env.txt").read_text().splitlines())
    assert not set(theirs) & set(env)
    assert (env["HOME"], env["TMPDIR"]) == (str(room_of(prefix)), str(room_of(prefix)))
    assert not room_of(prefix).exists()
    it.undo(state.before, world)
    assert registry.path(world).read_text() == "/theirs"


def test_again_changes_nothing(world: World, web: WebServer, prefix: Path) -> None:
    """A second apply asks no server and touches no file."""
    it = step(web, prefix)
    it.apply(world, silent)
    before, asked = trees.picture(world.home), len(web.asked)
    it.apply(world, silent)
    assert trees.picture(world.home) == before
    assert len(web.asked) == asked


def test_what_the_user_made_in_it_stays(world: World, web: WebServer, prefix: Path) -> None:
    """Undo names and keeps files that came later, and takes all others."""
    it = step(web, prefix)
    state = it.check(world)
    assert isinstance(state, Todo)
    it.apply(world, silent)
    mine = prefix / "envs" / "mine" / "data"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert it.undo(state.before, world) == [mine]
    assert [p for p in prefix.rglob("*") if p.is_file()] == [mine]
    assert it.undo(state.before, world) == []
    assert mine.exists()


@pytest.mark.parametrize("made", ["folder", "file", "conda", "dangling"])
def test_a_prefix_that_is_not_ours_is_left_alone(
    world: World, web: WebServer, prefix: Path, made: str
) -> None:
    """Whatever is at the prefix, an empty folder too, blocks the step, and stays as it is."""
    prefix.parent.mkdir()
    if made == "file":
        prefix.write_text("x")
    elif made == "dangling":
        prefix.symlink_to("nowhere")
    else:
        prefix.mkdir()
    if made == "conda":
        (prefix / "bin").mkdir()
        (prefix / "bin/conda").write_text("")
    before = trees.picture(world.home)
    it = step(web, prefix)
    state = it.check(world)
    assert isinstance(state, Blocked)
    assert "exists already and is not ours" in state.problem
    assert ("--distribution" in state.fix) == (made == "conda")
    with pytest.raises(MachineBlocks, match="exists already"):
        it.apply(world, silent)
    assert trees.picture(world.home) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [("my conda", "space"), ("a$b", "sign"), ("x" * 120, "too long"), ("notes/miniconda3", "not writable")],
)
def test_a_prefix_that_cannot_be(world: World, web: WebServer, name: str, words: str) -> None:
    """Spaces, signs, length and a file in the way are said before anything is downloaded."""
    (world.home / "notes").write_text("")
    state = step(web, world.home / name).check(world)
    assert isinstance(state, Blocked)
    assert words in state.problem
    assert "--prefix" in state.fix
    assert not web.asked


@pytest.mark.parametrize(("option", "words"), [("noexec", "mounted noexec"), ("ro", "is read-only")])
def test_a_prefix_where_conda_cannot_live(
    world: World, web: WebServer, tmp_path: Path, option: str, words: str
) -> None:
    """A file system where nothing may be run, or nothing written, is no place for conda."""
    point = tmp_path / "mounted"
    point.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", option, "x", point]).returncode:
        pytest.skip("only root can mount a file system")
    try:
        state = step(web, point / "sw" / "miniconda3").check(world)
        assert isinstance(state, Blocked)
        assert words in state.problem
        assert not web.asked
    finally:
        subprocess.run(["umount", "-l", point], check=True)


@pytest.mark.parametrize(
    ("misfortune", "kind", "words"),
    [
        (
            "echo 'Installer requires GLIBC >=2.28, but system has 2.17.'; exit 1",
            MachineBlocks,
            "needs glibc 2.28",
        ),
        ("echo 'ERROR: No space left on device' >&2; exit 1", MachineBlocks, "is full"),
        ("echo 'WARNING: md5sum mismatch of tar archive'; exit 1", NetworkTrouble, "is damaged"),
        ("kill -9 $$", MachineBlocks, "was killed"),
        ("echo strange; exit 3", CommandFailed, "exit code 3.\n.*strange"),
    ],
    ids=["glibc", "full", "damaged", "killed", "strange"],
)
def test_a_failure_leaves_no_half_prefix(
    world: World, web: WebServer, prefix: Path, misfortune: str, kind: type[SetupError], words: str
) -> None:
    """However the installer fails: an error in plain words, nothing at the prefix, and a next try works."""
    with pytest.raises(kind, match=f"(?s){words}") as e:
        step(web, prefix, misfortune).apply(world, silent)
    assert e.value.fix
    assert list(prefix.parent.iterdir()) == []
    assert registry.listed(world) == []
    it = step(web, prefix)
    it.apply(world, silent)
    assert isinstance(it.check(world), Done)


def test_a_conda_that_does_not_answer_is_not_kept(world: World, web: WebServer, prefix: Path) -> None:
    """An installer that ends well is not believed until its conda answers."""
    with pytest.raises(CommandFailed, match="does not answer"):
        step(web, prefix, conda="exit 1").apply(world, silent)
    assert not prefix.exists()


def test_no_installer_with_the_wrong_hash_is_run(world: World, web: WebServer, prefix: Path) -> None:
    """A changed byte, and it is deleted unused."""
    it = step(web, prefix)
    script = STAND_IN.replace("@MISFORTUNE@", f"touch {world.home}/ran").replace("@CONDA@", "").encode()
    web.serve("/" + it.release.file_name, script, changed)
    with pytest.raises(NetworkTrouble):
        it.apply(world, silent)
    assert not (world.home / "ran").exists()
    assert not prefix.exists()


def test_no_hash_no_run(world: World, web: WebServer, prefix: Path) -> None:
    """A release without a SHA-256 is not even downloaded."""
    it = step(web, prefix)
    it = msgspec.structs.replace(it, release=msgspec.structs.replace(it.release, sha256=""))
    with pytest.raises(NetworkTrouble, match="no SHA-256"):
        it.apply(world, silent)
    assert not web.asked


def test_a_broken_download_goes_on(world: World, web: WebServer, prefix: Path) -> None:
    """Cut off and in trouble, the next try asks for the rest only."""
    it = step(web, prefix)
    script = web.body("/" + it.release.file_name)
    web.serve("/" + it.release.file_name, script, cut(100), status(503))
    it.apply(world, silent)
    assert [a.headers.get("range") for a in web.asked] == [None, "bytes=100-", "bytes=100-"]
    assert isinstance(it.check(world), Done)


KILLED = """
import sys, msgspec
from pathlib import Path
from setup_wizard.steps.distribution import Distribution
from setup_wizard.world import World, silent
world = World.here()
step = msgspec.json.decode(sys.argv[1], type=Distribution, dec_hook=lambda kind, value: kind(value))
step.apply(world, silent)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_killed_in_the_installer(world: World, web: WebServer, prefix: Path, number: int) -> None:
    """The half prefix is known as ours: the next run replaces it, and undo removes it."""
    before = trees.picture(world.home)
    here = world.home / "here"
    it = step(web, prefix, f"touch {here}; while :; do sleep 0.1; done")
    state = it.check(world)
    assert isinstance(state, Todo)
    us = subprocess.Popen(
        [sys.executable, "-c", KILLED, msgspec.json.encode(it, enc_hook=str)],
        env={**world.env, "HOME": str(world.home), **world.own_python_env()},
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 20
    while not here.exists():
        assert time.monotonic() < end, us.poll()
        time.sleep(0.02)
    us.send_signal(number)
    us.wait(10)
    here.unlink()
    assert (prefix / "conda-meta").is_dir()

    again = step(web, prefix)
    assert isinstance(again.check(world), Todo)
    again.apply(world, silent)
    assert isinstance(again.check(world), Done)
    assert again.undo(state.before, world) == []
    left = trees.picture(world.home)
    assert {k: v for k, v in left.items() if not k.startswith((".local", ".cache"))} == before


def test_undo_of_a_half_prefix(world: World, web: WebServer, prefix: Path) -> None:
    """What an interrupted run left is taken back without installing it first."""
    it = step(web, prefix)
    state = it.check(world)
    assert isinstance(state, Todo)
    prefix.parent.mkdir()
    trees.open_tree(world, prefix)
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/half").write_text("")
    room_of(prefix).mkdir()
    assert it.undo(state.before, world) == []
    assert not prefix.parent.exists()


def test_a_prefix_that_the_user_removed_is_made_again(world: World, web: WebServer, prefix: Path) -> None:
    """`rm -r` of what we made is no trouble; a part of it missing is said."""
    it = step(web, prefix)
    it.apply(world, silent)
    (prefix / "bin/conda").unlink()
    state = it.check(world)
    assert isinstance(state, Blocked)
    assert "bin/conda is missing" in state.problem
    assert subprocess.run(["rm", "-r", prefix]).returncode == 0
    assert isinstance(it.check(world), Todo)
    it.apply(world, silent)
    assert isinstance(it.check(world), Done)


def test_the_forecast_tells_size_and_hash(world: World, web: WebServer, prefix: Path) -> None:
    """One download; a size that no listing told is asked of the server."""
    it = step(web, prefix)
    unknown = msgspec.structs.replace(it, release=msgspec.structs.replace(it.release, size=0))
    for one in (it, unknown):
        forecast = one.forecast(world, silent)
        (download,) = forecast.downloads
        assert (download.size, download.sha256) == (it.release.size, it.release.sha256)
        assert forecast.bytes_on_disk > download.size
        assert forecast.where == prefix
    assert [a.method for a in web.asked] == ["HEAD"]


@pytest.mark.parametrize(
    ("said", "code", "kind"),
    [
        ("ERROR: File or directory already exists: '/p'\nIf you want to update …", 1, MachineBlocks),
        ("ERROR: Cannot install into directories with spaces", 1, BadInput),
        ("ERROR: Could not create directory: '/p'.\nCheck permissions and …", 1, MachineBlocks),
        ("ERROR: did not recognize option '?', please try -h", 1, CommandFailed),
        ('Please run using "bash"/"dash"/"sh"/"zsh", but not "." or "source".', 1, CommandFailed),
        ("The license agreement wasn't approved, aborting installation.", 2, Declined),
        ("fork: Resource temporarily unavailable", 1, MachineBlocks),
        ("X.sh: line 3: /t/conda.exe: Permission denied", 126, MachineBlocks),
        ("", -9, MachineBlocks),
        ("", 2, CommandFailed),
    ],
)
def test_every_answer_of_the_installer_has_words(said: str, code: int, kind: type[SetupError]) -> None:
    """Each known answer becomes its kind of error, with what was said and what to do."""
    error = explain(Output(code, said))
    assert type(error) is kind
    assert error.fix
    assert said.splitlines()[0] in error.problem if said else True


def test_progress_is_told_while_downloading(world: World, web: WebServer, prefix: Path) -> None:
    """The download reports bytes of a known total."""
    seen: list[Progress] = []
    it = step(web, prefix)
    it.apply(world, seen.append)
    assert any(p.unit == "B" and p.done == p.total == it.release.size for p in seen)


@pytest.mark.parametrize("family", ["miniconda", "miniforge"])
def test_the_installer_of_the_rehearsal(world: World, family: str) -> None:
    """The rehearsal's own installer is chosen, installed, found as a conda, and taken back to the byte."""
    mirror = kept_tiny_mirror().path.as_uri()
    before = trees.picture(world.home)
    release = choose(family, world.system, world.glibc, listing(world, family, mirror))
    it = Distribution(release=release, prefix=world.home / f"{family}3")
    state = it.check(world)
    assert isinstance(state, Todo)
    it.apply(world, silent)
    assert isinstance(it.check(world), Done)
    assert [(f.prefix, f.problem) for f in found.find(world)] == [(it.prefix, "")]
    assert world.run([it.prefix / "bin/conda", "--version"]).out.startswith("conda ")
    assert it.undo(state.before, world) == []
    left = trees.picture(world.home)
    assert {k: v for k, v in left.items() if not k.startswith((".local", ".cache"))} == before
