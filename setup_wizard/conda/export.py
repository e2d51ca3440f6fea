"""What an environment holds, written so that it can be made again, here or by conda. Secrets stay out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from setup_wizard.conda import contents, explicit, history
from setup_wizard.conda.channels import shown

MARK = "# written by hpc-jupyter-setup env export"
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE", re.IGNORECASE)


class Record(msgspec.Struct, frozen=True):
    """An installed package, and where it came from."""

    name: str
    version: str
    build: str
    channel: str = ""
    url: str = ""
    md5: str | None = None
    sha256: str | None = None


def records(prefix: Path) -> list[Record]:
    """The installed packages, by name."""
    decode = msgspec.json.Decoder(Record).decode
    stems = contents.stems(prefix)
    return [decode((prefix / "conda-meta" / f"{stem}.json").read_bytes()) for stem in stems]


def as_yaml(prefix: Path, name: str) -> str:
    """An environment.yml that names every package with version and build."""
    return _yaml(prefix, name, [f"{r.name}={r.version}={r.build}" for r in records(prefix)])


def from_history(prefix: Path, name: str) -> str:
    """An environment.yml of what was asked for, as conda's history has it."""
    return _yaml(prefix, name, asked(prefix))


def asked(prefix: Path) -> list[str]:
    """What was asked for; where no history tells, all that is there by name."""
    return history.wanted(prefix) or [r.name for r in records(prefix)]


def as_explicit(prefix: Path, platform: str) -> str:
    """An @EXPLICIT list of the packages; conda reads it. What pip has put there has no place in it."""
    entries = [(shown(r.url), r.md5 or (f"sha256:{r.sha256}" if r.sha256 else "")) for r in records(prefix)]
    return explicit.text_of(entries, platform)


def channels(prefix: Path) -> list[str]:
    """The channels of the packages, that of the most first; without what is secret in them."""
    every = [shown(r.channel or r.url.rsplit("/", 2)[0]).rstrip("/") for r in records(prefix)]
    short = [re.sub(r"^https://conda\.anaconda\.org/", "", channel) for channel in every]
    return sorted(set(short), key=lambda c: (-short.count(c), c)) or ["conda-forge"]


def by_pip(prefix: Path) -> list[str]:
    """What pip or uv has installed, as a line for pip each."""
    found = []
    for info in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info")):
        if _text(info / "INSTALLER").strip() in ("pip", "uv"):
            found.append(_pip_line(info))
    return [line for line in found if line]


def kept_variables(prefix: Path) -> tuple[dict[str, str], list[str]]:
    """The variables of the environment, and the names of those whose values may be secrets."""
    every = contents.variables(prefix)
    secret = [name for name in every if _SECRET.search(name) or ("@" in every[name] and "://" in every[name])]
    return {k: v for k, v in every.items() if k not in secret}, secret


def _yaml(prefix: Path, name: str, dependencies: list[str]) -> str:
    pip, (variables, secret) = by_pip(prefix), kept_variables(prefix)
    lines = [
        MARK,
        f"name: {name}",
        "channels:",
        *(f"  - {_quoted(c)}" for c in channels(prefix)),
        "dependencies:",
    ]
    lines += [f"  - {_quoted(d)}" for d in dependencies]
    lines += ["  - pip:", *(f"      - {_quoted(p)}" for p in pip)] if pip else []
    lines += ["variables:", *(f"  {k}: {json.dumps(v)}" for k, v in variables.items())] if variables else []
    lines += [f"# left out, since it may be a secret: the variable {name}" for name in secret]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_][\w.+=!/-]*", text) else json.dumps(text)


def _pip_line(info: Path) -> str:
    """ "requests==2.31"; of what came from an address, that address, where no secret is in it."""
    said = dict(re.findall(r"^(Name|Version): (.*)$", _text(info / "METADATA"), re.MULTILINE))
    if not said.get("Name") or not said.get("Version"):
        return ""
    url = json.loads(_text(info / "direct_url.json") or "{}")
    if "vcs_info" in url:
        vcs = url["vcs_info"]
        return f"{said['Name']} @ {vcs['vcs']}+{shown(url['url'])}@{vcs['commit_id']}"
    return f"{said['Name']}=={said['Version']}"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
