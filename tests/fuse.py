"""The program with a fuse: it is killed (SIGKILL) at a moment at which it touches the machine.

    python tests/fuse.py "MOMENT | N" LOG COMMAND…      at its N-th time; LOG gets one line a moment

Moments: before, inside and after each journal line; before and after each program, and at lines that it
prints; before, during and after each download; around each note of a tree, each file written and each rename.
Nothing in the package knows of it: the functions are wrapped from outside. With FUSE, a command of the shell,
in the environment, that is run in place of the kill, and the program goes on.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

AT, LOG = sys.argv[1], Path(sys.argv[2])
passed: Counter[str] = Counter()


def moment(name: str) -> None:
    """One moment; the fuse may blow here. Its name is the same in every home and every run."""
    name = re.sub(r"-[a-z0-9_]{8}$|[0-9a-f]{12,}|[0-9]+", "#", name)
    passed[name] += 1
    with LOG.open("a") as log:
        log.write(f"{name} | {passed[name]}\n")
    if f"{name} | {passed[name]}" == AT:
        blow()


def blow() -> None:
    """What the fuse is for."""
    if "FUSE" in os.environ:
        subprocess.run(["/bin/sh", "-c", os.environ["FUSE"]], check=True)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, label: Callable[..., str]) -> None:
    """Wrap a function so that a moment passes before it and one after."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        what = label(*args, **kwargs)
        moment(f"before {what}")
        result = real(*args, **kwargs)
        moment(f"after {what}")
        return result

    setattr(owner, name, wrapped)


def main() -> None:
    """Wrap the doors, then be the program."""
    from setup_wizard import files, journal, trees, world
    from setup_wizard.cli import main as program
    from setup_wizard.conda import pack

    def torn(fd: int, data: bytes) -> None:
        os.write(fd, data[: len(data) // 2])
        moment("inside a journal line")
        os.write(fd, data[len(data) // 2 :])

    real_run, real_download = world.World.run, world.World.download

    def run(self: world.World, argv: Any, *, on_line: Any = None, **more: Any) -> world.Output:
        name = " ".join(Path(str(a)).name for a in argv[:3])
        lines = 0

        def heard(line: str) -> None:
            nonlocal lines
            lines += 1
            if lines % 8 == 1:
                moment(f"inside program {name}")
            on_line(line)

        moment(f"before program {name}")
        output = real_run(self, argv, on_line=heard if on_line else None, **more)
        moment(f"after program {name}")
        return output

    def download(self: world.World, url: str, path: Path, *, report: Any = world.silent, **more: Any) -> Path:
        chunks = 0

        def heard(progress: world.Progress) -> None:
            nonlocal chunks
            chunks += 1
            if chunks in (1, 20):
                moment("inside a download")
            report(progress)

        moment("before a download")
        result = real_download(self, url, path, report=heard, **more)
        moment("after a download")
        return result

    world.World.run, world.World.download = run, download  # type: ignore[method-assign]
    around(journal.Journal, "append", lambda self, event: f"journal line {type(event).__name__}")
    journal._write_all = torn
    around(files, "write", lambda path, *a, **k: f"file {Path(path).name}")
    around(trees, "open_tree", lambda w, root: f"opening {root.name}")
    around(trees, "seal_tree", lambda w, root, *a, **k: f"sealing {root.name}")
    around(pack, "write", lambda path, *a, **k: f"packing {Path(path).name}")
    around(os, "replace", lambda a, b: f"replacing {Path(b).name}")
    around(shutil, "rmtree", lambda path, *a, **k: f"removing {Path(path).name}")
    around(os, "rename", lambda a, b: f"renaming to {Path(b).name}")
    sys.argv = ["hpc-jupyter-setup", *sys.argv[3:]]
    program()


main()
