"""What it takes to get into private channels, for rattler to read: a file in memory, gone when we are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def written(logins: Iterable[str]) -> str:
    """The path of that file: what the user's own has for other hosts, and these channels."""
    keys = {**_own(), **{urlsplit(login).hostname or "": _key(login) for login in logins}}
    memory = os.memfd_create("keys")
    os.write(memory, json.dumps(keys).encode())
    return f"/proc/self/fd/{memory}"


def _own() -> dict[str, Any]:
    path = os.environ.get("RATTLER_AUTH_FILE")
    return dict(json.loads(Path(path).read_bytes())) if path and Path(path).is_file() else {}


def _key(login: str) -> dict[str, Any]:
    parts = urlsplit(login)
    if token := re.search(r"/t/([^/]+)", parts.path):
        return {"CondaToken": unquote(token[1])}
    return {
        "BasicHTTP": {"username": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    }
