"""What a session adds to Jupyter's server: an extension, kept in the nook.

It is told the one foreign origin that may be served, and tells when somebody has changed something.
"""

from __future__ import annotations

import contextlib
from importlib import resources

from setup_wizard import files
from setup_wizard.jupyter.nook import Nook

MODULE = "hpc_jupyter_setup_in_server"
HEARD = 1.0  # seconds after which a running server has heard of a change


def install(nook: Nook) -> None:
    """Put the extension where the settings of this session's Jupyter look for it."""
    nook.server.mkdir(0o700)
    code = resources.files(__package__).joinpath("in_server.py").read_bytes()
    (nook.server / f"{MODULE}.py").write_bytes(code)


def settings(nook: Nook) -> list[str]:
    """What the settings file says of it."""
    where = f"import sys; sys.path.append({str(nook.server)!r})"
    return [where, f"c.ServerApp.jpserver_extensions.update({{{MODULE!r}: True}})"]


def allow(nook: Nook, pattern: str) -> None:
    """Let the server accept the origins that match this pattern, and no other ones any more."""
    files.write_text(nook.server / "origin", pattern, mode=0o600)


def changed(nook: Nook) -> float:
    """When something was last changed through the server, or it started; 0 where the extension is missing."""
    with contextlib.suppress(OSError):
        return (nook.server / "changed").stat().st_mtime
    return 0.0
