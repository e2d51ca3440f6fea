"""How Jupyter is started: command, settings, environment, and what it says about itself."""

from __future__ import annotations

import contextlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from setup_wizard import files
from setup_wizard.errors import NetworkTrouble
from setup_wizard.jupyter import addition
from setup_wizard.jupyter.nook import Nook
from setup_wizard.world import Ask, World

NOT_TAKEN_OVER = ("JUPYTER", "JPY_", "IPYTHONDIR", "XDG_RUNTIME_DIR", "MPLBACKEND")
USERS_OWN = (
    "JUPYTER_PATH",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_DATA_DIR",
    "JUPYTERLAB_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
PACKAGES = {"lab": "jupyterlab", "notebook": "notebook", "voila": "voila"}
MODULES = {
    **PACKAGES,
    "voila": "jupyter_server",
}  # Voilà is a part of it: behind its token, and proven as it is
PAGES = {"lab": "lab", "notebook": "tree", "voila": "voila"}
ACTIVATE = 'for f in "$1"/etc/conda/activate.d/*.sh; do . "$f"; done >/dev/null 2>&1; env -0'


@dataclass(frozen=True)
class Wanted:
    """What the settings need: own address and port, foreign origin, environment, folder, secrets' place.

    `origin` is a pattern of exactly that foreign origin that a browser may have at first, "" for none.
    """

    address: str
    port: int
    origin: str
    prefix: Path
    folder: Path
    secrets: Path
    root: bool


def settings(wanted: Wanted, nook: Nook) -> str:
    """The settings file. It holds no secret itself, and overrules what the user's own files could open."""
    values = {
        "ServerApp.ip": wanted.address,
        "ServerApp.port": wanted.port,
        "ServerApp.port_retries": 0,
        "ServerApp.sock": "",
        "ServerApp.base_url": "/",
        "ServerApp.certfile": "",
        "ServerApp.keyfile": "",
        "ServerApp.open_browser": False,
        "ServerApp.root_dir": str(wanted.folder),
        "ServerApp.allow_root": wanted.root,
        "ServerApp.allow_origin": "",
        "ServerApp.allow_origin_pat": wanted.origin,
        "ServerApp.allow_credentials": False,
        # a proxy calls us by our number; on loopback, a foreign name is somebody's trick
        "ServerApp.allow_remote_access": not wanted.address.startswith("127."),
        "IdentityProvider.cookie_options": {"samesite": "Strict"},
        "IdentityProvider.secure_cookie": bool(wanted.origin),
        "ServerApp.allow_unauthenticated_access": False,
        "ServerApp.disable_check_xsrf": False,
        "ServerApp.trust_xheaders": False,
        "ServerApp.shutdown_no_activity_timeout": 0,  # we watch ourselves: a busy kernel is spared
        "ServerApp.extra_static_paths": [str(nook.static)],
        "LabApp.extra_labextensions_path": [str(nook.extensions)],
        "JupyterNotebookApp.extra_labextensions_path": [str(nook.extensions)],
        "PasswordIdentityProvider.hashed_password": "",
        "PasswordIdentityProvider.allow_password_change": False,
        "KernelManager.transport": "ipc",
        "NotebookNotary.data_dir": str(nook.path),
        "NotebookNotary.db_file": str(nook.path / "nbsignatures.db"),
        "NotebookNotary.secret_file": str(nook.path / "notebook_secret"),
        # where the language servers look for node modules; left alone, they run npm, which writes to the home
        "LanguageServerManager.node_roots": [str(wanted.folder), f"{wanted.prefix}/lib", str(wanted.prefix)],
        "BaseFileIdManager.db_path": str(nook.path / "file_ids.db"),
    }
    token, cookie = str(wanted.secrets / "token"), str(wanted.secrets / "cookie")
    lines = [
        "c = get_config()",
        *addition.settings(nook),
        *(f"c.{name} = {value!r}" for name, value in values.items()),
        f"c.IdentityProvider.token = open({token!r}).read()",
        f"c.ServerApp.cookie_secret = bytes.fromhex(open({cookie!r}).read())",
    ]
    return "\n".join(lines) + "\n"


def command(prefix: Path, interface: str, nook: Nook) -> list[str]:
    """The argv that starts it; no secret is in it."""
    return [f"{prefix}/bin/python3", "-m", MODULES[interface], f"--config={nook.settings}"]


def environment(world: World, prefix: Path, nook: Nook) -> dict[str, str]:
    """The environment of Jupyter and its kernels: as an activation of `prefix` makes it, without strays."""
    kept = {k: v for k, v in world.clean_env().items() if k in USERS_OWN or not k.startswith(NOT_TAKEN_OVER)}
    env = {**kept, **ours(nook), "PATH": f"{prefix}/bin:{kept.get('PATH', '/usr/bin:/bin')}"}
    if (prefix / "conda-meta").is_dir():
        name = prefix.name if prefix.parent.name == "envs" else str(prefix)
        env.update(CONDA_PREFIX=str(prefix), CONDA_DEFAULT_ENV=name, CONDA_SHLVL="1")
        env.update(_activated(world, prefix, env))
    return env


def ours(nook: Nook) -> dict[str, str]:
    """The variables that every Jupyter of ours needs."""
    return {
        "JUPYTER_RUNTIME_DIR": str(nook.run),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the environment's own python3 kernel, not an older one at home
        "IPYTHONDIR": str(nook.ipython),
    }


def _activated(world: World, prefix: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The variables that the packages' own activation scripts set; none when they do not come to an end."""
    if not any(prefix.glob("etc/conda/activate.d/*.sh")):
        return {}
    argv = ["bash", "--noprofile", "--norc", "-c", ACTIVATE, "bash", str(prefix)]
    output = world.run(argv, env=env, timeout=30)
    pairs = [line.partition("=") for line in output.out.split("\0")] if output.code == 0 else []
    ignored = ("", "_", "SHLVL", "PWD", "OLDPWD")
    return {k: v for k, _, v in pairs if k not in ignored and env.get(k) != v and "\ufffd" not in k + v}


def touched(world: World) -> tuple[Path, ...]:
    """The folders of the home that a starting Jupyter makes, though it puts nothing into them."""
    return files.absent(world.jupyter_data)


def keep_profile(world: World, nook: Nook) -> None:
    """Let kernels read the user's own IPython settings and start-up files, where they write nothing.

    To be called when Jupyter runs: a folder of IPython's makes a starting Jupyter write to the home.
    """
    source, target = world.home / ".ipython/profile_default", nook.ipython / "profile_default"
    for pattern in ("ipython*_config.*", "startup/*.py", "startup/*.ipy"):
        for path in source.glob(pattern):
            link = target / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            link.symlink_to(path)


def shows(world: World, base: str, sign: tuple[str, str], ca: str = "") -> bool:
    """Whether the server at `base` shows the sign: place below its address, content."""
    place, content = sign
    with contextlib.suppress(NetworkTrouble):
        reply = world.call(Ask(base + place, ca=ca))
        return reply.status == 200 and hmac.compare_digest(reply.body, content.encode())
    return False


def version(world: World, base: str) -> str:
    """The version of jupyter_server at `base`, "" when it does not say."""
    with contextlib.suppress(NetworkTrouble, ValueError, KeyError, TypeError):
        return str(json.loads(world.call(Ask(f"{base}api")).body)["version"])
    return ""


def port(nook: Nook) -> int:
    """The port that the Jupyter of this nook says it has; 0 as long as it has not said so.

    The file is not written at one go, so half of it is as good as nothing. Whose process id is in its name,
    nobody knows beforehand: in a container it is not the one that we have started.
    """
    try:
        (file,) = nook.run.glob("jpserver-*.json")
        return int(json.loads(file.read_bytes())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
