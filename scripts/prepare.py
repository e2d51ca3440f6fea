"""Bring the checkout's private environment .venv up to date; quick when it already is.

The scripts beside it run it with any Python >= 3.10. It needs nothing but the standard library, and its
arguments are the programs that the caller is going to need. What pip and apt-get say is kept in
.venv/install.log and shown when they fail.

A stamp, written last, tells what .venv was made from; an interrupted installation has none and is done again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_OF = {  # the Debian package of a program
    "bash": "bash",
    "git": "git",
    "script": "bsdutils",
    # The cluster of the tests; see tests/cluster/cluster.py.
    "ip": "iproute2",
    "unshare": "util-linux",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "munged": "munge",
    "slurmctld": "slurm-wlm",
    "qsub": "slurm-wlm-torque",
    "apache2": "apache2-bin",
    "mariadbd": "mariadb-server",
    "slurmdbd": "slurmdbd",
    "openssl": "openssl",
    "curl": "curl",
    "modulecmd": "environment-modules",
    "bwrap": "bubblewrap",
    "mksquashfs": "squashfs-tools",
    "squashfuse": "squashfuse",
    "fusermount3": "fuse3",
    "R": "r-cran-irkernel",  # which brings R
    "chromium": "chromium",
    # The other shells whose start files are judged.
    "fish": "fish",
    "tcsh": "tcsh",
    "zsh": "zsh",
}
POLICY = Path("/usr/sbin/policy-rc.d")  # asked by packages whether they may start their services
MACHINE_BLOCKS = 3  # the exit code, as in docs/reference/exit-codes.md


class Trouble(Exception):
    """What the person has to mend, in their words."""


def main(programs: Sequence[str]) -> int:
    """Prepare .venv, then look for the programs; give the exit code."""
    try:
        prepare(ROOT)
        provide(programs)
    except Trouble as e:
        print(e)
    except OSError as e:
        print(f"{e.filename or ROOT} could not be written: {e.strerror}.\nClone into a folder of your own.")
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    return MACHINE_BLOCKS


# --- the environment --------------------------------------------------------------------------------------


def prepare(root: Path) -> None:
    """Make .venv, or bring it up to date; one at a time."""
    venv = root / ".venv"
    if is_current(root, venv):
        return
    with open(root / ".venv.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another script is preparing {venv}; waiting …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(root, venv):  # another script may have done it while we waited
            install(root, venv)


def is_current(root: Path, venv: Path) -> bool:
    """Whether .venv is complete and was made from what is here now."""
    return read(venv / "stamp") == stamp(root, venv)


def stamp(root: Path, venv: Path) -> str:
    """What .venv depends on: its place (scripts name it), its interpreter, what is to be installed."""
    wanted = hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest()
    return f"{foundation(venv)}\n{wanted}\n"


def foundation(venv: Path) -> str:
    """What is fixed once a .venv is made: where it is, and its Python ("" when that is broken)."""
    try:
        version = subprocess.run([venv / "bin/python", "-V"], capture_output=True, text=True).stdout
    except OSError:
        version = ""
    return f"{venv} {version.strip()}"


def install(root: Path, venv: Path) -> None:
    """Put the project and its developers' tools into .venv, which is made anew where it has to be."""
    began = time.monotonic()
    print(f"Preparing {venv} with Python {sys.version.split()[0]}; once, and it takes a minute …", flush=True)
    (venv / "stamp").unlink(missing_ok=True)
    if not is_usable(venv):
        make(venv)
    python = str(venv / "bin/python")
    if pip_version(python) < (25, 1):  # the first that knows --group
        pip(python, "--upgrade", "pip>=25.1")
    pip(python, "--editable", ".", "--group", "dev", cwd=root)
    (venv / "stamp").write_text(stamp(root, venv))
    print(f"Prepared in {time.monotonic() - began:.0f} s.", flush=True)


def is_usable(venv: Path) -> bool:
    """Whether .venv has a Python that is new enough and pip, and has not been moved since it was made."""
    try:
        here = read(venv / "bin/activate").find(f"{venv}") >= 0
        test = "import sys, pip; sys.exit(sys.version_info < (3, 10))"
        return here and subprocess.run([venv / "bin/python", "-c", test], capture_output=True).returncode == 0
    except OSError:
        return False


