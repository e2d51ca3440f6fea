"""YAML files that people write, read strictly: every complaint starts with `file:line:column:`.

Unknown keys, duplicate keys, wrong types and tabs are errors, since each of them is a mistake that would
otherwise be found much later. The shape of a file is a msgspec type; its fields are the keys allowed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from setup_wizard import secrecy
from setup_wizard.errors import BadInput
from setup_wizard.yamlfile.places import Loaded, key_position, own_position, place
from setup_wizard.yamlfile.shape import hook, no_unknown_keys, wrong_value

__all__ = ["Loaded", "parse", "read"]

T = TypeVar("T")

MOST_VALUES = 100_000  # aliases of aliases can stand for more than any machine holds


def read(path: Path, into: type[T]) -> Loaded[T]:
    """Read a YAML file as a value of type `into`. Raises BadInput."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(
            f"{path}:1:1: there is no such file.", fix=f"See what is there: ls {path.parent}"
        ) from None
    except OSError as e:
        raise BadInput(f"{path}:1:1: it cannot be read: {e.strerror}.", fix=f"See: ls -l {path}") from e
    return parse(_decode(raw, str(path)), str(path), into)


def parse(text: str, name: str, into: type[T]) -> Loaded[T]:
    """Like `read`, for text at hand; `name` stands for the file in messages."""
    source = _load(text, name)
    if source is None:
        raise BadInput(f"{name}:1:1: the file is empty.", fix=f"Write into it what it should hold: {name}")
    plain = _Plain(name).of(source)
    no_unknown_keys(plain, source, name, into)
    try:
        value = msgspec.convert(plain, into, dec_hook=hook)
    except msgspec.ValidationError as e:
        raise wrong_value(e, plain, Loaded(into, name, source), text) from None
    return Loaded(value, name, source)


def _decode(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        good = raw[: e.start].decode("utf-8", "replace")
        where = place(name, (good.count("\n"), len(good) - good.rfind("\n") - 1))
        raise BadInput(
            f"{where}: the byte {raw[e.start]:#04x} is not UTF-8.",
            fix=f"Save the file as UTF-8, for example: iconv -f latin1 -t utf8 {name} -o {name}.utf8",
        ) from None


def _load(text: str, name: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="rt").load(text)
    except MarkedYAMLError as e:
        at_end = e.problem_mark is None or e.problem_mark.index >= len(text.rstrip())
        mark = (e.context_mark or e.problem_mark) if at_end else e.problem_mark
        raise _not_yaml(str(e.problem or e.context), name, (mark.line, mark.column), text) from None
    except YAMLError as e:  # a character that no YAML may hold; only this one comes without a mark
        start = text[: getattr(e, "position", 0)]
        where = (start.count("\n"), len(start) - start.rfind("\n") - 1)
        raise _not_yaml("a control character", name, where, text) from None


def _not_yaml(said: str, name: str, where: tuple[int, int], text: str) -> BadInput:
    line, column = where
    at = place(name, where)
    shown = [*text.split("\n"), ""][line]
    if "duplicate key" in said:
        key = re.search(r'duplicate key "(.*?)"', said)
        which = f" «{key[1]}»" if key else ""
        return BadInput(f"{at}: the key{which} is there twice.", fix="Remove one, or join the two.")
    if "'\\t'" in said or (said.startswith("found a tab") or "\t" in shown[: column + 1]):
        return BadInput(
            f"{at}: a tab; YAML is indented with spaces only.",
            fix=f"Replace the tabs by spaces: expand -t 2 {name} > {name}.new && mv {name}.new {name}",
        )
    seen = secrecy.masked(shown.strip())
    if seen != shown.strip():
        said = re.sub(r"'.*'|\".*\"", secrecy.HIDDEN, said)
    return BadInput(
        f"{at}: this is not YAML: {said}.\n    {seen}",
        fix=f"Look at line {line + 1} and the one above it: indentation, a missing «:» or quote.",
    )


class _Plain:
    """Turns ruamel's tree into plain dicts, lists and scalars."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.left = MOST_VALUES

    def of(self, node: Any, where: tuple[int, int] = (0, 0), depth: int = 0) -> Any:
        self.left -= 1
        if self.left < 0 or depth > 50:
            raise BadInput(
                f"{place(self.name, where)}: nested too deep, or too large.", fix="Write it without aliases."
            )
        if isinstance(node, dict):
            for key in node:
                self._check_key(key, node)
            return {str(k): self.of(v, own_position(v, where), depth + 1) for k, v in node.items()}
        if isinstance(node, list):
            return [self.of(v, own_position(v, where), depth + 1) for v in node]
        if node is None or isinstance(node, bool):
            return node
        return self._scalar(node, where)

    def _check_key(self, key: Any, node: Any) -> None:
        if not isinstance(key, str):
            at = place(self.name, key_position(node, key))
            raise BadInput(f"{at}: the key {key!r} is not a text.", fix=f'Put it in quotes: "{key}"')

    def _scalar(self, node: Any, where: tuple[int, int]) -> Any:
        for kind in (str, int, float):
            if isinstance(node, kind):
                return bool(node) if type(node).__name__ == "ScalarBoolean" else kind(node)
        if hasattr(node, "isoformat"):
            return node.isoformat()
        raise BadInput(
            f"{place(self.name, where)}: a YAML tag or type that is not used here.",
            fix="Write a plain text.",
        )
