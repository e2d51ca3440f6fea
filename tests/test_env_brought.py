"""Environments that were moved or copied by hand: `env check --fix` makes them whole where they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from setup_wizard.conda import damage, in_place, relocate
from setup_wizard.journal import Journal
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from setup_wizard.trees import picture
from tests.channels import channel, fruits
from tests.test_env_copies import SAYS, add_own_files
from tests.test_env_delete import KERNEL, Orchard, moments

PIP = f"#!{PLACEHOLDER}/bin/python\n".encode()


R = f"#!/bin/sh\nR_HOME_DIR={PLACEHOLDER}/lib/R\necho $R_HOME_DIR\n".encode()
PC = f"prefix={PLACEHOLDER}\nlibdir=${{prefix}}/lib\nCflags: -I/usr/include -I/usr/include/x\n".encode()
WITHOUT_PYTHON = {"r": {"bin/R": R, "lib/R/VERSION": b"4"}, "zlib": {"lib/pkgconfig/z.pc": PC}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with Python, an entry point, programs that hold the prefix, and fruits."""
    says = stub("says", files={"bin/says": SAYS, "bin/pip": PIP}, noarch="generic")
    launcher = stub("ipykernel", files=KERNEL, noarch="generic")
    folder = tmp_path_factory.mktemp("channels") / "brought"
    others = [stub(name, files=files) for name, files in WITHOUT_PYTHON.items()]
    channel(folder, [*fruits(), python_package(), *tiny_packages(), says, launcher, *others])
    return folder


@pytest.fixture
def orchard(tmp_path: Path, folder: Path) -> Orchard:
    """An account with «orchard»."""
    return Orchard(tmp_path / "home", folder.as_uri(), ("python", "tiny-tools", "says"))


def assert_whole(prefix: Path, was: Path) -> None:
    """Its programs work there, its records are true, and nothing names the place where it was."""
    says = subprocess.check_output([prefix / "bin/says"], text=True)
    assert says == f"{prefix} {prefix}/lib\n"
    assert subprocess.check_output([prefix / "bin/tiny"], text=True).split()[1] == str(prefix)
    assert damage.look(prefix).flaws == {}
    for path in (p for p in prefix.rglob("*") if p.is_file() and p.suffix != ".pyc"):
        assert not relocate.names(path.read_bytes(), str(was), str(prefix)), path
    assert not list(prefix.rglob("*hpc-jupyter-setup-moving*"))


def disowned(orchard: Orchard) -> None:
    """Let what is there be conda's own: no note and no journal of ours."""
    for note in ("hpc-jupyter-setup", "hpc-jupyter-setup.yml"):
        (orchard.prefix / "conda-meta" / note).unlink(missing_ok=True)
    for place in (".local/state", ".cache"):
        shutil.rmtree(orchard.home / place / "hpc-jupyter-setup")


@pytest.mark.parametrize("said", ["orchard", "{new}", ""])
def test_moved_by_hand(orchard: Orchard, said: str) -> None:
    """Found by its old name, its new place, or both: whole there, ours as before, its kernels follow."""
    mine = orchard.foreign_kernel()
    text, old, new = mine.read_text(), orchard.prefix, orchard.prefix.with_name("orchard-2")
    orchard.good("install", "orchard", "quince=1.1", "--yes")
    old.rename(new)
    words = [said.format(new=new)] if said else []
    looked = orchard.run("env", "check", *words)
    assert looked.returncode == 1
    assert "moved" in looked.stdout
    plan = orchard.told("check", *words, "--fix", "--dry-run")["plan"]
    assert f"write {new} into its files\n  where they name {old}" in plan[0]["preview"]
    assert (new / "bin/says").read_text().count(f"{old} ") == 1, "it was only shown"
    told = orchard.told("check", *words, "--fix", "--yes")
    assert told["ok"]
    assert [one["prefix"] for one in told["environments"]] == [str(new)]
    assert_whole(new, old)
    assert orchard.good("check", "--all-bytes").count("is as it should be") == 1
    for kernel in (mine, orchard.kernels / "orchard/kernel.json"):
        assert json.loads(kernel.read_text())["argv"][0] == f"{new}/bin/python"
    assert (orchard.home / ".conda/environments.txt").read_text() == f"{new}\n"
    orchard.good("install", "orchard-2", "quince=1.2", "--yes")
    assert "quince=1.2" in orchard.file.read_text(), "its file is still kept in step"
    assert orchard.run("undo", "--yes").returncode == 0
    assert mine.read_text() == text, "as before us"
    mine.unlink()
    for place in mine.parents[:5]:
        place.rmdir()
    assert picture(orchard.home) == orchard.before


