"""An environment of links into an image works at a place of its own as where it was; nothing else is touched.

The folder of the environment itself stands for the mounted image: both are folders that are only read.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from setup_wizard.conda import environment, linked, pack
from setup_wizard.conda.packed import Packed
from setup_wizard.errors import BadInput
from setup_wizard.mirror.archive import PLACEHOLDER
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World, silent
from tests.channels import channel, spec

SAYS = f"#!/bin/sh\necho {PLACEHOLDER}/lib\n".encode()
FILES = {"bin/says": SAYS, "lib/deep/er/libx.so.1": b"\x7fELF", "lib/plain/data": b"1", "etc/a/conf": SAYS}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a Python, a library deep inside, files that name the prefix, a link that does."""
    folder = tmp_path_factory.mktemp("linked")
    url = channel(folder / "channel", [python_package(), stub("says", files=FILES, noarch="generic")])
    prefix = folder / "envs/a"
    environment.create(World(folder, dict(os.environ)), prefix, spec(folder, [url], ["python", "says"]))
    (prefix / "etc/link").symlink_to(prefix / "etc/a")
    (prefix / "bin/huge").write_bytes(b"#!/bin/sh\n" + bytes(linked.LARGEST))
    (prefix / "bin/huge").chmod(0o755)
    return prefix


@pytest.fixture(scope="module")
def note(env: Path) -> Packed:
    """What is noted of it."""
    what = pack.survey(World(env.parent, dict(os.environ)), env, "a")
    return msgspec.structs.replace(what.note, folders=linked.folders(what.note, what.entries))


@pytest.fixture
def made(env: Path, note: Packed, tmp_path: Path) -> Path:
    """The same, linked."""
    (tmp_path / "place").mkdir()
    linked.look(Path("FILE"), env, note).make(tmp_path / "place", silent)
    return tmp_path / "place"


def said(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_its_place_is_its_prefix(env: Path, made: Path) -> None:
    """Python, and what names the prefix, know the new place; every file is there, with its rights."""
    assert said(made / "bin/python3", "-c", "import sys; print(sys.prefix)") == f"{made}\n"
    assert said(made / "bin/says") == f"{made}/lib\n"
    assert (made / "etc/link").resolve() == made / "etc/a"
    for path in (p for p in made.rglob("*") if p.is_file() and not p.is_symlink()):
        assert str(env).encode() not in path.read_bytes(), path
    for path in (p for p in env.rglob("*") if p.is_file()):
        there = made / path.relative_to(env)
        assert there.stat().st_mode == path.stat().st_mode
        assert there.read_bytes().replace(bytes(made), bytes(env)) == path.read_bytes()


def test_what_lies_beside_and_what_is_linked(env: Path, note: Packed, made: Path) -> None:
    """A library finds others by `..`; programs lie beside, but for a large one; the rest is linked whole."""
    assert os.path.samefile(made / "lib/deep/er/../..", made / "lib")
    assert (made / "lib/deep/er/libx.so.1").is_symlink()
    runs = said(made / "bin/python3", "-c", "import os; print(os.readlink('/proc/self/exe'))")
    assert Path(runs.strip()).parent == made / "bin"
    assert os.readlink(made / "bin/huge") == str(env / "bin/huge")
    assert os.readlink(made / "lib/plain") == str(env / "lib/plain")
    assert (made / "share/jupyter/kernels").is_dir()
    takes = linked.look(Path("FILE"), env, note).takes
    assert takes.bytes < note.bytes / 10
    assert takes.files == len(list(made.rglob("*"))) + 1


@pytest.mark.parametrize(
    "folders",
    [("..",), ("../b",), ("lib/..",), ("a/b",), ("link", "link/b"), ("bin/says",), ("/etc",)],
    ids=" ".join,
)
def test_a_note_is_not_believed(env: Path, note: Packed, tmp_path: Path, folders: tuple[str, ...]) -> None:
    """A folder that leads out, goes through a link, or is none, is refused before anything is made."""
    image, place = tmp_path / "image", tmp_path / "place"
    place.mkdir()
    (tmp_path / "aim/b").mkdir(parents=True)
    (image / "bin").mkdir(parents=True)
    (image / "bin/says").touch()
    (image / "link").symlink_to(tmp_path / "aim")
    before = picture(tmp_path)
    evil = msgspec.structs.replace(note, folders=folders)
    with pytest.raises(BadInput, match="is not to be trusted"):
        linked.look(Path("FILE"), image, evil).make(place, silent)
    assert picture(tmp_path) == before
