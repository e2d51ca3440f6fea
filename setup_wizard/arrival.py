"""Sent to a login node and run there by its own Python: our program in a folder of its own, and a link to it.

Whole or not at all: the link is made last, and what was begun without getting there is removed. It needs
nothing but the standard library, and imports nothing of ours, which is not there yet.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAME = "hpc-jupyter-setup"
PLACE, LINK = f".local/share/{NAME}", f".local/bin/{NAME}"
WHOLE = "whole"  # a file in a folder that was finished
ABANDONED = 3600  # seconds after which one that was not finished is nobody's any more
ASTRAY = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
KEPT = 12  # last lines of what pip said, for its reader


class Trouble(Exception):
    """A problem and its fix."""


def main(home: Path, wheel: str, content: str) -> int:
    """Install the wheel (its file name, and its bytes in base64); the last line said is the outcome."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        tool = install(home, wheel, base64.b64decode(content))
    except Trouble as e:
        problem, fix = e.args
        print(json.dumps({"ok": False, "error": {"problem": problem, "fix": fix}}))
        return 1
    except OSError as e:
        fix = f"Look at it there: ls -ld {e.filename or home}; df -h {home}"
        print(json.dumps({"ok": False, "error": {"problem": f"{e.filename}: {e.strerror}.", "fix": fix}}))
        return 1
    print(json.dumps({"ok": True, "tool": str(tool)}))
    return 0


def install(home: Path, wheel: str, content: bytes) -> Path:
    """The program's path, when it runs."""
    place, link = home / PLACE, home / LINK
    if os.path.lexists(link) and place not in Path(os.path.join(link.parent, _target(link))).parents:
        raise Trouble(
            f"{link} is there, and not of our making.", f"Update it as it was installed, or: rm {link}"
        )
    place.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="program-", dir=place))
    try:
        fill(folder, wheel, content)
        tool = folder / "bin" / NAME
        run([str(tool), "--version"])
        (folder / WHOLE).touch()
        was = Path(_target(link)).parent.parent
        fresh = link.with_name(f".{NAME}-{folder.name}")
        fresh.symlink_to(tool)
        fresh.replace(link)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            place.rmdir()  # only when it is empty
        raise
    tidy(place, keep=(folder, was))
    return link


def fill(folder: Path, wheel: str, content: bytes) -> None:
    """Make a virtual environment of the folder, and install the wheel in it with what it needs."""
    python = str(folder / "bin/python")
    if importlib.util.find_spec("ensurepip"):
        run([sys.executable, "-m", "venv", str(folder)])
        pip = [python, "-m", "pip"]
    elif importlib.util.find_spec("pip"):
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        pip = [sys.executable, "-m", "pip", "--python", python]
    else:
        raise Trouble(
            f"{sys.executable} has neither ensurepip nor pip, so nothing can be installed with it.",
            "Have another Python >= 3.10 in your PATH there (module avail python), then connect again.",
        )
    path = folder / wheel
    path.write_bytes(content)
    options = ["--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
    run([*pip, "install", *options, str(path)])
    path.unlink()


def run(argv: list[str]) -> None:
    """Run a program and pass on what it says; Trouble with the end of it when it fails."""
    env = {k: v for k, v in os.environ.items() if k not in ASTRAY}
    env.update(PIP_USER="0", PYTHONNOUSERSITE="1", PYTHONUNBUFFERED="1")
    said: list[str] = []
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True
    ) as child:
        try:
            for line in child.stdout or ():
                said = [*said, line.rstrip()][-KEPT:]
                print(line.rstrip(), flush=True)  # fails when nobody hears us any more
        except BaseException:
            child.terminate()
            raise
    if child.returncode != 0:
        raise Trouble(*_why("\n".join(said)))


def tidy(place: Path, keep: tuple[Path, ...]) -> None:
    """Remove earlier programs. The one before stays: sessions that run have it in use."""
    for other in place.glob("program-*"):
        old = time.time() - other.stat().st_mtime > ABANDONED
        if other not in keep and ((other / WHOLE).exists() or old):
            shutil.rmtree(other, ignore_errors=True)


def _target(link: Path) -> str:
    return os.readlink(link) if link.is_symlink() else ""


def _why(said: str) -> tuple[str, str]:
    """The problem and its fix, from what a program said."""
    last = next((line for line in reversed(said.splitlines()) if "rror" in line), said[-200:])
    if "o space left" in said or "quota" in said.lower():
        return "Your disk or quota there is full.", "Make room: du -sh ~/* ~/.[!.]* | sort -h | tail"
    if any(sign in said for sign in ("No matching distribution", "connection", "Max retries", "Connection")):
        return (
            f"The packages that it needs cannot be had there: {last}",
            "Name an index that this machine reaches in ~/.config/pip/pip.conf (index-url = …, proxy = …), "
            "then connect again.",
        )
    return (
        f"The installation failed: {last}",
        "Log in there and see: python3 -m venv t; t/bin/pip install rich",
    )
