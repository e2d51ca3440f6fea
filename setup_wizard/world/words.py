"""What the web and the disk did to us, in the user's words."""

from __future__ import annotations

import errno
from pathlib import Path
from urllib.parse import urlsplit

from setup_wizard.errors import BadInput, MachineBlocks, NetworkTrouble

USE_A_MIRROR = "Check the network and the proxy (https_proxy), or use a mirror: --mirror URL. Then run again."
OWN_CERTIFICATE = (
    "If your centre's proxy signs with a certificate of its own, say where it is: "
    "export SSL_CERT_FILE=/path/to/its/ca.pem, then run again."
)

# What a network library says (with the name of its class), what it means, and the fix.
CAUSES = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted here", OWN_CERTIFICATE),
    ("Name or service not known", "nobody here knows its name (DNS)", USE_A_MIRROR),
    ("name resolution", "nobody here knows its name (DNS)", USE_A_MIRROR),
    ("No address associated", "nobody here knows its name (DNS)", USE_A_MIRROR),
    ("Connection refused", "it refuses the connection", USE_A_MIRROR),
    ("ConnectTimeout", "it does not answer", USE_A_MIRROR),
    ("ReadTimeout", "it fell silent", USE_A_MIRROR),
    ("ProxyError", "the proxy refused", "See which proxy is set (env | grep -i proxy), then run again."),
    ("peer closed connection", "it closed the connection too early", USE_A_MIRROR),
    ("disconnected", "it closed the connection too early", USE_A_MIRROR),
)


def unreachable(url: str, e: BaseException) -> NetworkTrouble:
    """Nobody answered, or not to the end."""
    said = f"{type(e).__name__}: {e}"
    meaning, fix = next(((m, f) for needle, m, f in CAUSES if needle in said), ("", USE_A_MIRROR))
    return NetworkTrouble(f"{host(url)} could not be reached: {meaning or str(e) or said}.", fix=fix)


def cut_short(url: str, why: str) -> NetworkTrouble:
    """The server began, and did not come to an end."""
    return NetworkTrouble(f"{url} could not be fetched to the end: {why}.", fix=USE_A_MIRROR)


def bad_status(url: str, status: int) -> NetworkTrouble:
    """The server answered, but not with the file."""
    if status >= 500 or status in (408, 429):
        return NetworkTrouble(
            f"{url} answered {status}: the server is in trouble.",
            fix="Run again in a while, or use --mirror URL.",
        )
    if status == 407:
        return NetworkTrouble(
            f"The proxy wants a name and a password for {url} (407).",
            fix="export https_proxy=http://NAME:PASSWORD@PROXY:PORT, then run again.",
        )
    return NetworkTrouble(
        f"{url} answered {status}.",
        fix="The file is not there (any more) or not for you: choose another release, or check --mirror.",
    )


def web_page(url: str) -> NetworkTrouble:
    """A page for people came in place of the file."""
    return NetworkTrouble(
        f"{url} answered with a web page in place of the file; a login page of the network, perhaps.",
        fix="Open any page in a browser on this network and log in, or use another network or --mirror.",
    )


def wrong_bytes(url: str, wanted: str, got: str) -> NetworkTrouble:
    """The file is not the one whose hash we know."""
    return NetworkTrouble(
        f"{url} has the wrong SHA-256: {got}, where {wanted} was expected. It was deleted unused.",
        fix="Run again; if it stays so, the server or something on the way changes it: use another mirror.",
    )


def no_hash(url: str) -> NetworkTrouble:
    """No hash, no use."""
    return NetworkTrouble(
        f"There is no SHA-256 for {url}, so it will not be used.",
        fix="Choose a release whose hash is known, or give a mirror that lists it.",
    )


def no_such_file(path: Path) -> NetworkTrouble:
    """A `file:` address that leads nowhere."""
    return NetworkTrouble(
        f"{path} is not there, or not readable.", fix=f"See what is there: ls -l {path.parent}"
    )


def bad_url(url: str, e: BaseException) -> BadInput:
    """Not an address at all."""
    return BadInput(
        f"«{url}» is not a web address: {e}", fix="Give one that begins with https://, http:// or file:."
    )


def bad_proxy(proxy: str, e: BaseException) -> BadInput:
    """The proxy of the environment cannot be used."""
    return BadInput(
        f"The proxy «{proxy}» cannot be used: {e}",
        fix="See which proxy is set (env | grep -i proxy); it should read http://HOST:PORT.",
    )


def bad_certificates(path: str, e: OSError) -> BadInput:
    """The certificates that the environment names cannot be read."""
    return BadInput(
        f"The certificates in «{path}» (SSL_CERT_FILE) cannot be read: {e.strerror or e}.",
        fix="unset SSL_CERT_FILE, or let it name a readable file of certificates (PEM).",
    )


def bad_authority(path: str, e: OSError) -> BadInput:
    """The certificate of an authority to trust cannot be read."""
    return BadInput(
        f"The certificates to trust in «{path}» cannot be read: {e.strerror or e}.",
        fix=f"See whether it is there for you, and begins as a certificate (PEM) does: head -1 {path}",
    )


def cannot_save(path: Path, e: OSError) -> MachineBlocks:
    """The disk did not take a download."""
    problem = f"{path} could not be written: {e.strerror or e}."
    if e.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineBlocks(
            problem,
            fix=f"Free some space there (df -h {path.parent}; df -i {path.parent}; quota -s), then run "
            "again: the download goes on where it stopped.",
        )
    return MachineBlocks(problem, fix=f"See who may write there: ls -ld {path.parent}")


def host(url: str) -> str:
    """The name of the server in a URL."""
    return urlsplit(url).hostname or url