@pytest.mark.parametrize("said", ["orchard", "{new}"])
@pytest.mark.parametrize("package", WITHOUT_PYTHON)
def test_one_without_python(tmp_path: Path, folder: Path, package: str, said: str) -> None:
    """With R, or libraries of C: its texts prove where it was made; R's starter shows it at a glance."""
    orchard = Orchard(tmp_path / "home", folder.as_uri(), (package,))
    assert orchard.told("check", "orchard")["environments"][0]["remarks"] == []
    old, new = orchard.prefix, orchard.prefix.with_name("orchard-2")
    old.rename(new)
    shutil.copytree(new, orchard.home / "copy", symlinks=True)
    told = orchard.told("check", said.format(new=new), code=1)["environments"][0]
    assert str(old if said != "orchard" else new) in told["remarks"][0]["text"]
    problems = {e["prefix"]: e["problem"] for e in orchard.told("list")["environments"]}
    assert ("moved" in problems[str(new)]) == (package == "r")
    assert orchard.told("check", said.format(new=new), "--fix", "--yes")["ok"]
    for path in WITHOUT_PYTHON[package]:
        assert str(old).encode() + b"/" not in (new / path).read_bytes()
    assert damage.look(new, every_byte=True).flaws == {}
    assert orchard.told("check", str(new))["environments"][0]["remarks"] == []
    shutil.rmtree(orchard.home / "copy")
    orchard.undone()


def test_what_is_the_users_in_it_stays(orchard: Orchard) -> None:
    """Files that pip or the user has put there name the new place; undo names and keeps them."""
    add_own_files(orchard.prefix)
    old, new = orchard.prefix, orchard.home / "o"
    old.rename(new)
    orchard.good("check", str(new), "--fix", "--yes")
    assert_whole(new, old)
    assert os.readlink(new / "link") == f"{new}/notes.txt"
    assert (new / "bin/cow").read_text().startswith(f"#!{new}/bin/python\n")
    assert os.access(new / "bin/cow", os.X_OK)
    assert (new / "built.so").read_bytes().startswith(b"\x7fELF\0" + os.fsencode(new) + b"/lib\0\0")
    assert orchard.run("undo", "--yes").stdout.count("kept, it is yours") == 5
    left = {str(p.relative_to(new)) for p in new.rglob("*") if not p.is_dir()}
    assert {"notes.txt", "bin/cow", "built.so", "link"} < left


@pytest.mark.parametrize("links", [False, True])
def test_copied_by_hand(orchard: Orchard, links: bool) -> None:
    """The copy is whole where it is and the user's own; the first one is as it was, and undone alone."""
    old, new = orchard.prefix, orchard.prefix / "../../../copies/orchard"
    new = Path(os.path.normpath(new))
    new.parent.mkdir()
    subprocess.run(["cp", "-al" if links else "-a", old, new], check=True)
    was = picture(old)
    assert "copied here" in orchard.run("env", "check", str(new)).stdout
    orchard.good("check", str(new), "--fix", "--yes")
    assert_whole(new, old)
    assert "is as it should be" in orchard.good("check", str(new), "--all-bytes")
    assert picture(old) == was
    assert [key for key in orchard.steps if str(new) in key] == []
    whole = picture(new)
    assert orchard.run("undo", "--yes").returncode == 0
    assert not old.exists()
    assert picture(new) == whole


def test_one_of_conda_s_own(orchard: Orchard) -> None:
    """Moved, with a kernel: whole, still not ours; undo has nothing to take back."""
    mine = orchard.foreign_kernel()
    disowned(orchard)
    old, new = orchard.prefix, orchard.home / "far"
    old.rename(new)
    orchard.good("check", str(new), "--fix", "--yes")
    assert_whole(new, old)
    assert json.loads(mine.read_text())["argv"][0] == f"{new}/bin/python"
    assert orchard.steps == []
    whole, kernel = picture(new), mine.read_text()
    assert orchard.run("undo", "--yes").returncode == 0
    assert (picture(new), mine.read_text()) == (whole, kernel)


