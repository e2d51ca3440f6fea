"""Runs in Jupyter's own process, as an extension of its server, whatever its Python: it knows nothing of us.

The server reads once, at its start, which foreign origin it may serve. The name of a session at its proxy may
change later; it is then told in a file beside this one.
"""

import re
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("origin")
LOOK = 0.5  # seconds between two looks


def _jupyter_server_extension_points() -> Any:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    def look() -> None:
        app.io_loop.call_later(LOOK, look)
        if FILE.exists():
            app.web_app.settings["allow_origin_pat"] = re.compile(FILE.read_text())

    look()
