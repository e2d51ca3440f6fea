"""Environments that are copied, get another name, or go elsewhere: whole, with their kernels, and undone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard import session
from setup_wizard.conda import byte_code, contents, damage, packages
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from setup_wizard.trees import picture
from tests.channels import channel, fruits
from tests.test_env_delete import KERNEL, Orchard, moments, shape

SAYS = f"#!/bin/sh\necho {PLACEHOLDER} {PLACEHOLDER}/lib\n".encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with Python, an entry point, a file that holds the prefix twice, and fruits."""
    says = stub("says", files={"bin/says": SAYS}, noarch="generic")
    launcher = stub("ipykernel", files=KERNEL, noarch="generic")
    packages = [*fruits(), python_package(), *tiny_packages(), says, launcher]
    folder = tmp_path_factory.mktemp("channels") / "copies"
    channel(folder, packages)
    return folder


@pytest.fixture
def orchard(tmp_path: Path, folder: Path) -> Orchard:
    """An account with «orchard»: packages, what pip would have brought, files of the user's own."""
    return Orchard(tmp_path / "home", folder.as_uri(), ("python", "tiny-tools", "says"))


def add_own_files(prefix: Path) -> None:
    """What pip brings, what is edited, what names the place, and what only looks like it."""
    site = next(prefix.glob("lib/python3.*")) / "site-packages"
    (site / "cow").mkdir(parents=True)
    (site / "cow/__init__.py").write_text("says = 'moo'\n")
    (prefix / "bin/cow").write_text(f"#!{prefix}/bin/python\nimport cow\n")
    (prefix / "bin/cow").chmod(0o755)
    (prefix / "notes.txt").write_text("mine")
    (prefix / "built.so").write_bytes(b"\x7fELF\0" + os.fsencode(prefix) + b"/lib\0rest")
    (prefix / "empty").mkdir()
    (prefix / "link").symlink_to(prefix / "notes.txt")


def test_a_clone_is_all_of_it(orchard: Orchard, folder: Path) -> None:
    """Also what no package brought; no channel is asked, and what one edits the other does not see."""
    add_own_files(orchard.prefix)
    was, twin = shape(orchard), orchard.prefix.with_name("twin")
    hidden = folder.rename(folder.with_name("hidden"))
    told = orchard.told("clone", "orchard", "twin", "--yes")
    hidden.rename(folder)
    assert (told["name"], told["prefix"]) == ("twin", str(twin))
    assert {p: what for p, what in shape(orchard).items() if p in was and p != ".conda/environments.txt"} == {
        p: what for p, what in was.items() if p != ".conda/environments.txt"
    }
    for path in (p.relative_to(orchard.prefix) for p in orchard.prefix.rglob("*")):
        if "conda-meta" not in path.parts:
            assert os.path.lexists(twin / path), path
    found = subprocess.run(["grep", "-rFl", f"{orchard.prefix}", twin], capture_output=True, text=True)
    assert not found.stdout, "nothing names the old place"
    says = subprocess.check_output([twin / "bin/says"], text=True)
    assert says == f"{twin} {twin}/lib\n"
    assert (twin / "built.so").read_bytes() == b"\x7fELF\0" + os.fsencode(
        twin
    ) + b"/lib\0" + b"\0" * 3 + b"rest"
    assert os.readlink(twin / "link") == f"{twin}/notes.txt"
    (twin / "notes.txt").write_text("of the twin")
    assert (orchard.prefix / "notes.txt").read_text() == "mine"
    assert damage.look(twin).flaws == {}
    orchard.good("install", "twin", "quince=1.1", "--yes")
    assert "quince" not in orchard.file.read_text(), "the file is that of the other one"
    orchard.good("delete", "orchard", "--yes", "--while-running")
    orchard.good("clean", "--trash", "--yes")
    assert subprocess.check_output([twin / "bin/says"], text=True) == says


