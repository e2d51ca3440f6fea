"""What all tests share: a machine of their own, and the real parts that are made once and kept."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from setup_wizard.mirror import build, server
from setup_wizard.world import Patience, World
from tests.program import Account

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpc-jupyter-setup-tests"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A machine with an empty home, short patience and nothing of the caller's account."""
    home = tmp_path / "home"
    home.mkdir()
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE")}
    env.update(HOME=str(home), SHELL="/bin/bash", USER="student")
    return World(home, env, patience=Patience(connect=2, silence=2, tries=3, pause=0.05))


@pytest.fixture
def shut() -> Iterator[Callable[[Path], None]]:
    """Close a folder to writing until the test is over: by its mode, and to root by a mount."""
    closed: list[Path] = []

    def shut(folder: Path) -> None:
        folder.chmod(0o555)
        closed.append(folder)
        if os.getuid() == 0:
            subprocess.run(["mount", "--bind", folder, folder], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)

    yield shut
    for folder in closed:
        if os.getuid() == 0:
            subprocess.run(["umount", "-l", folder], capture_output=True)
        folder.chmod(0o755)


@pytest.fixture(scope="session")
def jupyter_prefix() -> Path:
    """A real Python with JupyterLab, notebook, ipykernel, numpy, pandas, matplotlib; made once and kept."""
    prefix = CACHE / f"jupyter-{sys.version_info[0]}.{sys.version_info[1]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prefix / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", prefix], check=True)
            wanted = ["jupyterlab", "notebook", "ipykernel", "numpy", "pandas", "matplotlib", "nbclient"]
            subprocess.run([prefix / "bin/python", "-m", "pip", "install", "-q", *wanted], check=True)
            (prefix / "complete").touch()
    return prefix


@pytest.fixture(scope="session")
def tiny_mirror() -> Iterator[str]:
    """The address of a small real mirror: this Python, three packages, an installer, git repositories."""
    made = build.tiny(World.here(), CACHE / "tiny")
    with server.serve(made.path) as url:
        yield url


@pytest.fixture
def account(tmp_path: Path, tiny_mirror: str) -> Account:
    """A bare account beside the tiny mirror, and the program run in it."""
    return Account(tmp_path / "home", tiny_mirror)