@pytest.mark.parametrize("ours", [True, False])
def test_killed_while_it_is_mended(orchard: Orchard, tmp_path: Path, ours: bool) -> None:
    """At each third moment: the same again ends it."""
    log, here, there = tmp_path / "log", orchard.prefix, orchard.prefix.with_name("orchard-2")
    if not ours:
        disowned(orchard)
    here.rename(there)
    stops = moments(orchard, log, "env", "check", str(there), "--fix", "--yes")
    for where in stops[::3]:
        here, there = there, here
        here.rename(there)
        words = ("env", "check", str(there), "--fix", "--yes")
        assert orchard.run(*words, fuse=(where, log)).returncode == -9, where
        again = orchard.run(*words)
        assert again.returncode == 0, (where, again.stdout, again.stderr)
        assert_whole(there, here)
        kernels = [json.loads(p.read_text())["argv"][0] for p in orchard.kernels.glob("*/kernel.json")]
        assert kernels == [f"{there}/bin/python"], where
        made = [f"conda_env:{there}", "kernel:orchard"] if ours else []
        assert sorted(orchard.steps) == made, where
    if ours:
        orchard.undone()


def test_undone_after_a_kill(tmp_path: Path, folder: Path) -> None:
    """Whatever a kill left of it, undo gives the home as it was before the environment."""
    probe = Orchard(tmp_path / "probe", folder.as_uri(), ("python", "tiny-tools", "says"))
    probe.prefix.rename(probe.home / "far")
    stops = moments(probe, tmp_path / "log", "env", "check", str(probe.home / "far"), "--fix", "--yes")
    for number, where in enumerate(stops[1::5]):
        orchard = Orchard(tmp_path / str(number), folder.as_uri(), ("python", "tiny-tools", "says"))
        orchard.prefix.rename(orchard.home / "far")
        words = ("env", "check", str(orchard.home / "far"), "--fix", "--yes")
        assert orchard.run(*words, fuse=(where, tmp_path / "log")).returncode == -9, where
        if f"conda_env:{orchard.home}/far" in Journal(orchard.world).receipt:
            orchard.undone()


def test_what_is_not_certain_or_cannot_be(orchard: Orchard) -> None:
    """A program that only looks moved, conda itself, a place inside of the old one, one that is too long."""
    pip = orchard.prefix / "bin/pip"
    good = pip.read_bytes()
    pip.write_text("#!/usr/bin/python3\n")
    said = orchard.told("check", "orchard", code=1)["environments"][0]["remarks"]
    assert [(r["kind"], r["mends"]) for r in said if r["kind"] == "moved"] == [("moved", False)]
    assert in_place.named(orchard.prefix) is None
    pip.write_bytes(good)
    for inside in (orchard.home / ("x" * 110), orchard.prefix / "inner"):
        aside = orchard.home / "aside"
        orchard.prefix.rename(aside)
        inside.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(inside)
        before = picture(inside)
        ended = orchard.run("env", "check", str(inside), "--fix", "--yes")
        assert ended.returncode == 3
        assert "is too long" in ended.stderr or "which its files name" in ended.stderr
        assert picture(inside) == before
        inside.rename(aside)
        if inside.parent != orchard.home:
            inside.parent.rmdir()
        aside.rename(orchard.prefix)
    (orchard.prefix / "condabin").mkdir()
    (orchard.prefix / "condabin/conda").touch()
    moved = orchard.prefix.rename(orchard.home / "mini")
    assert "Move it back: mv" in orchard.run("env", "check", str(moved)).stdout


def test_a_prefix_inside_of_words() -> None:
    """The place where it was, and neither its neighbours nor the new place that has it in its name."""
    old, new = "/home/me/e", "/mnt/home/me/e"
    text = b"/home/me/e -L/home/me/e/lib /home/me/e2 /home/me/e.old /home/me/e-1 /home/me/e. /mnt/home/me/e"
    moved = relocate.in_text(text, old, new)
    assert moved == (
        b"/mnt/home/me/e -L/mnt/home/me/e/lib /home/me/e2 /home/me/e.old /home/me/e-1 /mnt/home/me/e. "
        b"/mnt/home/me/e"
    )
    assert relocate.in_text(moved, old, new) == moved
    longer = relocate.in_text(b"/e /e2 /e/lib", "/e", "/e2")
    assert (longer, relocate.in_text(longer, "/e", "/e2")) == (b"/e2 /e2 /e2/lib", longer)
