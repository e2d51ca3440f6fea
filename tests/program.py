"""The program as a user runs it: a process of its own, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from setup_wizard.world.ours import python_path

ROOT = Path(__file__).parent.parent
SETUP = ("setup", "--yes", "--distribution", "miniconda", "--accept-licence", "miniconda")
TINY = "name: tiny\ndependencies:\n  - python\n  - tiny-tools\n"


class Account:
    """A bare account: a home with ordinary rc files, and the commands run in it."""

    def __init__(self, home: Path, mirror: str = "") -> None:
        self.home, self.mirror = home, mirror
        home.mkdir(parents=True)
        (home / ".bashrc").write_text("# mine\ncase $- in *i*) ;; *) return ;; esac\nalias ll='ls -l'\n")
        (home / ".profile").write_text('[ -n "$BASH_VERSION" ] && . "$HOME/.bashrc"\n')
        self.tiny = home.parent / f"{home.name}-tiny.yml"
        self.tiny.write_text(TINY)
        kept = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "PYTHONPATH")
        self.env = {k: v for k, v in os.environ.items() if k in kept}
        self.env |= {"HOME": str(home), "SHELL": "/bin/bash", "USER": "student", **python_path()}

    @property
    def setup(self) -> tuple[str, ...]:
        """The words of a quick setup against the tiny mirror."""
        choice = ("--environments", str(self.tiny), "--notebooks", "welcome,first-steps")
        return (*SETUP, "--mirror", self.mirror, *choice)

    def run(self, *words: str, fuse: tuple[str, Path] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; with a fuse, to that moment."""
        start = [str(ROOT / "tests/fuse.py"), str(fuse[0]), str(fuse[1])] if fuse else ["-m", "setup_wizard"]
        return subprocess.run(
            [sys.executable, *start, *words],
            env=self.env,
            cwd=self.home.parent,
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
        )

    def facts(self, *words: str) -> Any:
        """Run a command with --json and give the object that it printed."""
        result = self.run(*words, "--json")
        return json.loads(result.stdout)
