"""All that is known of one environment: what was asked for, what it holds, its changes. For `env show`."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from setup_wizard.conda import contents, export, history
from setup_wizard.conda.spec import EnvSpec, package_name, read_spec
from setup_wizard.environments import inventory
from setup_wizard.environments.changes import file_of
from setup_wizard.environments.inventory import Glance, Place
from setup_wizard.errors import SetupError
from setup_wizard.journal import Receipt
from setup_wizard.steps import CondaEnv
from setup_wizard.world import World


class Installed(msgspec.Struct, frozen=True):
    """A package that is there; `channel` is "pip" for what pip has installed."""

    name: str
    version: str
    build: str = ""
    channel: str = ""


class Particulars(msgspec.Struct, frozen=True):
    """One environment.

    `asked` is what was asked for: by its `file`, where it is ours, else by conda's history. `differs` says in
    what the file and the environment are not the same. `offers` are the kernels that it brings itself.
    """

    glance: Glance
    asked: tuple[str, ...]
    packages: tuple[Installed, ...]
    revisions: tuple[history.Revision, ...]
    channels: tuple[str, ...]
    variables: dict[str, str]
    secret: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    file: Path | None = None
    differs: tuple[str, ...] = ()


def find(place: Place, receipt: Receipt, world: World) -> Particulars:
    """What can be said of an environment that is there."""
    prefix = place.prefix
    entry = receipt.get(f"conda_env:{prefix}")
    step = entry.step if entry and isinstance(entry.step, CondaEnv) else None
    packages = [*_records(prefix), *_of_pip(prefix)]
    file, asked, differs = _asked(step, packages) if step else (None, history.wanted(prefix), [])
    variables, secret = export.kept_variables(prefix)
    return Particulars(
        inventory.glances(receipt, world, [place])[0],
        tuple(asked),
        tuple(packages),
        tuple(history.revisions(prefix)),
        tuple(
            name for name, _ in Counter(p.channel for p in packages).most_common() if name not in ("", "pip")
        ),
        variables,
        tuple(secret),
        contents.pins(prefix),
        tuple(sorted(p.parent.name for p in prefix.glob("share/jupyter/kernels/*/kernel.json"))),
        file,
        tuple(differs),
    )


def _records(prefix: Path) -> Iterator[Installed]:
    """Of a record that cannot be read, its name tells enough."""
    for stem in contents.stems(prefix):
        name, version, build = (*stem.rsplit("-", 2), "", "")[:3]
        channel = ""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            raw = (prefix / "conda-meta" / f"{stem}.json").read_bytes()
            channel = export.channel_of(msgspec.json.decode(raw, type=export.Record))
        yield Installed(name, version, build, channel)


def _of_pip(prefix: Path) -> Iterator[Installed]:
    """None where it cannot be known, since a record that lists files cannot be read."""
    with contextlib.suppress(msgspec.MsgspecError):
        lines, lost = export.by_pip(prefix)
        for line in (*lines, *(text.partition(",")[0].replace(" ", "==", 1) for text in lost)):
            name, _, version = line.partition(" @ " if " @ " in line else "==")
            yield Installed(name, version, channel="pip")


def _asked(step: CondaEnv, packages: Sequence[Installed]) -> tuple[Path | None, Sequence[str], list[str]]:
    """The file of an environment of ours, what was asked for, and in what the two differ."""
    spec = step.spec
    there = {p.name.lower().replace("_", "-") for p in packages}
    differs = [
        f"{asked} is asked for, and is not there"
        for asked in (*spec.dependencies, *spec.pip)
        if package_name(asked).replace("_", "-") not in there and _is_plain(asked)
    ]
    differs += [f"{name} was added with another program" for name in contents.theirs(step.prefix)]
    try:
        path, text, _ = file_of(step)
        now = read_spec(path, anaconda=True, text=text)
    except (SetupError, OSError, UnicodeDecodeError) as e:
        return spec.source, spec.dependencies, [*differs, f"the file cannot be read: {e}"]
    if not path.is_file():
        return None, spec.dependencies, differs
    return path, spec.dependencies, [*differs, *_unlike(now, spec)]


def _is_plain(asked: str) -> bool:
    """Whether the name of the package can be read from what is asked: not from an address or an option."""
    return "/" not in asked.rpartition("::")[2] and not asked.startswith("-")


def _unlike(now: EnvSpec, made: EnvSpec) -> Iterator[str]:
    """What the file says now, and did not when the environment was made or changed last; and the reverse."""
    pairs = ((now.dependencies, made.dependencies, ""), (now.pip, made.pip, "of pip "))
    for wanted, was, kind in pairs:
        yield from (f"its file asks {kind}for {new} as well" for new in wanted if new not in was)
        yield from (f"its file no longer asks {kind}for {old}" for old in was if old not in wanted)
    asks, asked = ({**s.variables, **s.secret} for s in (now, made))
    for name in sorted(asks.keys() | asked.keys()):
        if asks.get(name) != asked.get(name) and "" not in (now.secret.get(name), made.secret.get(name)):
            yield f"its file has another value for the variable {name}"
