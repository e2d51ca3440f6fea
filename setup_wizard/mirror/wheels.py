"""A wheel as a conda package: where its files go, what it needs, which commands it brings."""

from __future__ import annotations

import configparser
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from setup_wizard.errors import BadInput
from setup_wizard.mirror.archive import PLACEHOLDER, File
from setup_wizard.mirror.names import conda_name
from setup_wizard.mirror.packages import Package
from setup_wizard.mirror.python import SHORT, SITE_PACKAGES

COMMAND = """\
#!{python}
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.exit({function}())
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel on disk, and what its metadata say."""

    path: Path

    @cached_property
    def _parsed(self) -> tuple[str, str, bool]:
        name, version, _, tags = parse_wheel_filename(self.path.name)
        return name, str(version), all(t.platform == "any" for t in tags)

    @property
    def name(self) -> str:
        return self._parsed[0]

    @property
    def version(self) -> str:
        return self._parsed[1]

    @property
    def pure(self) -> bool:
        """The same on every machine."""
        return self._parsed[2]

    @cached_property
    def _notes(self) -> tuple[str, str, str]:
        """The name of its folder of notes, and the METADATA and entry_points.txt in it."""
        try:
            with zipfile.ZipFile(self.path) as z:
                names = set(z.namelist())
                metadata = min(n for n in names if n.endswith(".dist-info/METADATA"))
                folder = metadata.partition("/")[0]
                points = f"{folder}/entry_points.txt"
                texts = [
                    z.read(n).decode("utf-8", "replace") if n in names else "" for n in (metadata, points)
                ]
        except (zipfile.BadZipFile, ValueError) as e:
            raise BadInput(
                f"{self.path} is not a whole wheel: {e}.", fix=f"Fetch it again: rm {self.path}"
            ) from e
        return folder, texts[0], texts[1]

    @property
    def dist_info(self) -> str:
        return self._notes[0]

    @cached_property
    def metadata(self) -> Message:
        return Parser().parsestr(self._notes[1], headersonly=True)

    @property
    def requires_python(self) -> str:
        return (self.metadata["Requires-Python"] or "").replace(" ", "")

    def fits_python(self, version: str) -> bool:
        """Whether it may be used with that Python."""
        return SpecifierSet(self.requires_python).contains(version, prereleases=True)

    def requirements(self, extras: Iterable[str] = ()) -> list[Requirement]:
        """What it needs on this machine, with these extras."""
        wanted = ("", *extras)
        listed = [Requirement(r) for r in self.metadata.get_all("Requires-Dist") or []]
        return [r for r in listed if any(_applies(r, extra) for extra in wanted)]

    def entry_points(self) -> list[str]:
        """Its commands: «name = module:function»."""
        parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        parser.read_string(self._notes[2])
        groups = [parser.items(g) for g in ("console_scripts", "gui_scripts") if parser.has_section(g)]
        return [f"{name} = {target.partition('[')[0].strip()}" for group in groups for name, target in group]


def _applies(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({"extra": extra})


def package_of(wheel: Wheel, others: Mapping[str, Wheel]) -> Package:
    """The conda package of a wheel; `others` by name tell what the extras that it asks for need."""
    entry_points = tuple(wheel.entry_points())
    files = dict(_files(wheel))
    if not wheel.pure:
        files.update(_commands(entry_points))
    return Package(
        conda_name(wheel.name),
        wheel.version,
        files,
        depends=(_python_spec(wheel), *_depends(wheel, others)),
        build="py_0" if wheel.pure else f"py{SHORT.replace('.', '')}_0",
        noarch="python" if wheel.pure else "",
        entry_points=entry_points if wheel.pure else (),
        licence=wheel.metadata["License-Expression"] or "",
        summary=wheel.metadata["Summary"] or "",
    )


# --- needs ----------------------------------------------------------------------------------------------


def all_requirements(wheel: Wheel, others: Mapping[str, Wheel]) -> list[Requirement]:
    """What a wheel needs, the needs of the extras that it names folded in: conda knows no extras."""
    found = wheel.requirements()
    for r in found:  # grows while we read
        other = others.get(canonicalize_name(r.name))
        if r.extras and other:
            known = {str(f) for f in found}
            found += [more for more in other.requirements(sorted(r.extras)) if str(more) not in known]
    return found


def _depends(wheel: Wheel, others: Mapping[str, Wheel]) -> list[str]:
    needs = all_requirements(wheel, others)
    return sorted({conda_spec(r) for r in needs if canonicalize_name(r.name) != wheel.name})


def conda_spec(requirement: Requirement) -> str:
    """A requirement in conda's words: «jinja2>=3,!=3.1.*» -> «jinja2 !=3.1.*,>=3»."""
    versions = ",".join(sorted(_conda_version(s) for s in requirement.specifier))
    return f"{conda_name(canonicalize_name(requirement.name))} {versions}".strip()


def _conda_version(specifier: Specifier) -> str:
    text = str(specifier)
    if specifier.operator == "==" and text.endswith(".*"):
        return specifier.version
    return re.sub(r"^===", "==", text)


def _python_spec(wheel: Wheel) -> str:
    if wheel.pure:
        return f"python {wheel.requires_python}".strip()
    major, minor = SHORT.split(".")
    return f"python >={SHORT},<{major}.{int(minor) + 1}.0a0"


# --- files ----------------------------------------------------------------------------------------------


def _files(wheel: Wheel) -> Iterator[tuple[str, File]]:
    with zipfile.ZipFile(wheel.path) as z:
        for entry in z.infolist():
            if not entry.is_dir():
                executable = bool(entry.external_attr >> 16 & 0o111)
                yield _placed(wheel, entry.filename, File(z.read(entry), executable))
    yield f"{_site(wheel)}/{wheel.dist_info}/INSTALLER", File(b"conda\n")


def _site(wheel: Wheel) -> str:
    """Where modules go; the installer finds the right place for those of noarch packages."""
    return "site-packages" if wheel.pure else SITE_PACKAGES


def _placed(wheel: Wheel, name: str, file: File) -> tuple[str, File]:
    """The path of a wheel's file below the prefix: NAME.data/ has folders with a meaning of their own."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return f"{_site(wheel)}/{name}", file
    kind, _, rest = rest.partition("/")
    if kind == "scripts":
        return f"{'python-scripts' if wheel.pure else 'bin'}/{rest}", _script(file.data)
    below = {"data": "", "headers": f"include/python{SHORT}/{wheel.name}/"}.get(kind, f"{_site(wheel)}/")
    return f"{below}{rest}", file


def _script(data: bytes) -> File:
    """A script, with the interpreter of its prefix where the wheel says just «python»."""
    first, newline, rest = data.partition(b"\n")
    if first.startswith(b"#!python"):
        data = f"#!{PLACEHOLDER}/bin/python".encode() + newline + rest
    return File(data, executable=True)


def _commands(entry_points: Iterable[str]) -> Iterator[tuple[str, File]]:
    for entry_point in entry_points:
        name, _, target = entry_point.partition(" = ")
        module, _, function = target.partition(":")
        script = COMMAND.format(
            python=f"{PLACEHOLDER}/bin/python",
            module=module,
            first=function.partition(".")[0],
            function=function,
        )
        yield f"bin/{name}", File(script.encode(), executable=True)
