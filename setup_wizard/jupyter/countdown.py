"""The end of the time, told in the browser: an extension of JupyterLab and Notebook, kept in the nook."""

from __future__ import annotations

import json
from importlib.resources import files

from setup_wizard import __version__
from setup_wizard.jupyter.nook import Nook

NAME = "hpc-jupyter-setup-countdown"
LOADED = "static/countdown.js"
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


def tell(nook: Nook, at: float) -> None:
    """Let the page know when the session will end, in seconds since the epoch; 0: nobody knows."""
    if at:
        (nook.static / "end.json").write_text(json.dumps({"at": at}))
