"""What can go: the trash, packages that nothing uses, what crashes have left; weighed before it goes."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path

from setup_wizard.environments.weight import Scale, Weight
from setup_wizard.errors import Busy
from setup_wizard.world import World
from setup_wizard.world.owners import owner
from tests.test_env_delete import Orchard, moments, orchard, shape, url

__all__ = ["orchard", "url"]  # the fixtures
LONG_AGO = time.time() - 3 * 86_400


def inodes(home: Path) -> dict[int, int]:
    """The inodes of environments and packages with their bytes; not locks, nor the trash itself."""
    found = (p for root in (".conda/envs", ".cache") for p in (home / root).rglob("*"))
    infos = [os.lstat(p) for p in found if p.suffix != ".lock" and p.name != ".hpc-jupyter-setup-trash"]
    return {i.st_ino: i.st_blocks * 512 for i in infos}


def test_what_is_forecast_is_what_comes_free(orchard: Orchard) -> None:
    """Of the trash alone, then of the packages: just these bytes and inodes are gone afterwards."""
    (orchard.prefix / "data").write_bytes(b"x" * 100_000)
    orchard.good("delete", "orchard", "--yes")
    for flag, kinds in (("--trash", {"trash"}), ("--caches", {"packages"})):
        before = inodes(orchard.home)
        told = orchard.told("clean", flag, "--dry-run")
        assert {t["kind"] for t in told["things"]} == kinds
        assert inodes(orchard.home) == before
        assert orchard.told("clean", flag, "--yes") == {**told, "removed": True}
        gone = {n: size for n, size in before.items() if n not in inodes(orchard.home)}
        assert (len(gone), sum(gone.values())) == (told["files"], told["bytes"])
    assert orchard.told("clean", "--dry-run")["things"] == []
    assert "The trash is empty" in orchard.bad(2, "restore", "orchard", "--yes")
    orchard.good("create", str(orchard.file), "--yes")
    orchard.undone()


def test_a_linked_file_weighs_nothing_until_its_last_name_goes(tmp_path: Path) -> None:
    """Two folders with one file between them: the first gives its own, the second all that is left."""
    for name in ("a", "b", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "a/file").write_bytes(b"x" * 5000)
    os.link(tmp_path / "a/file", tmp_path / "b/file")
    (tmp_path / "a/kept").write_bytes(b"x" * 5000)
    os.link(tmp_path / "a/kept", tmp_path / "elsewhere/kept")
    scale, folder = Scale(), os.lstat(tmp_path / "a").st_blocks * 512
    file = os.lstat(tmp_path / "a/file").st_blocks * 512
    assert not scale.frees(tmp_path / "b")
    assert scale.put(tmp_path / "a") == Weight(folder, 1)
    assert scale.frees(tmp_path / "b")
    assert scale.put(tmp_path / "b") == Weight(folder + file, 2)
    assert scale.put(tmp_path / "no such") == Weight()


def test_what_an_environment_uses_stays(orchard: Orchard) -> None:
    """A package goes when no environment has it any more; others are not touched, nor what is young."""
    orchard.good("install", "orchard", "quince=1.1", "--yes")
    orchard.good("install", "orchard", "quince=1.2", "--yes")
    assert [t["name"] for t in orchard.told("clean", "--dry-run")["things"]] == ["quince-1.1-0"]
    assert orchard.told("clean", "--dry-run", "--older-than", "1")["things"] == []
    was = shape(orchard)
    assert "Given back" in orchard.good("clean", "--yes")
    assert shape(orchard) == was
    assert "nothing to clean" in orchard.good("clean", "--yes")
    pkgs = orchard.home / ".cache/hpc-jupyter-setup/pkgs"
    assert not list(pkgs.glob("quince-1.1*"))
    orchard.good("install", "orchard", "quince=1.1", "--yes")
    assert (orchard.prefix / "share/quince").read_text() == "quince 1.1"


def test_what_crashes_have_left(orchard: Orchard) -> None:
    """Unfinished environments of ours and old torn files go; what is young, or another's, stays."""
    envs = orchard.prefix.parent
    ours, other = envs / ".new.building", envs / ".other.building"
    for folder in (ours, other):
        (folder / "conda-meta").mkdir(parents=True)
        (folder / "file").write_text("half")
    (ours / "conda-meta/hpc-jupyter-setup.building").write_text("digest")
    young, old = (orchard.home / f".bashrc.hpc-jupyter-setup-{n}" for n in ("young", "old"))
    for path in (young, old):
        path = path.with_name(f".{path.name}")
        path.write_text("torn")
    os.utime(old.with_name(f".{old.name}"), (LONG_AGO, LONG_AGO))
    told = orchard.told("clean", "--yes")
    assert {t["path"] for t in told["things"]} == {str(ours), str(old.with_name(f".{old.name}"))}
    assert not ours.exists()
    assert (other / "file").exists()
    assert young.with_name(f".{young.name}").exists()


