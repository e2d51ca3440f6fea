"""What conda and mamba say in JSON, read: what they would do, and why they could not. Text in, data out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from setup_wizard.conda import causes
from setup_wizard.conda.channels import shown_in
from setup_wizard.conda.spec import EnvSpec, package_name
from setup_wizard.conda.talk import Failed, Kind, Package

# The errors of conda by their names, which it keeps from version to version; the first that matches counts.
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"CondaToS\w*Error", "terms"),
    (r"PackagesNotFound|PackagesNotFoundInChannels|ResolvePackageNotFound|SpecNotFound", "missing"),
    (r"Unsatisfiable|SpecsConfigurationConflict", "clash"),
    (r"UnavailableInvalidChannel|ChannelNotAllowed|ChannelDenied|ChannelError", "channel"),
    (r"CondaSSLError|ProxyError|OfflineError", "unreachable"),
    (r"CondaHTTPError|AuthenticationError", "server"),
    (r"ChecksumMismatch", "hash"),
    (r"NoSpaceLeft|NotWritable|NoWritable", "disk"),
    (r"InvalidMatchSpec|InvalidSpec|InvalidVersionSpec", "spec"),
)
_STATUS: dict[str, Kind] = {"000": "unreachable", "401": "forbidden", "403": "forbidden", "407": "forbidden"}
_MOST = 1500  # characters of what it said


def last_object(text: str) -> dict[str, Any]:
    """The last JSON object in what it printed; {} for none. There may be progress and warnings around it."""
    for part in reversed(text.split("\0")):
        start = re.search(r"^\{", part, re.MULTILINE)
        try:
            value, _ = json.JSONDecoder().raw_decode(part[start.start() :]) if start else ({}, 0)
        except ValueError:
            continue
        if isinstance(value, dict) and value and "fetch" not in value:
            return value
    return {}


# --- what it would do -------------------------------------------------------------------------------------


def changed(answer: dict[str, Any]) -> tuple[set[str], list[Package]]:
    """The names of the packages that go, and those that come, as a dry run says; some are on both sides."""
    actions = answer.get("actions") or {}
    to_fetch = {_key(entry): entry for entry in actions.get("FETCH") or ()}
    coming = [_package(entry, to_fetch.get(_key(entry))) for entry in actions.get("LINK") or ()]
    return {str(entry["name"]) for entry in actions.get("UNLINK") or ()}, coming


def _key(entry: dict[str, Any]) -> tuple[str, str, str]:
    """conda says `build_string` of what it links, and `build` of what it downloads."""
    return str(entry["name"]), str(entry["version"]), str(entry.get("build_string") or entry.get("build"))


def _package(entry: dict[str, Any], fetched: dict[str, Any] | None) -> Package:
    name, version, build = _key(entry)
    more = {**entry, **(fetched or {})}
    folder = f"{more.get('base_url') or more.get('channel')}/{more.get('platform') or more.get('subdir')}"
    return Package(
        name,
        version,
        build,
        shown_in(str(more.get("url") or f"{folder}/{name}-{version}-{build}")),
        int(more.get("size") or 0),
        str(more.get("sha256") or ""),
        cached=fetched is None,
    )


# --- why it could not -------------------------------------------------------------------------------------


def failure(program: str, answer: dict[str, Any], text: str, spec: EnvSpec, *, offline: bool) -> Failed:
    """Why it could not do it: from the object that it printed, else from the text."""
    if errors := answer.get("errors"):
        answer = errors[0]
    if "exception_name" in answer:
        failed = _of_exception(program, answer, spec)
    elif problems := answer.get("solver_problems"):
        failed = _of_solver("\n".join(problems), spec)
    else:
        failed = _of_text(
            program, f"{answer.get('message') or answer.get('error') or ''}\n{text}".strip(), spec
        )
    failed = msgspec.structs.replace(failed, message=shown_in(failed.message), url=shown_in(failed.url))
    no_index = failed.kind in ("channel", "unreachable", "server", "missing")
    return Failed("offline") if offline and no_index else failed


def _of_exception(program: str, answer: dict[str, Any], spec: EnvSpec) -> Failed:
    name, message = str(answer["exception_name"]), str(answer.get("message") or answer.get("error") or "")
    kind: Kind = next((kind for pattern, kind in _KINDS if re.search(pattern, name)), "program")
    if kind == "missing":
        listed = answer.get("packages") or re.findall(r"^\s+- (\S+)", message, re.MULTILINE)
        return _missing([str(p) for p in listed], message, spec)
    if kind in ("server", "channel"):
        status = str(answer.get("status_code") or "")
        kind = _STATUS.get(status, "channel" if status == "404" else kind)
        url = str(answer.get("url") or answer.get("channel_url") or "")
        return Failed(kind, _first_line(message), url=url)
    if kind == "clash":
        return _of_solver(message, spec)
    return Failed(kind, message[:_MOST].strip(), package=program if kind in ("program", "terms") else "")


def _missing(listed: list[str], message: str, spec: EnvSpec) -> Failed:
    """Of what is not in the channels, the first that was asked for; else something of the machine's."""
    plain = [re.sub(r"\[version=['\"]?([^'\"\]]*)['\"]?.*\]", r" \1", package) for package in listed]
    machine = [package for package in plain if package.startswith("__")]
    if machine:
        return Failed("machine", f"It asks for {machine[0]}.", package=machine[0])
    asked = {package_name(d): d for d in spec.dependencies}
    for package in plain:
        wanted = asked.get(package_name(package), package)
        return Failed("missing" if wanted == package_name(wanted) else "version", package=wanted)
    return _clash(message, spec)


def _of_solver(text: str, spec: EnvSpec) -> Failed:
    """What a solver says of a request; mamba's of a name that is nowhere, too."""
    if machine := re.search(r"(__\w+)(\[[^\]]*\]| [^\s,]*)?", text):
        return _missing([machine[0]], text, spec)
    if nowhere := re.findall(r"nothing provides (?:requested )?(\S+)(?! .*needed by)", text):
        return _missing(nowhere, text, spec)
    if nowhere := re.findall(r"([\w.-]+)(?: [=<>*!~]\S*)* does not exist \(perhaps", text):
        return _missing(nowhere, text, spec)
    return _clash(text, spec)


def _clash(text: str, spec: EnvSpec) -> Failed:
    """The packages that were asked for and that it names."""
    quarrel = tuple(d for d in spec.dependencies if _names(text, package_name(d)))
    return Failed("clash", text[:_MOST].strip(), quarrel=quarrel or spec.dependencies)


def _names(text: str, package: str) -> bool:
    """Whether it stands there, perhaps with its version: «pear-1.0» is about pear, «pear-tree» is not."""
    return bool(re.search(rf"(?<![\w.-]){re.escape(package)}(?![\w.]|-[a-z])", text, re.IGNORECASE))


def _of_text(program: str, text: str, spec: EnvSpec) -> Failed:
    if "nothing provides" in text or "does not exist (perhaps" in text:
        return _of_solver(text, spec)
    known = causes.of_transfer(text)
    if known.kind in ("bug", "garbled"):  # garbled is what any text with «invalid» in it would be
        return Failed("program", "\n".join(_last_lines(text)), package=program)
    return known


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _last_lines(text: str) -> Iterable[str]:
    return [line for line in text.splitlines() if line.strip()][-6:]
