"""Where things stand in a YAML file: ruamel counts from 0, people from 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Key = str | int


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """What was read: the `value`, and where each part of it stands in the file."""

    value: T
    name: str
    source: Any  # ruamel's tree, which knows the lines

    def at(self, *keys: Key) -> str:
        """Where the value below these keys stands: "FILE:LINE:COLUMN" (or the nearest place around it)."""
        return place(self.name, value_position(self.source, keys))


def place(name: str, position: tuple[int, int]) -> str:
    """A position as people write it: "FILE:LINE:COLUMN"."""
    return f"{name}:{position[0] + 1}:{position[1] + 1}"


def own_position(node: Any, default: tuple[int, int]) -> tuple[int, int]:
    """Where a map or a list begins; of a scalar, which does not know, the default."""
    lc = getattr(node, "lc", None)
    return (lc.line, lc.col) if lc is not None and lc.line is not None else default


def key_position(node: Any, key: Any) -> tuple[int, int]:
    """Where a key of the map stands."""
    try:
        line, column = node.lc.key(key)
    except (AttributeError, KeyError, TypeError):
        return own_position(node, (0, 0))
    return line, column


def value_position(node: Any, keys: Sequence[Key]) -> tuple[int, int]:
    """Where the value below the keys stands, or what is nearest around it."""
    where = own_position(node, (0, 0))
    for key in keys:
        try:
            line, column = node.lc.item(key) if hasattr(node, "append") else node.lc.value(key)
            where, node = (line, column), node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return where
