"""What an environment should hold: environment.yml as data, and the environments that ship with us.

name: workshop                  # optional where a name is given otherwise
channels: [conda-forge]         # names, URLs, or folders relative to the file
dependencies: [python=3.12, numpy, pip: [cowsay]]
variables: {OMP_NUM_THREADS: "4"}
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec

from setup_wizard import secrecy, yamlfile
from setup_wizard.conda.channels import has_secret, logins, read_channels, shown_in, url_of
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.yamlfile import Loaded

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


class EnvSpec(msgspec.Struct, frozen=True):
    """What an environment should hold. `places` say where in `source` each dependency stands ("4:5").

    `came_of` is a digest of all that this was made from, so that it need not be read again. Where nothing is
    left to be solved, `lock` is the SHA-256 of the lock at `origin`, or `exact` are all packages as URL#HASH.
    `origin` is a URL or a lock, where no YAML of the user's says what is asked for. `logins` are channels
    with the names of the variables that hold what it takes to get in. Variables whose values may be secrets
    are in `secret`, by their names, each with the trace of its value: "" where no value is said.
    """

    name: str
    channels: tuple[str, ...]
    dependencies: tuple[str, ...]
    pip: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    prefix: Path | None = None
    source: Path | None = None
    places: tuple[str, ...] = ()
    came_of: str = ""
    origin: str = ""
    lock: str = ""
    exact: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    secret: dict[str, str] = {}

    def __post_init__(self) -> None:
        """No value that may be a secret stays here, wherever it came from: plans and journals hold this."""
        found = {n: v for n, v in self.variables.items() if secrecy.is_one(n, v)}
        if found:
            plain = {n: v for n, v in self.variables.items() if n not in found}
            traces = {n: secrecy.trace(v) if v not in ("", secrecy.HIDDEN) else "" for n, v in found.items()}
            msgspec.structs.force_setattr(self, "variables", plain)
            msgspec.structs.force_setattr(self, "secret", {**self.secret, **traces})

    def at(self, dependency: str) -> str:
        """Where a dependency stands, for messages: "FILE:LINE:COLUMN: ", or "" when it is not from a file."""
        if not self.places or dependency not in self.dependencies:
            return ""
        return f"{self.file}:{self.places[self.dependencies.index(dependency)]}: "

    @property
    def file(self) -> str:
        """The file that it was read from, for messages; "" for none."""
        return self.origin or str(self.source or "")

    @property
    def folder(self) -> Path | None:
        """The folder of that file; None where it came from elsewhere."""
        return Path(self.file).parent if self.file.startswith("/") else None

    @property
    def urls(self) -> tuple[str, ...]:
        """The channels as URLs."""
        return tuple(url_of(c) for c in self.channels)


class File(msgspec.Struct, frozen=True):
    """environment.yml as conda knows it."""

    dependencies: tuple[str | dict[str, tuple[str, ...]], ...]
    name: str | None = None
    channels: tuple[str, ...] | None = None
    variables: dict[str, str | int] | None = None
    prefix: str | None = None


class Named(msgspec.Struct, frozen=True):
    """An environment that ships with us: what it is for, and about how many bytes it takes on disk."""

    name: str
    purpose: str
    bytes: int
    path: Path


def read_spec(path: Path | str, *, anaconda: bool = False, text: str | None = None) -> EnvSpec:
    """Read an environment.yml, or the `text` that is to stand in it, or stands at an address.

    Raises BadInput with file:line:column.

    `anaconda` says that the user has agreed to the terms of Anaconda's channels; without it they are refused.
    """
    loaded = load(path, text)
    local = path.absolute() if isinstance(path, Path) else None
    channels = ((c, loaded.at("channels", i)) for i, c in enumerate(loaded.value.channels or ()))
    file = loaded.value
    dependencies, places, pip = _dependencies(loaded)
    if pip and not any(package_name(d) == "pip" for d in dependencies):
        dependencies, places = [*dependencies, "pip"], [*places, _line_and_column(loaded.at("dependencies"))]
    return EnvSpec(
        name=_name(file.name, loaded.at("name")) if file.name else "",
        channels=read_channels(channels, local and local.parent, anaconda) or ("conda-forge",),
        dependencies=tuple(dependencies),
        pip=tuple(pip),
        variables=_variables(loaded),
        prefix=Path(file.prefix) if file.prefix else None,
        source=local,
        places=tuple(places),
        origin="" if local else str(path),
        logins=logins(file.channels or ()),
    )


def load(path: Path | str, text: str | None = None) -> Loaded[File]:
    """The file, or the `text` that is to stand in it, with the place of each part. Raises BadInput."""
    return yamlfile.read(Path(path), File) if text is None else yamlfile.parse(text, str(path), File)


def variables_in(text: str, name: str) -> dict[str, str]:
    """The variables that an environment.yml sets, with values that may be secrets; `name` is for messages.

    Raises BadInput.
    """
    return _variables(yamlfile.parse(text, name, File))


def digest(spec: EnvSpec) -> str:
    """What the spec asks for, as one SHA-256: the same however it is ordered, named or commented."""
    asked = [
        1,
        spec.urls,
        sorted(spec.dependencies),
        spec.pip,
        sorted(spec.variables.items()),
        *([spec.lock, sorted(spec.exact)] if spec.lock or spec.exact else []),
        *([sorted(spec.secret.items())] if spec.secret else []),
    ]
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


def check_name(name: str, at: str) -> str:
    """The name of an environment, when it can be one. Raises BadInput, which starts with `at`."""
    if name in ("base", "root"):
        raise BadInput(f"{at}: «{name}» is conda's own environment.", fix="Choose another name: -n NAME")
    if not _NAME.fullmatch(name):
        better = re.sub(r"[^A-Za-z0-9_.+-]+", "-", name).strip("-.") or "work"
        raise BadInput(
            f"{at}: «{name}» cannot name an environment: letters, digits and _ . + - only.",
            fix=f"Choose another name, for example -n {better}",
        )
    return name


# --- the parts of the file ------------------------------------------------------------------------------


def _dependencies(loaded: Loaded[File]) -> tuple[list[str], list[str], list[str]]:
    """The conda dependencies, where they stand, and the pip section."""
    dependencies: list[str] = []
    places: list[str] = []
    pip: list[str] = []
    for i, entry in enumerate(loaded.value.dependencies):
        at = loaded.at("dependencies", i)
        if isinstance(entry, str):
            dependencies.append(_dependency(entry, at))
            places.append(_line_and_column(at))
            continue
        for key, values in entry.items():
            if key != "pip":
                fix = "Write a package, or «pip:» with a list of what pip should install."
                raise BadInput(f"{at}: «{key}:» is not known among dependencies.", fix=fix)
            pip += [_for_pip(v, loaded.at("dependencies", i, key, j)) for j, v in enumerate(values)]
    if not dependencies and not pip:
        raise BadInput(
            f"{loaded.at('dependencies')}: no packages are listed.", fix="Add a line such as: - python"
        )
    return dependencies, places, pip


def _dependency(entry: str, at: str) -> str:
    entry = entry.strip()
    if not entry:
        raise BadInput(f"{at}: an empty dependency.", fix="Remove the line, or name a package.")
    if has_secret(entry):
        raise BadInput(
            f"{at}: «{shown_in(entry)}» has a secret in its address, which would be written down.",
            fix="List the channel below «channels:», with variables in it, and here the package alone.",
        )
    if entry.startswith(("git+", "-e ", "./", "../")) or entry.endswith(".whl"):
        raise BadInput(
            f"{at}: «{entry}» is something for pip.", fix=f"Move it below «pip:»: - pip: [{entry!r}]"
        )
    return entry


def _for_pip(line: str, at: str) -> str:
    if has_secret(line):
        raise BadInput(
            f"{at}: pip's «{shown_in(line)}» has a secret in its address, which would be written down.",
            fix="Write a variable there, such as ${TOKEN}, and set it: pip puts its value in.",
        )
    return line


def _line_and_column(at: str) -> str:
    return ":".join(at.rsplit(":", 2)[1:])


def package_name(dependency: str) -> str:
    """The package that a dependency is about: "conda-forge::NumPy >=2" -> "numpy"."""
    return re.split(r"[\s=<>!~\[]", dependency.rpartition("::")[2], maxsplit=1)[0].lower()


def _name(name: str, at: str) -> str:
    """The name; where conda had none for an environment, it has exported the whole prefix."""
    return check_name(Path(name).name if name.startswith("/") else name, at)


def _variables(loaded: Loaded[File]) -> dict[str, str]:
    variables = {k: str(v) for k, v in (loaded.value.variables or {}).items()}
    for name in variables:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            at = loaded.at("variables", name)
            raise BadInput(f"{at}: «{name}» cannot name a variable.", fix="Letters, digits and _ only.")
    return variables


# --- the environments that ship with us -----------------------------------------------------------------


def catalogue() -> list[Named]:
    """The environments in envs/, by name; purpose and size are in the first lines of each file."""
    return [_named(path) for path in sorted(_folder().glob("*.yml"))]


def named(name: str) -> Path:
    """The file of one of our environments. Raises BadInput for an unknown name."""
    known = {n.name: n.path for n in catalogue()}
    if name not in known:
        raise BadInput(
            f"There is no environment «{name}».{did_you_mean(name, known)}",
            fix=f"Choose one of {', '.join(known)}, or give the path of a YAML file.",
        )
    return known[name]


def _folder() -> Path:
    """In a wheel they lie inside the package, in a checkout at the top."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "data" / "envs"
    return inside if inside.is_dir() else package.parent / "envs"


def _named(path: Path) -> Named:
    head = dict(re.findall(r"^# (\w+): (.*)$", path.read_text("utf-8"), re.MULTILINE))
    size = re.match(r"(\d+) MB", head["Size"])
    return Named(path.stem, head["Purpose"], int(size[1]) * 1_000_000 if size else 0, path)
