"""What a user has put into an environment, when that is copied or packed: it stays as it is."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from setup_wizard import files
from setup_wizard.conda import clone, contents
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub, tiny_packages
from setup_wizard.world import silent
from tests.channels import channel, fruits
from tests.conda_stand_ins import foreign
from tests.test_env_delete import KERNEL, Orchard


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with Python, a module for any Python, and fruits."""
    launcher = stub("ipykernel", files=KERNEL, noarch="generic")
    pip = stub("pip", files={"bin/pip": f"#!{PLACEHOLDER}/bin/python\n".encode()}, noarch="generic")
    packages = [*fruits(), python_package(), *tiny_packages(), launcher, pip]
    return channel(tmp_path_factory.mktemp("channels") / "own", packages)


@pytest.fixture
def orchard(tmp_path: Path, url: str) -> Orchard:
    """An account with «orchard», which has a Python and a module of a package."""
    return Orchard(tmp_path / "home", url, ("python", "tiny-tools", "pip"))


def distribution(site: Path, name: str, *paths: str, direct_url: str = "") -> None:
    """What pip writes of a distribution that it has installed, which has these files."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "INSTALLER").write_text("pip\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    if direct_url:
        (info / "direct_url.json").write_text(direct_url)
    own = [f"{info.name}/{path.name}" for path in info.iterdir()]
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in [*paths, *own, f"{info.name}/RECORD"]))


def test_a_module_edited_in_place_changes_one_environment(orchard: Orchard) -> None:
    """Linked is what a package or pip lists; the user's own modules, also beside those, are copies."""
    twin, inside = orchard.prefix.with_name("twin"), contents.site_packages(orchard.prefix)
    site = orchard.prefix / inside
    for name in ("mine", "cow", "linked_to"):
        (site / f"{name}.py").write_text(f"{name} = 1\n")
    distribution(site, "cow", "cow.py")
    editable = json.dumps({"url": "file:///src", "dir_info": {"editable": True}})
    distribution(site, "linked-to", "linked_to.py", direct_url=editable)
    record = next(orchard.prefix.glob("conda-meta/tiny-tools-*.json"))
    as_conda = record.read_bytes().replace(f'"{inside}/'.encode(), b'"site-packages/')
    record.write_bytes(as_conda)  # as in the archive: so conda writes it down
    orchard.good("clone", "orchard", "twin", "--yes")
    same = {n for n in os.listdir(site) if n.endswith(".py") and (site / n).samefile(twin / inside / n)}
    assert same == {"cow.py", "tiny_core.py", "tiny_tools.py"}
    with (twin / inside / "mine.py").open("a") as edited:
        edited.write("mine = 2\n")
    assert (site / "mine.py").read_text() == "mine = 1\n"


def add_data(prefix: Path) -> dict[str, bytes]:
    """Data of the user's that names the place where it lies, and what is in the files."""
    (prefix / "share/cache.pickle").write_bytes(pickle.dumps({"model": f"{prefix}/share/model"}))
    (prefix / "share/short.pickle").write_bytes(
        b"\x80\x02U%c%s/xq\x00." % (len(f"{prefix}") + 2, bytes(prefix))
    )
    with closing(sqlite3.connect(prefix / "share/history.sqlite")) as base:
        base.execute("create table files (path text)")
        base.execute("insert into files values (?)", (f"{prefix}/share/model",))
        base.commit()
    return {path.name: path.read_bytes() for path in sorted(prefix.glob("share/*.*"))}


def assert_stays(prefix: Path, was: Path, data: dict[str, bytes], said: list[str]) -> None:
    """The data came along as it was, is whole, and was named."""
    assert {name: (prefix / "share" / name).read_bytes() for name in data} == data
    with closing(sqlite3.connect(prefix / "share/history.sqlite")) as base:
        assert base.execute("pragma integrity_check").fetchone() == ("ok",)
    assert said == [
        f"stays as it is, though it names {was}: {', '.join(f'share/{name}' for name in sorted(data))}"
    ]