def make(venv: Path) -> None:
    """An empty virtual environment with pip; Debian has the parts for it in packages of their own."""
    if not has("ensurepip") and is_root_of_debian():
        apt(["python3-venv", "python3-pip"])
    if has("ensurepip"):
        run([sys.executable, "-m", "venv", "--clear", str(venv)])
    elif has("pip"):
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)])
        run([sys.executable, "-m", "pip", "--python", str(venv / "bin/python"), "install", "pip>=25.1"])
    else:
        raise Trouble(
            f"{sys.executable} cannot make a virtual environment: it lacks both ensurepip and pip.\n"
            "Install them, or choose another Python, then run again:\n"
            "  Debian, Ubuntu              apt-get install python3-venv python3-pip\n"
            "  Fedora, Rocky, Alma, RHEL   dnf install python3-pip\n"
            "  another Python >= 3.10      PYTHON=/path/of/python3 scripts/…"
        )


def has(module: str) -> bool:
    """Whether our Python has that module; asked anew, since it may just have been installed."""
    test = f"import venv, {module}; open({module}.__file__)"  # an empty folder of that name is none
    argv = [sys.executable, "-I", "-c", test]
    return subprocess.run(argv, capture_output=True).returncode == 0


def pip_version(python: str) -> tuple[int, ...]:
    """The version of the pip that belongs to a Python: (25, 1)."""
    words = run([python, "-I", "-m", "pip", "--version"]).split()
    return tuple(int(part) for part in words[1].split(".")[:2] if part.isdigit())


def pip(python: str, *wanted: str, cwd: Path = ROOT) -> None:
    """Install with the pip of that Python."""
    run([python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", *wanted], cwd=cwd)


# --- programs ---------------------------------------------------------------------------------------------


def provide(programs: Sequence[str]) -> None:
    """Install the programs that are missing where we may; else say which, and what will be skipped."""
    missing = packages_of(programs)
    if missing and is_root_of_debian():
        apt(missing)
        missing = packages_of(programs)
    if missing:
        names = " ".join(missing)
        print(f"Not found: {names}. What needs them is skipped. To have all: apt-get install {names}")


def packages_of(programs: Sequence[str]) -> list[str]:
    """The packages of those programs that are missing; an ordinary user has no sbin in PATH."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return [PACKAGE_OF[p] for p in programs if not shutil.which(p, path=path)]


def is_root_of_debian() -> bool:
    """Whether we may install Debian packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt(packages: Sequence[str]) -> None:
    """Install Debian packages; that it did not work is said, and no end: there may be another way.

    No service is started: the tests start their own, where nobody else can reach them.
    """
    print(f"Installing Debian packages: {' '.join(packages)} …", flush=True)
    ours = not POLICY.exists()
    try:
        if ours:
            POLICY.write_text("#!/bin/sh\nexit 101\n")
            POLICY.chmod(0o755)
        run(["apt-get", "-q", "update"])
        run(["apt-get", "-q", "install", "-y", "--no-install-recommends", *packages])
    except (Trouble, OSError) as e:
        print(e)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


# --- running ----------------------------------------------------------------------------------------------


def run(argv: Sequence[str], *, cwd: Path = ROOT) -> str:
    """Run a program, keep what it says, and give it; Trouble with the end of it when the program fails."""
    # Settings of the account that would send pip elsewhere than into .venv.
    env = {k: v for k, v in os.environ.items() if k not in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT")}
    env.update(PIP_USER="0", DEBIAN_FRONTEND="noninteractive")
    done = subprocess.run(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = done.stdout.decode(errors="replace")
    log = ROOT / ".venv/install.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("a") as f:
        f.write(f"$ {' '.join(argv)}\n{said}\n")
    if done.returncode != 0:
        tail = "\n".join(said.splitlines()[-30:])
        raise Trouble(
            f"{tail}\n\n{' '.join(argv[:4])} … ended with code {done.returncode}. All it said: {log}"
        )
    return said


def read(path: Path) -> str:
    """The text of a file, "" when there is none."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
