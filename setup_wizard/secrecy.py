"""What looks like a secret in variables and texts, and how it is kept out of what is shown."""

from __future__ import annotations

import hashlib
import re

HIDDEN = "…"  # stands for the value of one
ROUNDS = 100_000  # of a digest that lies where others may read it: guessing has to cost something

_NAME = r"\w*(?:TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE)\w*"
_IS_ONE = re.compile(_NAME, re.IGNORECASE)
# NAME: value, "NAME": value; [export] NAME=value. An item of a list is none, nor is a channel's ::
_SAID = re.compile(rf"""(\b{_NAME}["']?\s*:(?![:/])\s*).+|^(\s*(?:export\s+)?{_NAME}=).+""", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def is_one(name: str, value: str = "") -> bool:
    """Whether the value of a variable may be a secret, by its name or as an address with a password in it."""
    return bool(_IS_ONE.search(name)) or value == HIDDEN or ("@" in value and "://" in value)


def trace(value: str) -> str:
    """What tells whether a value is the same as before, and not what it is."""
    return hashlib.pbkdf2_hmac("sha256", value.encode(), b"hpc-jupyter-setup", ROUNDS, 16).hex()


def masked(line: str) -> str:
    """A line of a text for people, without the values that may be secrets."""
    line = _SAID.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", line)
    return _LOGIN.sub(f"{HIDDEN}@", line)