def test_data_that_names_the_place_stays_whole(orchard: Orchard) -> None:
    """A pickle or a database is packed, copied and mended as it is, and named: no name in it is exchanged."""
    prefix, file = orchard.prefix, orchard.home / "orchard.tar.gz"
    data = add_data(prefix)
    (prefix / "bin/mine").write_text(f"#!{prefix}/bin/python")
    notes = orchard.told("pack", "orchard", "-o", str(file))["notes"]
    orchard.good("unpack", str(file), "-n", "there", "--yes")
    assert_stays(prefix.with_name("there"), prefix, data, notes)
    told = orchard.told("clone", "orchard", "a-twin-of-it", "--yes")
    assert_stays(prefix.with_name("a-twin-of-it"), prefix, data, told["warnings"])
    moved = prefix.with_name("moved")
    shutil.move(prefix, moved)
    assert_stays(moved, prefix, data, orchard.told("check", str(moved), "--fix", "--yes")["warnings"])
    for place in (prefix.with_name("there"), prefix.with_name("a-twin-of-it"), moved):
        assert (place / "bin/mine").read_text() == f"#!{place}/bin/python"


def not_ours(orchard: Orchard) -> Path:
    """An environment that was there before us, with a file of the user's."""
    theirs = orchard.home / "theirs"
    shutil.copytree(orchard.prefix, theirs, symlinks=True)
    for note in ("hpc-jupyter-setup", "hpc-jupyter-setup.yml"):
        (theirs / "conda-meta" / note).unlink(missing_ok=True)
    (theirs / "notes.txt").write_text("mine")
    return theirs


@pytest.mark.parametrize("changed", [False, True])
def test_what_is_left_of_the_users_environment_survives_undo(orchard: Orchard, changed: bool) -> None:
    """Copied, and the first one gone for good: then the copy is the user's, whole, as ours is no more."""
    theirs, mine = not_ours(orchard), orchard.prefix.with_name("mine")
    orchard.good("clone", str(theirs), "mine", "--yes")
    if changed:
        orchard.good("install", "mine", "quince=1.1", "--yes")
    orchard.good("delete", str(theirs), "--not-ours", "--yes")
    orchard.good("clean", "--trash", "--yes")
    was = {str(p) for p in mine.rglob("*") if contents.WHOLE not in str(p)}
    ended = orchard.run("undo", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert f"kept, it is yours: {mine}".replace(str(orchard.home), "~") in ended.stdout
    assert sorted(was ^ set(map(str, mine.rglob("*")))) == []
    assert (mine / "notes.txt").read_text() == "mine"
    assert str(mine) in (orchard.home / ".conda/environments.txt").read_text().splitlines()
    assert not orchard.prefix.exists()


def test_copies_of_the_users_files_survive_the_first_ones(orchard: Orchard) -> None:
    """Of a copy of ours, undo takes the packages, and those files of the user's that another one has, too."""
    twin, other = orchard.prefix.with_name("twin"), orchard.prefix.with_name("other")
    (orchard.prefix / "notes.txt").write_text("mine")
    orchard.good("clone", "orchard", "twin", "--yes")
    orchard.good("clone", "twin", "other", "--yes")
    orchard.good("delete", "orchard", "--yes")
    orchard.good("clean", "--trash", "--yes")
    ended = orchard.run("undo", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert [p for p in twin.rglob("*") if not p.is_dir()] == [twin / "notes.txt"]
    assert not other.exists()


def test_what_moves_is_on_the_disk_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was written is flushed before the copy is one, so before the old place can go."""
    old, new = foreign(tmp_path / "old", "pear-1-0"), tmp_path / "new"
    (old / "notes.txt").write_text("mine")
    (old / contents.WHOLE).touch()
    flush, seen = files.sync_disk, []

    def spied(folder: Path) -> None:
        flush(folder)
        seen.append((sorted(p.name for p in folder.rglob("[np]*")), new.exists()))

    monkeypatch.setattr(files, "sync_disk", spied)
    clone.clone(clone.Source(old, everything=True), new, silent, None)
    assert seen == [(["notes.txt", "pear-1-0.json"], False)]
    assert (new / "notes.txt").exists()
