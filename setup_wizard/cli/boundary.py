"""The one place where errors become words and exit codes."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any

import typer

BUG, INTERRUPTED = 70, 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
STOPPED = ("Stopped by you.", "Run the same command again: it goes on where it stopped.", INTERRUPTED)


def exit_code(work: Callable[[], object]) -> int:
    """Do the work; give 0, the code that it returned, or that of the error, which is shown."""
    from setup_wizard.errors import SetupError

    try:
        result = work()
        sys.stdout.flush()
    except SetupError as e:
        return _show(e.problem, e.fix, e.code)
    except (KeyboardInterrupt, typer.Abort):
        return _show(*STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as e:
        return _full(e) if e.errno in FULL else _bug(e)
    except Exception as e:
        return _usage(e) if hasattr(e, "show") and hasattr(e, "exit_code") else _bug(e)
    if result == INTERRUPTED:  # typer's word for Ctrl-C
        return _show(*STOPPED)
    return result if isinstance(result, int) else 0


def wants_json() -> bool:
    """Whether the command was asked for JSON, as far as the boundary can tell."""
    return "--json" in sys.argv


def _show(problem: str, fix: str, code: int) -> int:
    if wants_json():
        import json

        print(json.dumps({"ok": False, "error": {"problem": problem, "fix": fix, "code": code}}))
    from setup_wizard.ui import show

    show.error(problem, fix)
    return code


def _full(e: OSError) -> int:
    """No room, or no right to write: not our mistake, wherever it came up."""
    from pathlib import Path

    from setup_wizard.files import cannot_write

    said = cannot_write(Path(e.filename or tempfile.gettempdir()), e)
    return _show(said.problem, said.fix, said.code)


def _usage(e: Any) -> int:
    """A wrong flag or a missing argument, in typer's words; in ours where an old habit explains it."""
    from setup_wizard.cli.old_flags import INSTEAD

    flag = getattr(e, "option_name", None)
    if flag in INSTEAD and sys.argv[1:2] == ["launch"]:
        return _show(f"launch has no {flag}.", INSTEAD[flag], int(e.exit_code))
    e.show()
    return int(e.exit_code)


def _bug(e: Exception) -> int:
    """Our own mistake: one line for the person, the whole story in a file."""
    with contextlib.suppress(OSError):
        fd, name = tempfile.mkstemp(prefix="hpc-jupyter-setup-", suffix=".log")
        with open(fd, "w") as f:
            traceback.print_exception(e, file=f)
        return _show(
            f"This is a defect of hpc-jupyter-setup: {type(e).__name__}: {e}",
            f"Nothing is lost; run again. Please report it with the file {name}.",
            BUG,
        )
    traceback.print_exception(e)
    return BUG
