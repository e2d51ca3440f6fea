"""A disk that becomes full, or has no inodes left, in the midst of a command: plain words, nothing broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard.conda import contents, damage, packed
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from tests.channels import channel, pip_package, serve
from tests.program import ROOT, Account
from tests.test_env_own import dist
from tests.web_server import WebServer

NAMES = sorted(f"t{i}" for i in range(6))
LAUNCHER = {"lib/python3.12/site-packages/ipykernel_launcher.py": b"# starts a kernel"}
TRUNK = [
    stub("python", "3.12", files={"bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'.encode()}),
    stub("ipykernel", files=LAUNCHER, noarch="generic"),
    *(
        stub(n, v, files={f"lib/{n}/f{j}": f"{v} {j}".encode() * 50 for j in range(20)}, noarch="generic")
        for n in NAMES
        for v in ("1.0", "2.0")
    ),
]
ENGINE = "before program python -m setup_wizard.conda.engine | 2"  # the first has solved, this one installs
FULL = re.compile(r"could not be written|No space left")
PLENTY = {"size": 20_000, "nr_inodes": 5000}


class Woodman(Account):
    """An account on a file system of its own, that can be filled at any moment of a command."""

    def __init__(self, point: Path, url: str) -> None:
        super().__init__(point / "home")
        self.point, self.log = point, point.parent / "moments"
        self.file, self.prefix = self.home / "trunk.yml", self.home / "envs/trunk"
        wanted = ["python", "ipykernel", *(f"{n}=1.0" for n in NAMES)]
        lines = [f"name: trunk\nchannels: [{url}]\ndependencies:  # of wood", *(f"- {w}" for w in wanted)]
        self.file.write_text("\n".join(lines) + "\n")
        self.env["TMPDIR"], self.said = str(point.parent), ""

    def leave(self, what: str, free: int) -> str:
        """The command that leaves so much: kilobytes of «size», or inodes of «nr_inodes»."""
        column = "used" if what == "size" else "iused"
        used = f"$(df -k --output={column} {self.point} | tail -1)"
        unit = "k" if what == "size" else ""
        return f"mount -o remount,{what}=$(( {used} + {free} )){unit} {self.point}"

    def refused(self, what: str, at: tuple[str, int], *words: str) -> bool:
        """Whether a command with only so much left from a moment on was refused; in words, with a way out."""
        moment, free = at
        self.log.unlink(missing_ok=True)
        self.env["FUSE"] = self.leave(what, free)
        ended = self.run("env", *words, fuse=(moment, self.log))
        subprocess.run(["/bin/sh", "-c", self.leave(what, PLENTY[what])], check=True)
        del self.env["FUSE"]
        self.said = ended.stderr
        assert f"{moment}\n" in self.log.read_text(), f"it never came to: {moment}: {ended.stderr}"
        assert ended.returncode in (0, 3), f"{at}: {ended.stderr}"
        if ended.returncode:
            assert re.search(r"✘ .*\n", ended.stderr), at
            assert FULL.search(ended.stderr), f"{at}: {ended.stderr}"
            assert "df -h" in ended.stderr or "Make room" in ended.stderr, f"{at}: {ended.stderr}"
        return bool(ended.returncode)

    def well(self, *words: str) -> None:
        """The same, with room again."""
        ended = self.run("env", *words)
        assert ended.returncode == 0, ended.stderr + ended.stdout

    def whole(self, **versions: str) -> None:
        """The environment holds what was asked for, as its file does, and nothing lies about."""
        wanted = {f"{n}-{versions.get(n, '1.0')}" for n in NAMES if versions.get(n) != ""}
        assert {s.rpartition("-")[0] for s in contents.stems(self.prefix)} == {
            *wanted,
            "ipykernel-1.0",
            "python-3.12",
        }
        assert damage.look(self.prefix).flaws == {}
        assert contents.whole(self.prefix)
        assert [p.name for p in self.prefix.parent.iterdir()] == ["trunk"]
        text = self.file.read_text()
        assert "# of wood" in text
        assert {f"- {w.replace('-', '=')}" for w in wanted} == {
            line for line in text.splitlines() if line[:3] == "- t"
        }


@pytest.fixture
def woodman(tmp_path: Path) -> Iterator[Woodman]:
    """The account, beside a channel with room."""
    point = tmp_path / "small"
    point.mkdir()
    url = channel(tmp_path / "channels/trunk", TRUNK)
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "x", point]).returncode:
        pytest.skip("only root can mount a small file system")
    yield Woodman(point, url)
    subprocess.run(["umount", "-l", point], check=True)


CREATE = [
    ("before journal line Planned | 1", 0),
    ("before file environments.txt | 1", 0),
    ("before sealing trunk | 1", 0),
    ("before file kernel.json | 1", 0),
]
CHANGE = [(ENGINE, 0), ("before file history | 1", 0), ("before file trunk.yml | 1", 0)]


@pytest.mark.parametrize(
    ("what", "steps"),
    [("size", (8, 150, 400, 600, 700)), ("nr_inodes", (1, 60, 140, 230, 260))],
)
def test_create_on_a_disk_that_becomes_full(woodman: Woodman, what: str, steps: tuple[int, ...]) -> None:
    """While packages are fetched, unpacked and linked, and around it; with room again, all is made."""
    words = ("create", str(woodman.file), "-p", str(woodman.prefix), "--no-byte-code", "--yes")
    before, said = picture(woodman.home), []
    moments = [*((ENGINE, free) for free in steps), *CREATE]
    for n, at in enumerate(moments):
        said.append(woodman.refused(what, at, *words))
        woodman.well(*words)
        woodman.whole()
        assert (woodman.home / ".local/share/jupyter/kernels/trunk/kernel.json").exists()
        if n in (0, len(moments) - 1):
            assert woodman.run("undo", "--yes").returncode == 0
            assert picture(woodman.home) == before
        for name in (".cache", ".local", ".conda", "envs"):
            shutil.rmtree(woodman.home / name, ignore_errors=True)
    assert sum(said) >= len(moments) - 2, list(zip(moments, said, strict=True))


@pytest.mark.parametrize("what", ["size", "nr_inodes"])
def test_all_else_on_a_disk_that_becomes_full(woodman: Woodman, what: str) -> None:
    """Install, update, remove, lock, pack: all stays whole; with room again, the file is in step."""
    at, said = str(woodman.prefix), {}
    woodman.well("create", str(woodman.file), "-p", at, "--no-byte-code", "--yes")
    for moment, name in zip(CHANGE, NAMES[:3], strict=True):
        words = ("install", "-p", at, f"{name}=2.0", "--yes")
        said["install", moment] = woodman.refused(what, moment, *words)
        woodman.well(*words)
    woodman.whole(t0="2.0", t1="2.0", t2="2.0")
    text = woodman.file.read_text()
    woodman.file.write_text(text.replace("- t3=1.0", "- t3"))
    said["update", CHANGE[0]] = woodman.refused(what, CHANGE[0], "update", "-p", at, "--yes")
    woodman.well("update", "-p", at, "--yes")
    woodman.file.write_text(text.replace("- t3=1.0", "- t3=2.0"))
    woodman.whole(t0="2.0", t1="2.0", t2="2.0", t3="2.0")
    for moment, name in zip(CHANGE[1:], NAMES[:2], strict=True):
        words = ("remove-package", "-p", at, name, "--yes")
        said["remove", moment] = woodman.refused(what, moment, *words)
        woodman.run(
            "env", *words
        )  # where it was done but for the note that it is, there is nothing left to do
    woodman.whole(t0="", t1="", t2="2.0", t3="2.0")
    lock, pack = woodman.home / "trunk.lock", woodman.home / "trunk.tar.zst"
    for path, moment, words in (
        (lock, "before file trunk.lock | 1", ("lock", str(woodman.file))),
        (pack, "before packing trunk.tar.zst | 1", ("pack", at, "-o", str(pack))),
    ):
        said[words[0], (moment, 0)] = woodman.refused(what, (moment, 0), *words)
        assert sorted(
            p.name for p in woodman.home.iterdir() if p.name.startswith((".trunk", "trunk."))
        ) == sorted({"trunk.yml", *(["trunk.lock"] if path == pack else [])})
        woodman.well(*words)
    assert packed.look(pack).name == "trunk"
    woodman.well("create", str(lock), "-p", str(woodman.home / "envs/again"), "--no-byte-code", "--yes")
    assert all(said.values()), said


def test_a_pack_that_will_not_fit(woodman: Woodman) -> None:
    """Its size is forecast: nothing is written; a place that has the room is named, or how to make some."""
    woodman.well("create", str(woodman.file), "-p", str(woodman.prefix), "--no-byte-code", "--yes")
    (woodman.prefix / "data").write_bytes(bytes(12_000_000))
    subprocess.run(["/bin/sh", "-c", woodman.leave("size", 1000)], check=True)
    before, pack = set(woodman.home.iterdir()), woodman.home / "trunk.tar.zst"
    words = ("env", "pack", str(woodman.prefix), "-o", str(pack))
    ended = woodman.run(*words)
    said = " ".join(ended.stderr.split())
    assert (ended.returncode, f"✘ {pack} will take about 4 MB; free there are 1 MB." in said) == (3, True)
    assert re.search(r"-o /\S+/trunk.tar.zst|Make room: du ", said)
    assert set(woodman.home.iterdir()) == before
    subprocess.run(["/bin/sh", "-c", woodman.leave("size", 5000)], check=True)
    assert woodman.run(*words).returncode == 0


@pytest.mark.parametrize(("what", "free"), [("size", 0), ("nr_inodes", 4)])
def test_byte_code_on_a_disk_that_becomes_full(woodman: Woodman, what: str, free: int) -> None:
    """What compiles in the background says nothing, and leaves nothing half made; it is made later."""
    woodman.well("create", str(woodman.file), "-p", str(woodman.prefix), "--no-byte-code", "--yes")
    compiling = [sys.executable, "-m", "setup_wizard.conda.byte_code", str(woodman.prefix)]
    kept, made = (
        woodman.home / ".cache/hpc-jupyter-setup/pkgs/byte-code",
        "ipykernel_launcher.cpython-312.pyc",
    )
    subprocess.run(["/bin/sh", "-c", woodman.leave(what, free)], check=True)
    ended = subprocess.run(compiling, env=woodman.env, cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not [p for p in kept.glob("*/*") if p.name[0] != "."], (
        "a package that has none would never get one"
    )
    subprocess.run(["/bin/sh", "-c", woodman.leave(what, PLENTY[what])], check=True)
    subprocess.run(compiling, env=woodman.env, cwd=ROOT, check=True)
    assert [p.name for p in woodman.prefix.rglob("*.pyc")] == [made]
    assert len(list(kept.glob("*/*/*"))) == 1


@pytest.mark.parametrize("what", ["size", "nr_inodes"])
def test_no_room_for_what_the_channels_have(woodman: Woodman, what: str) -> None:
    """It is fetched into TMPDIR, which may be small: that is the place that is named, and the way out."""
    place, folder = woodman.point / "tmp", woodman.point.parent / "channels/trunk"
    place.mkdir()
    words = ("create", str(woodman.file), "-p", str(woodman.prefix), "--no-byte-code", "--yes")
    with WebServer() as web:
        text = woodman.file.read_text().replace(folder.as_uri(), serve(web, folder))
        woodman.file.write_text(text)
        before, woodman.env["TMPDIR"] = picture(woodman.home), str(place)
        assert woodman.refused(what, (ENGINE.replace("2", "1"), 0), *words)
        assert f"TMPDIR ({place})" in woodman.said
        assert "export TMPDIR=/a/larger/place" in woodman.said
        assert list(place.iterdir()) == []
        assert picture(woodman.home) == before
        woodman.env["TMPDIR"] = str(woodman.point.parent)
        woodman.well(*words)


def test_pip_on_a_disk_that_becomes_full(woodman: Woodman, tmp_path: Path) -> None:
    """Told as a full disk, not as a mistake in the list; with room again, pip installs it."""
    with zipfile.ZipFile(tmp_path / "goat-3.0-py3-none-any.whl", "w") as z:
        for path, data in dist("goat", "3.0", "horn").items():
            z.writestr(path, data)
    roomy = ["/bin/sh", "-c", woodman.leave("size", 150_000)]  # the forecast of Python with pip
    subprocess.run(roomy, check=True)
    woodman.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    url = channel(tmp_path / "channels/pip", [python_package(), pip_package(tmp_path)])
    lines = ["name: trunk", f"channels: [{url}]", "dependencies: [python, pip, {pip: [goat]}]"]
    woodman.file.write_text("\n".join(lines))
    words = ("create", str(woodman.file), "-p", str(woodman.prefix), "--no-byte-code", "--yes")
    assert woodman.refused("size", ("before program python -m pip | 1", 0), *words)
    subprocess.run(roomy, check=True)
    woodman.well(*words)
    assert list(woodman.prefix.rglob("goat/horn.py"))
