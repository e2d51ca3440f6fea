"""What an environment holds, written so that it can be made again, here or by conda. Secrets stay out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from setup_wizard import secrecy
from setup_wizard.conda import contents, explicit, history
from setup_wizard.conda.channels import shown

MARK = "# written by hpc-jupyter-setup env export"


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
    every = [channel_of(record) for record in records(prefix)]
    return sorted(set(every), key=lambda c: (-every.count(c), c)) or ["conda-forge"]


def channel_of(record: Record) -> str:
    """The channel of a package, by its name where that is enough, without what is secret in its address."""
    channel = shown(record.channel or record.url.rsplit("/", 2)[0]).rstrip("/")
    return re.sub(r"^https://conda\.anaconda\.org/", "", channel)


def by_pip(prefix: Path) -> tuple[list[str], list[str]]:
    """What pip or uv has installed, as a line for pip each; and what cannot be had again, with the reason."""
    lines, lost = [], []
    theirs = {p.rpartition("/")[0] for p in contents.own_paths(prefix) if p.endswith(".dist-info/METADATA")}
    for info in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info")):
        if str(info.relative_to(prefix)) not in theirs:
            line, why = _pip_line(info)
            lines += [line] if line else []
            lost += [why] if why else []
    return lines, lost


def kept_variables(prefix: Path) -> tuple[dict[str, str], list[str]]:
    """The variables of the environment, and the names of those whose values may be secrets."""
    every = contents.variables(prefix)
    secret = [name for name, value in every.items() if secrecy.is_one(name, value)]
    return {k: v for k, v in every.items() if k not in secret}, secret


def _yaml(prefix: Path, name: str, dependencies: list[str]) -> str:
    (pip, lost), (variables, secret) = by_pip(prefix), kept_variables(prefix)
    lines = [
        MARK,
        f"name: {name}",
        "channels:",
        *(f"  - {_quoted(c)}" for c in channels(prefix)),
        "dependencies:",
    ]
    lines += [f"  - {_quoted(d)}" for d in dependencies]
    lines += ["  - pip:", *(f"      - {_quoted(p)}" for p in pip)] if pip else []
    lines += (
        [
            "variables:",
            *(f"  {_quoted(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in variables.items()),
        ]
        if variables
        else []
    )
    lost += [f"the variable {name}, which may be a secret" for name in secret]
    lines += [f"# left out: {why}" for why in lost]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_][\w.+=!/-]*", text) else json.dumps(text, ensure_ascii=False)


def _pip_line(info: Path) -> tuple[str, str]:
    """ "requests==2.31", or of what came from an address that address, without what is secret in it; and why
    there is no line for it."""
    said = dict(re.findall(r"^(Name|Version): (.*)$", _text(info / "METADATA"), re.MULTILINE))
    name, version = said.get("Name", "").strip(), said.get("Version", "").strip()
    if not name or not version:
        return "", f"{info.name}, which does not say what it is"
    came_from = json.loads(_text(info / "direct_url.json") or "{}")
    url = shown(came_from.get("url", ""))
    if url.startswith("file:"):
        return "", f"{name} {version}, which pip has from {url}"
    if vcs := came_from.get("vcs_info"):
        return f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}", ""
    return (f"{name} @ {url}", "") if url else (f"{name}=={version}", "")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
