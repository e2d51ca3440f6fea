"""Compiles Python sources into byte code that is valid as long as they say the same, whatever their times.

A program of its own, run by the Python of the environment in question, with nothing but its own library, and
written for every Python since 3.7: `PREFIX/bin/python -I -S compiling.py < orders`. An order is a line of
JSON: `{"folder": …, "files": [[SOURCE, NAME FOR TRACEBACKS, FILE IN THE FOLDER], …]}`. The folder is made
whole or not at all; then its name is printed.
"""

from __future__ import annotations

import errno
import json
import os
import py_compile
import shutil
import sys
import warnings

FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Carry out the orders, one after the other."""
    warnings.simplefilter("ignore")  # an odd escape sequence is its author's business
    for text in sys.stdin:
        order = json.loads(text)
        try:
            make(order["folder"], order["files"])
        except OSError as e:
            if e.errno in FULL:
                return
            raise
        print(order["folder"], flush=True)


def make(folder: str, files: list[list[str]]) -> None:
    """Fill a folder beside, and rename it. A full disk raises: what has no byte code now gets it later."""
    above, name = os.path.split(folder)
    building = os.path.join(above, "." + name)
    shutil.rmtree(building, ignore_errors=True)
    os.mkdir(building, 0o700)
    for source, shown, target in files:
        compile_one(source, shown, os.path.join(building, target))
    os.rename(building, folder)


def compile_one(source: str, shown: str, target: str) -> None:
    """Compile a file; what is no Python (a template, say) or is gone has no byte code."""
    checked = py_compile.PycInvalidationMode.CHECKED_HASH
    try:
        py_compile.compile(source, target, shown, doraise=True, invalidation_mode=checked)
    except (py_compile.PyCompileError, OSError, ValueError, RecursionError) as e:
        if getattr(e, "errno", 0) in FULL:
            raise
        if os.path.exists(target):
            os.unlink(target)


if __name__ == "__main__":
    main()
