"""The end of the time, told in the browser: an extension of JupyterLab and Notebook, kept in the nook."""

from __future__ import annotations

import json
from importlib.resources import files

from setup_wizard import __version__
from setup_wizard.jupyter.nook import Nook

NAME = "hpc-jupyter-setup-countdown"
LOADED = "static/countdown.js"
SOON = 600.0  # seconds before an end for want of work at which the page is told of it
SAME = 2.0  # seconds by which an end may seem to move
EXTENSION = {
    "name": NAME,
    "version": __version__,
    "jupyterlab": {"extension": True, "_build": {"load": LOADED, "extension": "./extension"}},
}


def install(nook: Nook) -> None:
    """Put the extension where this session's Jupyter looks for it."""
    folder = nook.extensions / NAME
    (folder / LOADED).parent.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(EXTENSION))
    (folder / LOADED).write_bytes(files(__package__).joinpath("countdown.js").read_bytes())


class Page:
    """What the page of one session knows of its end."""

    def __init__(self, nook: Nook) -> None:
        self.file = nook.static / "end.json"
        self.told = (0.0, False)

    def tell(self, now: float, over: float, idle: float) -> None:
        """When the time is over, and when it ends for want of work, which can be put off; 0: not known.

        All in seconds since the epoch. Work that is not wanting yet is nothing to tell of.
        """
        wanting = 0 < idle - now < SOON and not 0 < over < idle
        new = (idle, True) if wanting else (over, False)
        if new[1] != self.told[1] or abs(new[0] - self.told[0]) > SAME:
            self.told = new
            if new[0]:
                self.file.write_text(json.dumps({"at": new[0], "idle": wanting}))
            else:
                self.file.unlink(missing_ok=True)
