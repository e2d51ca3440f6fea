"""An environment as a squashed image, made by the real mksquashfs and mounted by the real squashfuse."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from setup_wizard.conda import contents
from setup_wizard.trees import picture
from tests.images import mounted, needs_fuse, needs_mksquashfs
from tests.program import Account


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
@needs_fuse
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
def test_it_is_unpacked(account: Account, made: Path, tmp_path: Path) -> None:
    """An environment and its kernel come of it, as of an archive, and are sound; undo takes them back."""
    image, torn = tmp_path / "tiny.squashfs", tmp_path / ".tiny.squashfs.hpc-jupyter-setup-killed"
    torn.touch()
    os.mkfifo(made / "bin/pipe")
    assert "bin/pipe is no file" in account.run("env", "pack", "tiny", "-o", str(image)).stdout
    assert not torn.exists()
    words = ("env", "unpack", str(image), "-n", "copy", "--yes", "--json")
    copy = Path(json.loads(account.run(*words).stdout)["prefix"])
    assert json.loads(account.run(*words).stdout)["changed"] == []
    ran = account.run("env", "run", "copy", "python", "-c", "import sys; print(sys.prefix)")
    assert (ran.stdout, ran.returncode) == (f"{copy}\n", 0)
    assert not (copy / "bin/pipe").exists()
    (checked,) = json.loads(account.run("env", "check", "copy", "--json").stdout)["environments"]
    assert checked["remarks"] == []
    assert account.run("undo", "--yes").returncode == 0
    assert not copy.exists()


@needs_mksquashfs
def test_over_what_it_is_written(account: Account, made: Path, tmp_path: Path) -> None:
    """Over an image of before; never over one that somebody else has made, which is not unpacked either."""
    image, foreign = tmp_path / "tiny.squashfs", tmp_path / "foreign.squashfs"
    for _ in range(2):
        assert account.run("env", "pack", "tiny", "-o", str(image)).returncode == 0
    subprocess.run(["mksquashfs", made / "bin", foreign, "-quiet", "-no-progress"], check=True)
    kept = foreign.read_bytes()
    over = account.run("env", "pack", "tiny", "-o", str(foreign))
    assert (over.returncode, "is there already" in over.stderr) == (2, True)
    out = account.run("env", "unpack", str(foreign), "-n", "copy", "--yes")
    assert (out.returncode, "is not an environment packed by this program" in out.stderr) == (2, True)
    assert foreign.read_bytes() == kept
    image.write_bytes(image.read_bytes()[:-1])
    assert account.run("env", "unpack", str(image), "-n", "copy", "--yes").returncode == 2


def test_without_the_program(account: Account, made: Path, tmp_path: Path) -> None:
    """Without mksquashfs nothing is begun, nor without unsquashfs; the other format is named."""
    image = tmp_path / "there.squashfs"
    if shutil.which("mksquashfs"):
        assert account.run("env", "pack", "tiny", "-o", str(image)).returncode == 0
    account.env["PATH"] = str(made / "bin")
    ran = account.run("env", "pack", "tiny", "-o", str(tmp_path / "tiny.squashfs"))
    assert ran.returncode == 3
    assert "--format tar.zst" in ran.stderr
    assert not list(tmp_path.glob("tiny.squashfs*"))
    if image.exists():
        ran = account.run("env", "unpack", str(image), "-n", "copy", "--yes")
        assert (ran.returncode, "unsquashfs takes files out" in ran.stderr) == (3, True)