def test_a_clone_is_undone(orchard: Orchard) -> None:
    """All of it is ours, the copies of the user's files as well; what came into it since is named."""
    add_own_files(orchard.prefix)
    was = shape(orchard)
    orchard.good("clone", "orchard", "-p", str(orchard.home / "far/away/twin"), "--yes")
    assert orchard.run("undo", "--yes").stdout.count("kept, it is yours") == 5
    assert not (orchard.home / "far").exists()
    assert (orchard.prefix / "notes.txt").exists()
    assert was


def test_a_clone_of_what_is_not_ours(orchard: Orchard, tmp_path: Path, folder: Path) -> None:
    """What conda has made becomes an environment of ours under another name; it stays as it is."""
    other = Orchard(tmp_path / "other", folder.as_uri())
    shutil.copytree(other.prefix, orchard.home / "theirs", symlinks=True)
    for note in ("hpc-jupyter-setup", "hpc-jupyter-setup.yml"):
        (orchard.home / "theirs/conda-meta" / note).unlink(missing_ok=True)
    orchard.good("clone", str(orchard.home / "theirs"), "mine", "--yes")
    orchard.good("install", "mine", "quince=1.1", "--yes")
    assert contents.stems(orchard.prefix.with_name("mine")) == (
        "apple-1.5-0",
        "ipykernel-1.0-0",
        "pear-1.0-0",
        "quince-1.1-0",
    )
    orchard.before |= {
        p: what for p, what in picture(orchard.home).items() if p.partition("/")[0] == "theirs"
    }
    orchard.undone()


def test_renamed_with_its_kernels_and_undone(orchard: Orchard) -> None:
    """Ours gets the new name, those of others start the new place; the user's files are still theirs."""
    mine = orchard.foreign_kernel()
    text = mine.read_text()
    add_own_files(orchard.prefix)
    orchard.good("install", "orchard", "quince=1.1", "--yes")
    old, new = orchard.prefix, orchard.prefix.with_name("grove")
    inodes = {p.name: p.lstat().st_ino for p in (old / "share").iterdir() if p.is_file()}
    told = orchard.told("rename", "orchard", "grove", "--yes")
    assert (told["name"], told["prefix"], told["from"]) == ("grove", str(new), str(old))
    assert sorted(p.name for p in new.parent.iterdir()) == ["grove"]
    assert {p.name: p.lstat().st_ino for p in (new / "share").iterdir() if p.is_file()} == inodes
    assert sorted(p.parent.name for p in orchard.kernels.glob("*/*")) == ["grove", "mine"]
    assert json.loads(mine.read_text())["argv"][0] == f"{new}/bin/python"
    assert subprocess.check_output([new / "bin/says"], text=True) == f"{new} {new}/lib\n"
    assert (orchard.home / ".conda/environments.txt").read_text() == f"{new}\n"
    orchard.good("install", "grove", "quince=1.2", "--yes")
    assert "quince=1.2" in orchard.file.read_text()
    ended = orchard.run("undo", "--yes")
    assert ended.returncode == 0
    assert mine.read_text() == text
    kept = {str(p.relative_to(new)) for p in new.rglob("*") if p.is_file() or p.is_symlink()}
    assert {"notes.txt", "bin/cow", "built.so", "link"} < kept
    assert not old.exists()
    mine.unlink()
    mine.parent.rmdir()
    shutil.rmtree(new)
    for folder in (new.parent, new.parent.parent, mine.parent.parent, mine.parent.parent.parent):
        folder.rmdir() if folder.exists() else None


