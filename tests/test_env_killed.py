"""SIGKILL at random moments of create, update and remove, fifty times; again: complete, nothing left.

The environment has a real Python with pip, a section for pip, and byte code compiled in the background.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from setup_wizard.conda import byte_code, contents, damage
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.tiny import stub
from setup_wizard.trees import picture
from setup_wizard.world import World
from tests.channels import channel, pip_package
from tests.program import ROOT, Account
from tests.test_env_own import dist

SEED, KILLS = 4, 50  # that count
TURNS = {"create": 8, "update": 7, "remove-package": 7}  # so many at most, before the work is let be done
ALL = {f"t{i}" for i in range(6)}
GOAT = dist("goat", "3.0", "horn")


class Victim(Account):
    """An account whose commands are killed, with the environment that they work on."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path / "home")
        wheels = tmp_path / "wheels"
        wheels.mkdir()
        with zipfile.ZipFile(wheels / "goat-3.0-py3-none-any.whl", "w") as z:
            for path, data in GOAT.items():
                z.writestr(path, data)
        self.tmp = tmp_path / "tmp"
        self.tmp.mkdir()
        self.env |= {
            "TMPDIR": str(self.tmp),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_CACHE_DIR": "1",
        }
        trunk = [
            stub(n, v, files={f"lib/{n}/f{j}": f"{v} {j}".encode() * 50 for j in range(20)}, noarch="generic")
            for n in ALL
            for v in ("1.0", "2.0")
        ]
        made = [python_package(), pip_package(tmp_path), *trunk]
        self.url = channel(tmp_path / "channels/trunk", made)
        self.file, self.prefix = self.home / "trunk.yml", self.home / "envs/trunk"
        self.world = World(self.home, self.env)
        self.dice, self.kills = random.Random(SEED), 0
        self.took = {"create": 2.0, "update": 0.8, "remove-package": 0.8}

    def asks(self, version: str) -> None:
        """Let the YAML file ask for all, in this version."""
        wanted = ["python", "pip", *(f"{n}={version}" for n in sorted(ALL))]
        lines = [f"channels: [{self.url}]", "dependencies:", *(f"- {w}" for w in wanted), "- pip: [goat]"]
        self.file.write_text("\n".join(lines) + "\n")

    def turn(self, *words: str) -> None:
        """Kill the command some times, then let it be done."""
        for _ in range(TURNS[words[0]]):
            if self.kills < KILLS and not self.killed(*words):
                break  # it was done before its time had come
        began = time.monotonic()
        again = self.run("env", *words, "--yes")
        self.took[words[0]] = max(0.4, time.monotonic() - began)
        done = again.returncode == 0 or "has no package" in again.stderr
        assert done, again.stderr

    def killed(self, *words: str) -> bool:
        """Whether it was at work when it was killed, with all that it had started; that is counted.

        What compiles in the background lives on now and then, as a login node's processes do.
        """
        command = [sys.executable, "-m", "setup_wizard", "env", *words, "--yes"]
        quiet = subprocess.DEVNULL
        victim = subprocess.Popen(
            command, cwd=ROOT, env=self.env, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        try:  # as long as it took last: how busy the machine is changes
            victim.wait(self.dice.uniform(0.15, 1) * self.took[words[0]])
        except subprocess.TimeoutExpired:
            os.killpg(victim.pid, signal.SIGKILL)
        if self.dice.random() < 0.5:
            for pid, born in self.world.marked(f"{byte_code.MARK}={self.prefix}"):
                self.world.signal(pid, born, signal.SIGKILL)
        hit = victim.wait() == -signal.SIGKILL
        self.kills += hit
        return hit

    def whole(self, versions: dict[str, str]) -> None:
        """It holds just these, every file is right, goat is there by pip, and nothing lies about."""
        stems = {s.rpartition("-")[0] for s in contents.stems(self.prefix)}
        assert {s for s in stems if s[0] == "t"} == {f"{n}-{v}" for n, v in versions.items()}
        assert {s.partition("-")[0] for s in stems if s[0] != "t"} == {"python", "pip"}
        assert damage.look(self.prefix).flaws == {}
        assert contents.whole(self.prefix), "the note that it is whole"
        site = contents.site_packages(self.prefix)
        owned = {p for r in damage.readable(self.prefix) for p in damage.placed(r, site)}
        owned |= {f"{site}/{path}" for path in GOAT} | {"CACHEDIR.TAG"}
        files = (
            p.relative_to(self.prefix) for p in self.prefix.rglob("*") if not p.is_dir() or p.is_symlink()
        )
        there = {str(p) for p in files if p.suffix != ".pyc" and p.parts[0] != "conda-meta"}
        assert {p for p in there - owned if "goat-3.0.dist-info/" not in p} == set()
        left = [p.name for p in (self.prefix / "conda-meta").iterdir() if p.suffix != ".json"]
        assert sorted(left) == ["history", "hpc-jupyter-setup"]
        assert [p.name for p in self.prefix.parent.iterdir()] == ["trunk"]
        pkgs = self.home / ".cache/hpc-jupyter-setup/pkgs"
        assert not [p for p in pkgs.iterdir() if p.is_dir() and p.name[0] == "."]

    def compiled(self) -> None:
        """The byte code is there, or can still be made: all of it, and Python runs from it."""
        byte_code.stop(self.world, self.prefix)
        byte_code.make(self.world, self.prefix)
        pkgs = self.home / ".cache/hpc-jupyter-setup/pkgs"
        assert byte_code.link(self.prefix, pkgs) == []
        assert not list((pkgs / byte_code.FOLDER).glob("*/.*"))
        python = [
            self.prefix / "bin/python",
            "-B",
            "-c",
            "import goat, pip; print(pip.__cached__, goat.version)",
        ]
        cached, version = subprocess.check_output(python, env=self.env, text=True).split()
        assert (Path(cached).exists(), version) == (True, "3.0")


def test_killed_anywhere_then_again(tmp_path: Path) -> None:
    """Fifty kills that found it at work; after each few it is done and whole; undo leaves nothing."""
    victim = Victim(tmp_path)
    before, at = picture(victim.home), ("-p", str(victim.prefix))
    victim.asks("1.0")
    victim.turn("create", str(victim.file), *at)
    victim.whole(dict.fromkeys(ALL, "1.0"))
    for version in itertools.cycle(("2.0", "1.0")):
        victim.asks(version)
        victim.turn("update", *at)
        victim.whole(dict.fromkeys(ALL, version))
        gone = victim.dice.sample(sorted(ALL), 3)
        victim.turn("remove-package", *at, *gone)
        victim.whole(dict.fromkeys(ALL - set(gone), version))
        if victim.kills == KILLS:
            break
    victim.compiled()
    assert victim.run("undo", "--yes").returncode == 0
    victim.file.unlink()
    assert picture(victim.home) == before
    assert not list(victim.tmp.glob("hpc-jupyter-setup-*")), "what was killed had folders there"
