"""The network: proxies, and whether what will be downloaded can be reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from setup_wizard.conda import releases
from setup_wizard.errors import SetupError
from setup_wizard.preflight.finding import Finding, Questions, from_error
from setup_wizard.world import World

PATIENCE = 3.0  # seconds for one address; all are asked at once
GRACE = 1.0  # seconds more, for a name that nobody resolves

CHANNEL = "https://conda.anaconda.org/conda-forge/noarch/repodata.json.zst"
GITHUB = "https://github.com/"
NO_FOLDER = "Give --mirror the folder that holds the mirror, as it is called on this machine."
NO_NETWORK = (
    "Set the proxy of your centre (export https_proxy=http://HOST:PORT), run this on a node with internet, "
    "or use a mirror: --mirror URL|PATH"
)


@dataclass(frozen=True)
class Address:
    """A host that will be asked: by this address, for what, and whether nothing goes without it."""

    url: str
    purpose: str
    needed: bool = True


@dataclass
class Answers:
    """What the addresses answered so far: a SetupError, or None for «well»; nobody waits after `until`."""

    until: float
    threads: list[threading.Thread] = field(default_factory=list)
    trouble: dict[str, SetupError | None] = field(default_factory=dict)


def addresses(asked: Questions) -> list[Address]:
    """The exact hosts that the work will ask; with a mirror, only that."""
    if asked.mirror:
        return [Address(f"{asked.mirror}/", "everything")]
    only = asked.families[0] if len(asked.families) == 1 else ""
    found = [Address(CHANNEL, "packages")]  # which index pip asks is the user's own setting
    if "miniconda" in asked.families:
        found.append(Address(f"{releases.MINICONDA}/", "the Miniconda installer", only == "miniconda"))
    from_github = ["the Miniforge installer"] if "miniforge" in asked.families else []
    from_github += ["example notebooks"] if asked.notebooks else []
    if from_github:
        found.append(Address(GITHUB, " and ".join(from_github), only == "miniforge"))
    return found


def begin(world: World, asked: Questions) -> Answers:
    """Ask every address at once, in the background."""
    answers = Answers(world.now() + PATIENCE + GRACE)
    hurried = world.in_a_hurry(PATIENCE)
    for address in addresses(asked):
        thread = threading.Thread(target=_ask, args=(hurried, address, answers), daemon=True)
        answers.threads.append(thread)
        thread.start()
    return answers


def _ask(world: World, address: Address, answers: Answers) -> None:
    answers.trouble[address.url] = _trouble(world, address.url)


def _trouble(world: World, url: str) -> SetupError | None:
    """Why the address cannot be had, or None; what the server says of that very page does not matter."""
    if url.startswith("file:"):
        folder = Path(unquote(urlsplit(url).path))
        return None if folder.is_dir() else SetupError(f"There is no folder {folder}.", fix=NO_FOLDER)
    try:
        reply = world.fetch(url, method="HEAD")
    except SetupError as e:
        return e
    return _proxy_refuses(url) if reply.status == 407 else None


def findings(world: World, asked: Questions, answers: Answers) -> Iterator[Finding]:
    """The proxies, then each address; one that has not answered by now counts as unreachable."""
    yield from _proxies(world, asked)
    for thread in answers.threads:
        thread.join(max(0.0, answers.until - world.now()))
    for address in addresses(asked):
        yield _reached(address, answers)


def _reached(address: Address, answers: Answers) -> Finding:
    host = urlsplit(address.url).hostname or address.url
    trouble = answers.trouble.get(address.url, _silent(host))
    if not trouble:
        return Finding(f"{host} can be reached", detail=f"for {address.purpose}")
    return from_error(f"{host}: needed for {address.purpose}", trouble, "bad" if address.needed else "warn")


def _silent(host: str) -> SetupError:
    return SetupError(f"{host} does not answer.", fix=NO_NETWORK)


def _proxy_refuses(url: str) -> SetupError:
    return SetupError(
        f"The proxy wants a name and a password for {url} (407).",
        fix="export https_proxy=http://NAME:PASSWORD@HOST:PORT",
    )


def _proxies(world: World, asked: Questions) -> Iterator[Finding]:
    used = {proxy for address in addresses(asked) if (proxy := world.proxy(address.url))}
    for proxy in sorted(used):
        yield Finding(f"Proxy {_without_password(proxy)}", detail="from your environment")
    env = {name.lower(): value for name, value in world.env.items()}
    if env.get("http_proxy") and not (env.get("https_proxy") or env.get("all_proxy")):
        yield Finding(
            "http_proxy is set, https_proxy is not",
            "warn",
            "Nearly everything is fetched by https, and that would not go through the proxy.",
            "export https_proxy=$http_proxy",
        )


def _without_password(proxy: str) -> str:
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
