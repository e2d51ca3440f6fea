"""The door: scripts/* find a Python, prepare .venv, and keep standard output for the command itself."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = [ROOT / "scripts" / name for name in ("rehearse", "test", "check", "bench")]


@pytest.fixture(scope="module")
def prepare() -> ModuleType:
    """scripts/prepare.py as a module."""
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "scripts/prepare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with our scripts, and a project that nobody can install."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["there-is-no-such-backend"]\nbuild-backend = "nothing"\n'
    )
    return root


def found_python(*names: str, folder: Path) -> str:
    """Which Python lib.sh takes when `folder` is the whole PATH and holds `names` («broken:» ones fail)."""
    folder.mkdir()
    for name in names:
        program = folder / name.removeprefix("broken:")
        body = "exit 127" if name.startswith("broken:") else f'exec {sys.executable} "$@"'
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    for needed in ("dirname", "cat"):
        (folder / needed).symlink_to(shutil.which(needed) or "")
    lines = '. "$0"; find_python; echo "$python"'
    env = {"PATH": str(folder)}
    done = subprocess.run(
        ["/bin/sh", "-c", lines, str(ROOT / "scripts/lib.sh")], env=env, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "script", [*SCRIPTS, ROOT / "scripts/lib.sh", ROOT / ".ci/run"], ids=lambda p: p.name
)
def test_a_script_is_plain_sh(script: Path) -> None:
    """Any POSIX shell can read each script, and those that are meant to be run can be run."""
    assert subprocess.run(["/bin/sh", "-n", script]).returncode == 0
    assert script.name == "lib.sh" or os.access(script, os.X_OK)


def test_the_first_python_is_taken(tmp_path: Path) -> None:
    """`python3` is enough."""
    assert found_python("python3", "python3.12", folder=tmp_path / "bin") == "python3"


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    """A shim that is in PATH and fails does not stop the search."""
    assert found_python("broken:python3", "broken:python3.13", "python3.10", folder=tmp_path / "bin") == (
        "python3.10"
    )


def test_a_stamp_tells_what_the_environment_was_made_from(prepare: ModuleType, checkout: Path) -> None:
    """.venv counts as current until its project file, its interpreter or its place changes."""
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    assert not prepare.is_current(checkout, venv)
    (venv / "stamp").write_text(prepare.stamp(checkout, venv))
    assert prepare.is_current(checkout, venv)

    moved = checkout.with_name("elsewhere")
    shutil.copytree(checkout, moved, symlinks=True)
    assert not prepare.is_current(moved, moved / ".venv")

    before = (checkout / "pyproject.toml").read_text()
    (checkout / "pyproject.toml").write_text(before + "# one more tool\n")
    assert not prepare.is_current(checkout, venv)
    (checkout / "pyproject.toml").write_text(before)

    (venv / "bin/python").unlink()
    assert not prepare.is_current(checkout, venv)


def test_a_failing_installation_says_why(checkout: Path) -> None:
    """What pip said is shown on standard error, no stamp is left, and standard output stays empty."""
    env = {**os.environ, "PIP_NO_INDEX": "1", "PYTHON": sys.executable}
    done = subprocess.run([checkout / "scripts/rehearse", "--json"], env=env, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stdout == ""
    assert "No matching distribution found" in done.stderr
    assert str(checkout / ".venv/install.log") in done.stderr
    assert not (checkout / ".venv/stamp").exists()


def test_missing_programs_are_named(
    prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may not install Debian packages is told which, and the work goes on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    prepare.provide(["git", "script"])
    assert "apt-get install git bsdutils" in capsys.readouterr().out
