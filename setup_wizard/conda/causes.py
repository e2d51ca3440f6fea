"""Why rattler could not do it: from its messages to a kind, a package and an address. Text in, data out."""

from __future__ import annotations

import re

from setup_wizard.conda.channels import shown_in
from setup_wizard.conda.talk import Failed, Kind

# The first that matches names the kind. What is more special comes first.
_KINDS: tuple[tuple[Kind, str], ...] = (
    ("disk", r"No space left|[Qq]uota exceeded|Read-only file system|Permission denied|File name too long"),
    ("offline", r"no usable repodata cache|force-cache-only"),
    ("hash", r"hash mismatch"),
    ("forbidden", r"\((401|403|407) "),
    ("channel", r"could not find subdir|\(404 |\(410 "),
    ("server", r"HTTP status server error|\(429 |\(408 "),
    (
        "unreachable",
        r"dns error|Connection refused|tcp connect error|No route to host|Network is unreachable",
    ),
    ("unreachable", r"client error \(Connect\)|invalid peer certificate|tls handshake"),
    (
        "broken",
        r"end of file|EOF|IncompleteMessage|body error|error decoding response body|connection closed",
    ),
    ("broken", r"Connection reset|Broken pipe|timed out|error sending request"),
    ("garbled", r"decode|invalid|expected value|corrupt|not a valid|parse|checksum|zip|magic"),
)


# rattler writes a record and does not hear that there was no room for it; afterwards it cannot read it.
_TORN = "failed to determine the currently installed packages"


def of_transfer(text: str) -> Failed:
    """The cause of a failed download of an index or a package, or of a failed write."""
    if text.startswith(_TORN):
        return Failed("disk", f"a package's record is not whole ({_last_cause(text)}).")
    kinds: list[Kind] = [kind for kind, pattern in _KINDS if re.search(pattern, text)]
    kind = kinds[0] if kinds else "bug"
    return Failed(kind, _last_cause(text), package=_file_of(text), url=_url_of(text))


def of_solve(text: str) -> Failed:
    """The cause of a solve that failed, as far as its text alone tells."""
    said = text.removeprefix("Cannot solve the request because of: ").strip()
    if machine := re.search(r"(__\w+)( [^,\n]*)?, for which no candidates were found", said):
        return Failed("machine", said, package=(machine[1] + (machine[2] or "")).strip())
    if missing := re.fullmatch(r"No candidates were found for (\S+) ?(.*?)\.?", said):
        return Failed("version", said, package=f"{missing[1]} {missing[2]}".replace(" *", "").strip())
    return Failed("conflict", _without_wishes(said))


def _without_wishes(tree: str) -> str:
    """The tree of reasons without the lines that only repeat what was asked for."""
    repeated = re.compile(r"[├└]─ the constraint .* cannot be fulfilled")
    kept = [line for line in tree.splitlines() if not repeated.fullmatch(line)]
    return "\n".join(kept) if len(kept) > 1 else tree


def _last_cause(text: str) -> str:
    """The innermost of a chain of «Caused by»; addresses lose what may be secret in them."""
    if wrong := re.search(r"expected (\w{64}), got (\w{64})", text):
        return f"SHA-256 {wrong[2]} in place of {wrong[1]}"
    lines = [line.removeprefix("Caused by: ").strip() for line in text.splitlines() if line.strip()]
    return shown_in(lines[-1]) if lines else ""


def _url_of(text: str) -> str:
    found = re.search(r"((?:https?|file)://[^\s'\")>]+)", text)
    return shown_in(found[1]).rstrip(".,:") if found else ""


def _file_of(text: str) -> str:
    found = re.search(r"([\w.+-]+\.(?:conda|tar\.bz2))\b", text)
    return found[1] if found else ""
