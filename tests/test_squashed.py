"""An environment as a squashed image, made by the real mksquashfs and mounted by the real squashfuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from setup_wizard.conda import contents
from setup_wizard.trees import picture
from tests.program import Account

UNMOUNT = ["umount"] if os.geteuid() == 0 else ["fusermount", "-u"]
needs_mksquashfs = pytest.mark.skipif(not shutil.which("mksquashfs"), reason="mksquashfs is not installed")


def can_mount() -> bool:
    """Whether this user may mount a file system in user space."""
    return bool(shutil.which("squashfuse") and shutil.which(UNMOUNT[0]) and os.access("/dev/fuse", os.W_OK))


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    """The image at a place."""
    subprocess.run(["squashfuse", image, place], check=True)
    try:
        yield
    finally:
        subprocess.run([*UNMOUNT, place], check=True)


@pytest.fixture
def made(account: Account) -> Path:
    """The prefix of a small environment with a Python."""
    words = ("--mirror", account.mirror, "--yes", "--no-byte-code", "--json")
    return Path(json.loads(account.run("env", "create", str(account.tiny), *words).stdout)["prefix"])


@needs_mksquashfs
def test_it_holds_the_environment(account: Account, made: Path, tmp_path: Path) -> None:
    """Every file as it is, but our own notes; the same bytes each time; the size is what was said."""
    first, second = tmp_path / "tiny.squashfs", tmp_path / "again.squashfs"
    said = json.loads(account.run("env", "pack", "tiny", "-o", str(first), "--json").stdout)
    assert (said["format"], said["size"]) == ("squashfs", first.stat().st_size)
    shown = account.run("env", "pack", "tiny", "-o", str(second))
    assert f"squashfuse {second} {made}" in shown.stdout
    assert first.read_bytes() == second.read_bytes()
    subprocess.run(["unsquashfs", "-q", "-n", "-d", tmp_path / "out", first], check=True, capture_output=True)
    there, here = picture(tmp_path / "out"), picture(made)
    assert set(here) - set(there) == {contents.WHOLE}
    assert {path: here[path][1] for path in there} == {path: what[1] for path, what in there.items()}
    assert sorted(p.name for p in tmp_path.glob(".*.squashfs.*")) == []


@needs_mksquashfs
@pytest.mark.skipif(not can_mount(), reason="no squashfuse, or /dev/fuse is not for this user")
def test_it_works_where_it_is_mounted(account: Account, made: Path, tmp_path: Path) -> None:
    """Mounted in the place of its environment, its Python runs from there, and nothing can be written."""
    image = tmp_path / "tiny.squashfs"
    assert account.run("env", "pack", "tiny", "-o", str(image)).returncode == 0
    made.rename(made.with_name("aside"))
    made.mkdir()
    with mounted(image, made):
        ran = account.run("env", "run", "-p", str(made), "python", "-c", "import sys; print(sys.prefix)")
        assert (ran.stdout, ran.returncode) == (f"{made}\n", 0)
        with pytest.raises(OSError, match="Read-only"):
            (made / "new").touch()


@needs_mksquashfs
def test_what_it_is_not_for(account: Account, made: Path, tmp_path: Path) -> None:
    """It is not unpacked, and not written over what is there; each is told with the other way."""
    image = tmp_path / "tiny.squashfs"
    assert account.run("env", "pack", "tiny", "-o", str(image)).returncode == 0
    unpacked = account.run("env", "unpack", str(image), "-n", "copy", "--yes")
    assert (unpacked.returncode, "mounted in the place" in unpacked.stderr) == (2, True)
    over = account.run("env", "pack", "tiny", "-o", str(image))
    assert (over.returncode, "is there already" in over.stderr) == (2, True)


def test_without_the_program(account: Account, made: Path, tmp_path: Path) -> None:
    """Without mksquashfs nothing is begun, and the format that works everywhere is named."""
    account.env["PATH"] = str(made / "bin")
    ran = account.run("env", "pack", "tiny", "-o", str(tmp_path / "tiny.squashfs"))
    assert ran.returncode == 3
    assert "--format tar.zst" in ran.stderr
    assert not list(tmp_path.glob("*squashfs*"))