def test_folders_of_commands_that_were_killed(orchard: Orchard, tmp_path: Path) -> None:
    """Such a folder goes with `env clean`, and with the next command that makes one; a living one's stays."""
    place = tmp_path / "tmp"
    place.mkdir()
    orchard.env["TMPDIR"] = str(place)
    us = owner(World(orchard.home, orchard.env), os.getpid())
    living = place / f"hpc-jupyter-setup-{'@'.join(us)}-abcdefgh"
    far = place / f"hpc-jupyter-setup-{'@'.join(['elsewhere', *us[1:4], 'never'])}-abcdefgh"
    dead = place / f"hpc-jupyter-setup-{'@'.join([*us[:4], 'never'])}-abcdefgh"
    for folder in (living, far, dead):
        folder.mkdir()
        (folder / "index").write_text("half")
        os.utime(folder, (LONG_AGO, LONG_AGO))
    assert [t["path"] for t in orchard.told("clean", "--dry-run")["things"]] == [str(dead)]
    orchard.good("clean", "--yes")
    assert set(place.iterdir()) == {living, far}
    dead.mkdir()
    orchard.good("install", "orchard", "quince=1.1", "--dry-run")
    assert set(place.iterdir()) == {living, far}


def test_other_programs_caches_only_with_all(orchard: Orchard) -> None:
    """Of a conda that is there: what its environments use stays even then."""
    conda = orchard.home / "miniconda3"
    for name in ("used-1.0-0", "unused-1.0-0"):
        (conda / "pkgs" / name / "info").mkdir(parents=True)
        (conda / "pkgs" / name / "file").write_text(name)
    (conda / "pkgs/unused-1.0-0.conda").write_text("archive")
    (conda / "conda-meta").mkdir()
    (conda / "conda-meta/conda-24.1.0-py312_0.json").write_text("{}")
    (conda / "envs/theirs").mkdir(parents=True)
    os.link(conda / "pkgs/used-1.0-0/file", conda / "envs/theirs/file")
    assert orchard.told("clean", "--yes")["things"] == []
    told = orchard.told("clean", "--all", "--yes")
    assert [t["name"] for t in told["things"]] == ["unused-1.0-0", "unused-1.0-0.conda"]
    assert sorted(p.name for p in (conda / "pkgs").iterdir()) == ["used-1.0-0"]


def test_not_while_packages_are_put_in(orchard: Orchard) -> None:
    """The cache is somebody's who is at work in it."""
    orchard.good("delete", "orchard", "--yes")
    shutil.rmtree(orchard.prefix.parent / ".hpc-jupyter-setup-trash")  # somebody's own way of emptying it
    pkgs = orchard.home / ".cache/hpc-jupyter-setup/pkgs"
    with (pkgs / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert "at work" in orchard.bad(Busy.code, "clean", "--caches", "--yes")
    orchard.good("clean", "--yes")
    assert orchard.told("clean", "--dry-run")["things"] == []


def test_killed_in_between(orchard: Orchard, tmp_path: Path) -> None:
    """Half of a deleted environment never comes back; the same again, or undo, ends what was begun."""
    log, clean = tmp_path / "log", ("env", "clean", "--yes")

    def delete() -> None:
        orchard.good("create", str(orchard.file), "--yes")
        orchard.good("delete", "orchard", "--yes")

    delete()
    stops = moments(orchard, log, *clean)
    for number, where in enumerate(stops[::3]):
        delete()
        assert orchard.run(*clean, fuse=(where, log)).returncode == -9, where
        if number % 2:
            orchard.undone()
            continue
        back = orchard.run("env", "restore", "orchard", "--yes")
        if back.returncode == 0:  # it had not begun
            orchard.good("install", "orchard", "quince=1.1", "--yes")
            orchard.good("delete", "orchard", "--yes")
        orchard.good("clean", "--yes")
        assert orchard.told("clean", "--dry-run")["things"] == []
        assert not list(orchard.kernels.glob("*/.*"))
        assert not list(orchard.prefix.parent.glob(".*"))
    assert len(stops) > 9
    orchard.undone()
