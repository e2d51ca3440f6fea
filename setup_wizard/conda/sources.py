"""What an environment is made from, wherever it lies: environment.yml, a lock, a list of exact packages."""

from __future__ import annotations

from pathlib import Path

from setup_wizard.conda import explicit, lock
from setup_wizard.conda.channels import shown
from setup_wizard.conda.other_tools import whose
from setup_wizard.conda.spec import EnvSpec, read_spec
from setup_wizard.errors import BadInput, NetworkTrouble
from setup_wizard.world import World

MOST = 5_000_000  # bytes: ten times the largest lock


def is_url(source: str) -> bool:
    """Whether it has to be fetched."""
    return source.startswith(("http://", "https://", "file://"))


def of_file(path: Path, *, anaconda: bool = False, frozen: bool = False) -> EnvSpec:
    """What a file asks for. Raises BadInput with file:line:column.

    `anaconda` says that the user has agreed to the terms of Anaconda's channels, `frozen` that a lock counts
    also where its YAML has changed.
    """
    return _spec_of(text_of(path), path, anaconda, frozen) if path.is_file() else read_spec(path)


def of_url(world: World, url: str, *, anaconda: bool = False) -> EnvSpec:
    """What is asked for at an address. Raises BadInput with its line and column, NetworkTrouble."""
    if shown(url) != url:
        raise BadInput(
            f"{shown(url)} has a secret or a question in its address, which would be written down.",
            fix="Download it, then give the file: curl -o environment.yml ADDRESS",
        )
    return _spec_of(fetched(world, url), url, anaconda)


def _spec_of(text: str, where: Path | str, anaconda: bool, frozen: bool = False) -> EnvSpec:
    if lock.is_lock(text):
        return lock.spec_of(text, str(where), anaconda, frozen)
    if explicit.is_list(text):
        return explicit.spec_of(text, str(where), anaconda)
    try:
        return read_spec(where, anaconda=anaconda, text=text)
    except BadInput as e:
        raise whose(text, str(where)) or e from None


def lock_text(world: World, spec: EnvSpec) -> str:
    """The lock that a spec was read from, as the engine is to have it; "" for none.

    Raises BadInput where that, or a list of packages, is for another platform.
    """
    explicit.must_be_for(lock.here(world), spec)
    if not spec.lock:
        return ""
    text = fetched(world, spec.origin) if is_url(spec.origin) else text_of(Path(spec.origin))
    return lock.text_for(world, spec, text)


def text_of(path: Path) -> str:
    """The text of such a file. Raises BadInput where it is no text, or cannot be read."""
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as e:
        raise BadInput(f"{path} cannot be read: {e.strerror}.", fix=f"See: ls -l {path}") from e


def fetched(world: World, url: str) -> str:
    """What stands at an address. Raises NetworkTrouble, BadInput for what is no such text."""
    if world.offline and not url.startswith("file:"):
        raise NetworkTrouble(
            f"{url} would have to be fetched, and --offline allows no question.",
            fix="Download it where there is a network, and give the file.",
        )
    reply = world.fetch(url)
    if reply.status != 200:
        raise NetworkTrouble(
            f"There is nothing at {url} (status {reply.status}).", fix="Open it in a browser; correct it."
        )
    return _decoded(reply.body, url)


def _decoded(data: bytes, source: str) -> str:
    if len(data) > MOST:
        raise BadInput(
            f"{source} has {len(data):,} bytes; no description of an environment is so large.",
            fix="Give an environment.yml, a lock or an @EXPLICIT list.",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        column = e.start - data.rfind(b"\n", 0, e.start)
        raise BadInput(
            f"{source}:{line}:{column}: the byte {data[e.start]:#04x} is not UTF-8.",
            fix=f"Save the file as UTF-8, for example: iconv -f latin1 -t utf8 {source} -o {source}.utf8",
        ) from None
    if text.lstrip()[:9].lower() in ("<!doctype", "<html>"):
        raise BadInput(
            f"{source} is a web page, no environment.",
            fix="Give the address of the file itself; on GitHub it is behind the button «Raw».",
        )
    return text