def test_renamed_twice_and_back(orchard: Orchard) -> None:
    """Names come and go; at the end undo gives the home as it was."""
    for old, new in (("orchard", "grove"), ("grove", "orchard"), ("orchard", "wood")):
        orchard.good("rename", old, new, "--yes")
    orchard.good("create", str(orchard.file), "--yes")
    orchard.good("rename", "orchard", "grove", "--yes")
    assert [e["name"] for e in orchard.facts("status")["environments"]] == ["wood", "grove"]
    orchard.undone()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Another file system, of 96 MB."""
    point = tmp_path / "small"
    point.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "x", point]).returncode:
        pytest.skip("only root can mount a small file system")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


def test_moved_to_another_file_system(orchard: Orchard, small: Path) -> None:
    """Copied, proven, switched, and the old place is gone; undo finds its way back."""
    kernel = orchard.kernels / "orchard/kernel.json"
    there = small / "envs/orchard"
    assert orchard.told("move", "orchard", str(small / "envs"), "--yes")["prefix"] == str(there)
    assert not orchard.prefix.exists()
    assert json.loads(kernel.read_text())["argv"][0] == f"{there}/bin/python"
    assert damage.look(there).flaws == {}
    orchard.good("install", "orchard", "quince=1.1", "--yes")
    orchard.undone()
    assert list(small.iterdir()) == []


def test_no_room_where_it_is_to_go(orchard: Orchard, small: Path) -> None:
    """Said before anything is copied."""
    (orchard.prefix / "data").write_bytes(b"x" * 110_000_000)
    was = shape(orchard)
    assert "free there are" in orchard.bad(3, "move", "orchard", str(small), "--yes")
    assert shape(orchard) == was
    assert list(small.iterdir()) == []


def test_what_is_refused(orchard: Orchard) -> None:
    """Names that are taken, wrong or unknown, sessions, and what is not ours; nothing is changed."""
    orchard.good(
        "create", "-n", "wood", "pear", "-c", orchard.file.read_text().split("[")[1].split("]")[0], "--yes"
    )
    theirs = orchard.home / "theirs"
    (theirs / "conda-meta").mkdir(parents=True)
    (theirs / "conda-meta/history").touch()
    was = shape(orchard)
    for words in (
        ("rename", "orchard", "wood"),
        ("clone", "orchard", "wood"),
        ("clone", "orchard", "orchard"),
    ):
        assert "already" in orchard.bad(2, *words, "--yes")
    assert "is where orchard is" in orchard.bad(2, "move", "orchard", str(orchard.prefix.parent), "--yes")
    assert "no environment «orchad»" in orchard.bad(2, "rename", "orchad", "x", "--yes")
    assert "shall the copy be called" in orchard.bad(2, "clone", "orchard", "--yes")
    orchard.bad(2, "rename", "orchard", "a/b", "--yes")
    assert "not made by this setup" in orchard.bad(3, "rename", str(theirs), "x", "--yes")
    world = orchard.world
    running = session.reserve(world, session.Job(orchard.prefix, orchard.home), session.this_process(world))
    assert running.id in orchard.bad(6, "rename", "orchard", "grove", "--yes")
    session.remove(running)
    assert orchard.good("rename", "orchard", "grove", "--dry-run").count("grove") > 1
    assert shape(orchard) == was


def test_what_depends_on_it_is_shown(orchard: Orchard) -> None:
    """Sessions that run from it, kernels that start it: before it is copied, renamed, moved; in JSON, too."""
    mine, world = orchard.foreign_kernel(), orchard.world
    kernels = [str(mine), str(orchard.kernels / "orchard/kernel.json")]
    running = session.reserve(world, session.Job(orchard.prefix, orchard.home), session.this_process(world))
    far = str(orchard.home / "far")
    for words in (("clone", "orchard", "twin"), ("rename", "orchard", "grove"), ("move", "orchard", far)):
        said = orchard.good(*words, "--dry-run")
        assert f"Session {running.id} runs from it." in said, words
        assert "Kernels that start it: mine, orchard." in said, words
        told = orchard.told(*words, "--dry-run")
        assert (told["sessions"], told["processes"], told["kernels"]) == ([running.id], [], kernels), words
    told = orchard.told("rename", "orchard", "grove", "--yes", "--while-running")
    assert (told["sessions"], told["kernels"]) == ([running.id], kernels)
    session.remove(running)


def test_killed_while_it_is_renamed(orchard: Orchard, tmp_path: Path) -> None:
    """At each third moment: the old or the new one is whole, and the same again ends it."""
    log, names = tmp_path / "log", ["orchard", "grove"]
    stops = moments(orchard, log, "env", "rename", *names, "--yes")
    orchard.good("rename", "grove", "orchard", "--yes")
    for where in stops[::3]:
        assert orchard.run("env", "rename", *names, "--yes", fuse=(where, log)).returncode == -9, where
        there = [p for p in map(orchard.prefix.with_name, names) if contents.whole(p)]
        assert there, where
        says = subprocess.check_output([there[-1] / "bin/says"], text=True)
        assert says == f"{there[-1]} {there[-1]}/lib\n"
        again = orchard.run("env", "rename", *names, "--yes")
        assert again.returncode == 0 or "no environment «orchard»" in again.stderr, (where, again.stderr)
        assert [p.name for p in orchard.prefix.parent.iterdir()] == ["grove"], where
        assert [p.parent.name for p in orchard.kernels.glob("*/*")] == ["grove"], where
        assert [k.partition(":")[0] for k in orchard.steps] == ["conda_env", "kernel"], where
        orchard.good("rename", "grove", "orchard", "--yes")
    orchard.undone()


def test_undone_after_a_kill(tmp_path: Path, folder: Path) -> None:
    """Whatever a kill left of a move, undo gives the home as it was."""
    probe = Orchard(tmp_path / "probe", folder.as_uri())
    stops = moments(probe, tmp_path / "log", "env", "move", "orchard", str(probe.home / "far"), "--yes")
    for number, where in enumerate(stops[1::4]):
        orchard = Orchard(tmp_path / str(number), folder.as_uri())
        words = ("env", "move", "orchard", str(orchard.home / "far"), "--yes")
        assert orchard.run(*words, fuse=(where, tmp_path / "log")).returncode == -9, where
        orchard.undone()


# --- packages that go along -------------------------------------------------------------------------------


def shared(prefix: Path) -> int:
    """The bytes of its files that another name has, too: in the package cache, or another environment."""
    infos = [p.lstat() for p in prefix.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum(i.st_size for i in infos if i.st_nlink > 1)


def cached(cache: Path) -> list[str]:
    """The packages in a package cache, and the folders of byte code."""
    packages = [p.name for p in cache.glob("[!.]*-*") if (p / "info").is_dir()]
    return sorted([*packages, *(p.name for p in cache.glob("byte-code/*/[!.]*"))])


def test_packages_go_along(orchard: Orchard, small: Path) -> None:
    """To another file system: into a cache beside it, out of the old one; the forecast is what it takes."""
    home_cache, cache = orchard.world.cache / "pkgs", small / "envs" / packages.BESIDE
    packed = shared(orchard.prefix)
    byte_code.make(orchard.world, orchard.prefix)
    size, had = shared(orchard.prefix), cached(home_cache)
    free = os.statvfs(small)
    plan = orchard.told("move", "orchard", str(small / "envs"), "--dry-run")["plan"]
    assert [step["title"].split(" orchard")[0] for step in plan[:2]] == [
        "Take the packages of",
        "Make the environment",
    ]
    assert f"out of {home_cache}" in plan[0]["preview"]
    orchard.good("move", "orchard", str(small / "envs"), "--yes")
    used = (free.f_bavail - os.statvfs(small).f_bavail) * free.f_frsize
    told = sum(step["bytes_on_disk"] for step in plan[:2])
    assert abs(used - told) < 0.1 * told + 500_000, (used, told)
    moved = small / "envs/orchard"
    assert shared(moved) == size, "all that was shared is shared there"
    assert (cached(cache), cached(home_cache)) == (had, [])
    assert damage.look(moved).flaws == {}
    second = small / "envs/second"
    orchard.good("create", str(orchard.file), "-p", str(second), "--no-byte-code", "--yes", "--offline")
    assert shared(second) == packed, "a later one there takes next to nothing, and no download"
    orchard.undone()
    assert list(small.iterdir()) == []


def test_packages_that_are_there_or_are_used(orchard: Orchard, small: Path) -> None:
    """A second one is linked from what the first has brought; what others use stays where it was."""
    home_cache, envs = orchard.world.cache / "pkgs", small / "envs"
    orchard.good("clone", "orchard", "twin", "--yes")
    had = cached(home_cache)
    orchard.good("move", "orchard", str(envs), "--yes")
    assert cached(home_cache) == cached(envs / packages.BESIDE) == had
    free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
    plan = orchard.told("move", "twin", str(envs), "--dry-run")["plan"]
    assert (plan[0]["state"], plan[1]["bytes_on_disk"] < 1_000_000) == ("done", True)
    orchard.good("move", "twin", str(envs), "--yes")
    assert free - os.statvfs(small).f_bavail * os.statvfs(small).f_frsize < 2_000_000
    assert cached(home_cache) == [], "now nothing else uses them"
    orchard.good("move", str(envs / "twin"), str(orchard.home / "back"), "--yes")
    assert cached(home_cache) == cached(envs / packages.BESIDE) == had
    orchard.good("move", str(envs / "orchard"), str(orchard.home / "back"), "--yes")
    assert [p.name for p in small.rglob("*")] == ["envs"], "an empty cache goes"
    orchard.undone()


def test_moved_by_its_path_when_there_is_a_new_one(orchard: Orchard, small: Path) -> None:
    """At the old place there is another one since: the path says which of them is meant."""
    orchard.good("move", "orchard", str(small / "envs"), "--yes")
    orchard.good(
        "create", str(orchard.file), "-n", "grove", "-p", str(orchard.prefix), "--no-byte-code", "--yes"
    )
    orchard.good("move", str(small / "envs/orchard"), str(small / "far"), "--yes")
    assert contents.whole(small / "far/orchard")
    assert contents.whole(orchard.prefix)


def test_packages_that_stay(orchard: Orchard, small: Path) -> None:
    """With --no-packages, on one file system, and where the cache has been cleaned: the environment alone."""
    home_cache, had = orchard.world.cache / "pkgs", cached(orchard.world.cache / "pkgs")
    assert (
        orchard.told("move", "orchard", str(orchard.home / "x"), "--dry-run")["plan"][0]["title"][:4]
        == "Make"
    )
    orchard.good("move", "orchard", str(small / "envs"), "--no-packages", "--yes")
    assert cached(home_cache) == had
    assert not (small / "envs" / packages.BESIDE).exists()
    shutil.rmtree(home_cache)
    orchard.good("move", "orchard", str(orchard.home / "back"), "--yes")
    assert not home_cache.exists()
    orchard.undone()


def test_killed_while_packages_go_along(orchard: Orchard, small: Path, tmp_path: Path) -> None:
    """At each sixth moment: the same again ends it, with one whole cache and nothing left in the other."""
    log, places = tmp_path / "log", [orchard.home / ".conda/envs", small / "envs"]
    caches = [orchard.world.cache / "pkgs", small / "envs" / packages.BESIDE]
    had = cached(caches[0])
    stops = moments(orchard, log, "env", "move", "orchard", str(places[1]), "--yes")
    orchard.good("move", "orchard", str(places[0]), "--yes")
    for where in stops[1::6]:
        words = ("env", "move", "orchard", str(places[1]), "--yes")
        assert orchard.run(*words, fuse=(where, log)).returncode == -9, where
        again = orchard.run(*words)
        assert again.returncode == 0 or "where orchard is" in again.stderr, (where, again.stderr)
        assert cached(caches[1]) == had, where
        assert shared(places[1] / "orchard") > 0, where
        assert not [p for p in places[1].rglob(".*") if p.is_dir() and p.name != packages.BESIDE], where
        assert orchard.run("env", "move", "orchard", str(places[0]), "--yes").returncode == 0
        assert cached(caches[0]) == had, where
    orchard.undone()
