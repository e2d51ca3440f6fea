"""Runs in Jupyter's own process, as an extension of its server, whatever its Python: it knows nothing of us.

The server reads once, at its start, which foreign origin it may serve. The name of a session at its proxy may
change later; it is then told in a file beside this one.

Another file is touched when somebody has changed something: saved a file, started a kernel. The server's own
idea of activity is no use for that: a page that is only open asks it for news all the time, and every ten
seconds even writes down how it looks.
"""

import re
from pathlib import Path
from typing import Any

ORIGIN, CHANGED = (Path(__file__).with_name(name) for name in ("origin", "changed"))
LOOK = 0.5  # seconds between two looks
ASKS = ("GET", "HEAD", "OPTIONS")
WORK = ("/api/contents", "/api/kernels", "/api/sessions", "/api/terminals")


def _jupyter_server_extension_points() -> Any:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    settings = app.web_app.settings
    log = settings["log_function"]

    def look() -> None:
        app.io_loop.call_later(LOOK, look)
        if ORIGIN.exists():
            settings["allow_origin_pat"] = re.compile(ORIGIN.read_text())

    def answered(handler: Any) -> None:
        log(handler)
        asked = handler.request
        told_not_to = asked.query == "no_track_activity=1"
        if asked.method in ASKS or told_not_to or not asked.path.startswith(WORK):
            return
        if handler.get_status() < 400:
            CHANGED.touch()

    CHANGED.touch()
    settings["log_function"] = answered
    look()
