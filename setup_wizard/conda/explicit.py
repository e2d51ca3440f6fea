"""Lists of exact packages: `@EXPLICIT` and an address a line, as `conda list --explicit --md5` prints."""

from __future__ import annotations

import re

from setup_wizard.conda.channels import read_channels, shown
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.errors import BadInput

MARK = "@EXPLICIT"
_ENTRY = re.compile(
    r"(?P<channel>[a-z]+://\S+)/(?P<subdir>[a-z0-9-]+)/(?P<stem>[^/#\s]+-[^/#\s-]+-[^/#\s-]+)"
    r"(?:\.conda|\.tar\.bz2)(?:#(?:sha256:)?(?P<hash>[0-9a-f]{64}|[0-9a-f]{32}))?"
)


def is_list(text: str) -> bool:
    """Whether a text is such a list."""
    return any(line.strip() == MARK for line in text.splitlines())


def spec_of(text: str, origin: str, anaconda: bool = False) -> EnvSpec:
    """What such a list asks for. Raises BadInput with file:line."""
    entries: list[str] = []
    channels: list[tuple[str, str]] = []
    pins: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line, at = line.strip(), f"{origin}:{number}:1"
        if not line or line.startswith(("#", "@")):
            continue
        found = _entry(line, at)
        name, version, build = found["stem"].rsplit("-", 2)
        url = line.partition("#")[0]
        entries.append(f"{url}#{found['hash']}" if found["hash"] else url)
        channels.append((found["channel"], at))
        if name in pins:
            raise BadInput(f"{at}: «{name}» is there twice.", fix="Remove one of the two lines.")
        pins[name] = f"{name}={version}={build}"
    if not entries:
        raise BadInput(
            f"{origin}: no packages are listed.", fix="conda list --explicit --md5 makes such a list."
        )
    return EnvSpec(
        name="",
        channels=read_channels(channels, None, anaconda),
        dependencies=tuple(pins.values()),
        origin=origin,
        exact=tuple(entries),
    )


def _entry(line: str, at: str) -> re.Match[str]:
    found = _ENTRY.fullmatch(line)
    if found is None:
        raise BadInput(
            f"{at}: «{shown(line.partition('#')[0])}» is no package with an MD5 or SHA-256.",
            fix="A line is: https://CHANNEL/linux-64/NAME-VERSION-BUILD.conda#MD5",
        )
    return found


def must_be_for(platform: str, spec: EnvSpec) -> None:
    """Raise BadInput where a package of the list is for another platform than this one."""
    for entry in spec.exact:
        _, subdir, file = entry.partition("#")[0].rsplit("/", 2)
        if subdir not in (platform, "noarch"):
            raise BadInput(
                f"{spec.file}: {file} is for {subdir}; this machine is {platform}.",
                fix="Make the list on a machine like this one; or give the environment.yml that it came of.",
            )


def text_of(entries: list[tuple[str, str]], platform: str) -> str:
    """Such a list of these addresses, each with its hash; conda reads it."""
    lines = [
        f"# platform: {platform}",
        MARK,
        *(f"{url}#{digest}" if digest else url for url, digest in entries),
    ]
    return "\n".join(lines) + "\n"
