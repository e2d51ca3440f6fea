"""Variables whose values may be secrets: no plan and no journal has them, so they are read where they stand.

They stand in the user's own YAML, and from then on in `conda-meta/state`, for nobody else to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from setup_wizard import secrecy
from setup_wizard.conda import contents, sources
from setup_wizard.conda.asked import text_of
from setup_wizard.conda.spec import EnvSpec, read_spec, variables_in
from setup_wizard.errors import SetupError
from setup_wizard.world import World
from setup_wizard.yamlfile.items import with_values


def values(world: World, spec: EnvSpec, prefix: Path) -> tuple[dict[str, str], list[str]]:
    """The values, in the order of the spec, and the names of those whose value stands nowhere any more."""
    found: dict[str, str] = {}
    for said in _said(world, spec, prefix) if spec.secret else ():
        for name in spec.secret.keys() - found.keys():
            value = said.get(name, "")
            if value not in ("", secrecy.HIDDEN) and spec.secret[name] in ("", secrecy.trace(value)):
                found[name] = value
        if found.keys() == spec.secret.keys():
            break
    return {n: found[n] for n in spec.secret if n in found}, [n for n in spec.secret if n not in found]


def to_be_set(name: str, prefix: Path) -> str:
    """What the user can do about a variable whose value stands nowhere."""
    return f"The variable {name} has no value. Set it: conda env vars set -p {prefix} {name}=…"


def unsaid(text: str, path: Path) -> str:
    """The text of an environment.yml without the values that may be secrets; all else stays as it is."""
    secret = _secret(text, path)
    if not secret:
        return text
    new = with_values(text, "variables", lambda name, _: secrecy.HIDDEN if name in secret else None)
    with suppress(SetupError):
        if not _secret(new, path):
            return new
    spec = read_spec(path, anaconda=True, text=text)  # aliases, say, make one text stand in two places
    return text_of(spec, spec.name or path.stem)


def _secret(text: str, path: Path) -> set[str]:
    said = variables_in(text, str(path))
    return {n for n, v in said.items() if secrecy.is_one(n, v) and v not in ("", secrecy.HIDDEN)}


def _said(world: World, spec: EnvSpec, prefix: Path) -> Iterator[dict[str, str]]:
    """What the places say, that nearest to the environment first."""
    yield contents.variables(prefix)
    for text, name in _texts(world, spec, prefix):
        with suppress(SetupError):
            yield variables_in(text, name)


def _texts(world: World, spec: EnvSpec, prefix: Path) -> Iterator[tuple[str, str]]:
    for path in (spec.source, prefix / contents.FILE):
        if path and path.is_file():
            with suppress(SetupError):
                yield sources.text_of(path), str(path)
    if sources.is_url(spec.origin) and not spec.lock:
        with suppress(SetupError):
            yield sources.fetched(world, spec.origin), spec.origin
