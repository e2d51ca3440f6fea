"""The packages that an environment.yml asks for, changed in its text: comments, order and style stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from setup_wizard import secrecy
from setup_wizard.conda.channels import bare, shown
from setup_wizard.conda.spec import EnvSpec, package_name, read_spec
from setup_wizard.errors import BadInput, SetupError
from setup_wizard.yamlfile.items import with_items


def edited(text: str, path: Path, add: Sequence[str], remove: Sequence[str]) -> str:
    """The text of `path` asking for `add`, and not for `remove`.

    What it says of a package already is replaced where it stands. Raises BadInput where the text cannot be
    changed so.
    """
    asks = read_spec(path, anaconda=True, text=text).dependencies
    wanted = {package_name(a): a for a in add}
    gone = {package_name(r) for r in remove}

    def change(item: str) -> str | None:
        name = package_name(item)
        return None if name in gone else wanted.get(name, item)

    there = {package_name(a) for a in asks}
    added = [a for name, a in wanted.items() if name not in there]
    new = with_items(text, "dependencies", change, added)
    wants = sorted([*(kept for a in asks if (kept := change(a))), *added])
    if not wants or _asks(new, path) != wants:
        raise BadInput(
            f"{path} cannot be changed so by a program: nothing would be left, or it is too clever.",
            fix=f"Edit it, then: hpc-jupyter-setup env create {path}",
        )
    return new


def _asks(text: str, path: Path) -> list[str]:
    """What it asks for; nothing where it cannot be read. Anchors, say, make one text stand in two places."""
    try:
        return sorted(read_spec(path, anaconda=True, text=text).dependencies)
    except SetupError:
        return []


def text_of(spec: EnvSpec, name: str) -> str:
    """An environment.yml that asks for what the spec says; for an environment whose own file is gone.

    It has the names of variables that may be secrets, and not their values.
    """
    as_written = {bare(login): login for login in spec.logins}
    channels = [as_written.get(c, shown(c)) for c in spec.channels]
    lines = [f"name: {name}", "channels:", *(f"  - {c}" for c in channels), "dependencies:"]
    lines += [f'  - "{d}"' for d in spec.dependencies]
    lines += ["  - pip:", *(f"      - {p!r}" for p in spec.pip)] if spec.pip else []
    variables = {**spec.variables, **dict.fromkeys(spec.secret, secrecy.HIDDEN)}
    lines += ["variables:", *(f"  {k}: {v!r}" for k, v in variables.items())] if variables else []
    return "\n".join(lines) + "\n"
