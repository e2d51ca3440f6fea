"""What Jupyter's version and its last words mean for the user."""

from __future__ import annotations

import re
from pathlib import Path

from setup_wizard.jupyter.start import PACKAGES

FLOOR = (2, 20, 0)  # of jupyter_server: in older ones a notebook that is only looked at can run code

NO_SPACE = "Free some space (df -h ~ /tmp; df -i ~ /tmp; quota -s), then launch again."
MEMORY = (
    "See what else runs (ps ux --sort -rss | head) and end it, or ask for more memory, then launch again."
)
ANOTHER = "Take an image that has it: hpc-jupyter-setup launch --sif IMAGE"
DEATHS = (
    (
        r"No module named '?(jupyterlab|notebook|voila|jupyter_server)\b",
        "{what} is not installed in {prefix}.",
        "conda install -p {prefix} -c conda-forge {what}",
    ),
    (
        r"No module named '?([\w.]+)",
        "Jupyter in {prefix} misses its module {what}.",
        "conda install -p {prefix} -c conda-forge --force-reinstall {package}",
    ),
    (r"No space left on device|Disk quota exceeded", "Jupyter found no space left on the disk.", NO_SPACE),
    (
        r"disk I/O error|database or disk is full",  # in the words of SQLite, which does not say which disk
        "Jupyter could not write a database of its own: most often the quota or a disk is full.",
        NO_SPACE,
    ),
    (r"MemoryError|Cannot allocate memory", "Jupyter ran out of memory.", MEMORY),
    (
        r"[Aa]ddress already in use|port \d+ is already in use",
        "Another program took Jupyter's port in the same moment.",
        "Launch again: another port will be chosen.",
    ),
    (
        r"(?:Permission denied|Read-only file system): '?([^']*)",
        "Jupyter may not use {what}.",
        "See who may: ls -ld {what}",
    ),
)


def warning(version: str) -> str:
    """What the user should know about that version of jupyter_server, "" for nothing."""
    numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:3])
    if numbers >= FLOOR or not numbers:
        return ""
    floor = ".".join(str(n) for n in FLOOR)
    return (
        f"jupyter_server {version} has known security holes: somebody else's notebook that you only look at "
        f"can run code as you. Update it: conda install -c conda-forge 'jupyter_server>={floor}'"
    )


def death(log: str, code: int, prefix: Path, interface: str, image: str = "") -> tuple[str, str]:
    """Why Jupyter ended with `code` (negative: by that signal), from its log: the problem and the fix."""
    if image and code > 128:  # so a container's runtime tells of a signal
        code = 128 - code
    lines = [line for line in log.splitlines() if line.strip()][-40:]
    for line in reversed(lines):
        for pattern, problem, fix in DEATHS:
            if found := re.search(pattern, line):
                what = (found.groups() or ("",))[0] or "a file that it needs"
                names = {"what": what, "prefix": image or prefix, "package": PACKAGES[interface]}
                mend = ANOTHER if image and fix.startswith("conda install") else fix.format(**names)
                return problem.format(**names), mend
    if code == -9:
        return "Jupyter was killed from outside; most often that means that memory ran out.", MEMORY
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    said = "\n".join(lines[-6:])
    return f"Jupyter ended {how}.\n{said}".rstrip(), "Read the rest of its log, then launch again."
