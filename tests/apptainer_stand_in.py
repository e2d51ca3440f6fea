"""A scripted container runtime for the tests, called as `apptainer exec … IMAGE COMMAND`.

It is no Apptainer: it knows exactly the options that we use, and refuses any other. What it runs is really
contained, by bubblewrap: of the machine it sees the home, what is bound, /dev and /proc, as with Apptainer,
and a /tmp of its own, as where a centre has it so.

An image is a folder with `image.json`: {"shows": {"/place/inside": "/folder/outside"}, "path": "…"}.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

OWN = "APPTAINERENV_"
OMITTED = ("PATH", "LD_LIBRARY_PATH", "HOME", OWN)


def fatal(text: str) -> int:
    """Say it as Apptainer does."""
    print(f"FATAL:   {text}", file=sys.stderr)
    return 255


def command(asked: argparse.Namespace, image: dict[str, Any], info: int) -> list[str]:
    """The argv of bubblewrap."""
    argv = ["bwrap", "--info-fd", str(info), "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev-bind"]
    argv += ["/dev", "/dev", "--tmpfs", "/tmp"]
    for name in ("bin", "lib", "lib64"):
        argv += ["--symlink", f"usr/{name}", f"/{name}"]
    for inside, outside in image["shows"].items():
        argv += ["--ro-bind", outside, inside]
    for bind in [asked.home, *asked.bind] if asked.home else asked.bind:
        source, _, rest = bind.partition(":")
        target, _, option = rest.partition(":")
        argv += ["--ro-bind" if option == "ro" else "--bind", source, target or source]
    return [*argv, *(["--chdir", asked.pwd] if asked.pwd else []), *asked.command]


def environment(home: str, path: str) -> dict[str, str]:
    """What is inside: the caller's variables, the image's PATH, and what was named for it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(OMITTED)}
    env.update({k[len(OWN) :]: v for k, v in os.environ.items() if k.startswith(OWN)})
    return {**env, "HOME": home or "/", "PATH": path, "APPTAINER_CONTAINER": "yes"}


def main(argv: list[str]) -> int:
    """Run it, pass signals on, and give the exit code as a runtime does: 128 and the number of a signal."""
    parser = argparse.ArgumentParser(prog="apptainer", exit_on_error=False, allow_abbrev=False)
    parser.add_argument("action", choices=["exec"])
    parser.add_argument("--home", default="")
    parser.add_argument("--bind", action="append", default=[])
    parser.add_argument("--pwd", default="")
    parser.add_argument("--nv", action="store_true")
    parser.add_argument("--rocm", action="store_true")
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args(argv)
    if log := os.environ.get("STAND_IN_LOG"):
        Path(log).write_text(json.dumps(argv))
    try:
        image = json.loads(Path(asked.image, "image.json").read_bytes())
    except OSError:
        return fatal(f"could not open image {asked.image}: image format not recognized")
    told, tell = os.pipe()
    child = subprocess.Popen(
        command(asked, image, tell), pass_fds=[tell], env=environment(asked.home, image["path"])
    )
    os.close(tell)
    with os.fdopen(told) as answer:
        inner = json.loads(answer.read() or "{}").get("child-pid", child.pid)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(inner, number))
    return child.wait()


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    sys.exit(main(sys.argv[1:]))
