"""What it takes to get into private channels, put into the requests for each of them; it lies in no file.

By itself rattler knows one log-in for a host, and there may be several channels.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from rattler.networking import AddHeadersMiddleware, AuthenticationMiddleware, MirrorMiddleware

from setup_wizard.conda.channels import bare

Guards = list[AddHeadersMiddleware | AuthenticationMiddleware | MirrorMiddleware]
Door = tuple[str, str]  # a host, and where a channel begins there: ("conda.lab.org", "/closed/")


def guards(logins: Sequence[str], channels: Sequence[str]) -> Guards:
    """What looks at each request on its way: ours come last, and so before what the user's files say.

    `logins` are channels with their secrets, `channels` all that are asked.
    """
    tokens = {f"{bare(login)}/": [f"{login.rstrip('/')}/"] for login in logins if "/t/" in login}
    passwords = {_door(bare(login)): _header(login) for login in logins if "/t/" not in login}
    hosts = [urlsplit(login).hostname for login in logins]

    def header(host: str, path: str) -> dict[str, str] | None:
        there = [door for door in map(_door, channels) if door[0] == host and path.startswith(door[1])]
        if there:
            return passwords.get(max(there, key=lambda door: len(door[1])))
        alone = hosts.count(host) == 1  # packages may lie beside their channel
        return next((said for door, said in passwords.items() if alone and door[0] == host), None)

    return [MirrorMiddleware(tokens), AuthenticationMiddleware(), AddHeadersMiddleware(header)]


def _door(channel: str) -> Door:
    parts = urlsplit(channel)
    return parts.hostname or "", f"{parts.path.rstrip('/')}/"


def _header(login: str) -> dict[str, str]:
    parts = urlsplit(login)
    said = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}
