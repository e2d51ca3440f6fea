"""A list or a map in a YAML text, changed in place: what is not to change stays to the byte, comments too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_]([\w./:+=<>!~*| -]*[\w.*=+])?", re.ASCII)
_COMMA = re.compile(r"(?:\s|#[^\n]*)*,")  # the next one that is not in a comment
_NOT_TEXT = ("true", "false", "yes", "no", "on", "off", "null", "y", "n")


def with_items(text: str, key: str, change: Callable[[str], str | None], new: Sequence[str]) -> str:
    """The text with each scalar in the list below a key of the top level changed (None: gone), and new ones.

    New items come behind the last scalar, before a map such as `pip:` that ends the list.
    """
    text = _with_new(text, _below(text, key), new)
    value = _below(text, key)
    for n, item in reversed([(n, item) for n, item in enumerate(value.value) if item.id == "scalar"]):
        wanted = change(item.value.strip())
        if wanted is None:
            text = _without(text, value.value, n, bool(value.flow_style))
        elif wanted != item.value.strip():
            text = text[: item.start_mark.index] + _quoted(wanted) + text[item.end_mark.index :]
    return text


def with_values(text: str, key: str, change: Callable[[str, str], str | None]) -> str:
    """The text with scalars in the map below a key of the top level replaced, by name; None: it stays."""
    found: dict[int, tuple[int, str]] = {}
    for name, value in _entries(_below(text, key)):
        wanted = change(name.value, value.value) if value.id == "scalar" else None
        if wanted is not None:
            found[value.start_mark.index] = (value.end_mark.index, json.dumps(wanted, ensure_ascii=False))
    for start, (end, new) in sorted(found.items(), reverse=True):
        newline = "\n" if text[start:end].endswith("\n") else ""
        text = text[:start] + new + newline + text[end:]
    return text


def _entries(node: Any) -> Iterator[tuple[Any, Any]]:
    """The names and values of a map, with those that are merged into it."""
    if node.id == "sequence":
        for one in node.value:
            yield from _entries(one)
    for name, value in node.value if node.id == "mapping" else ():
        if name.value == "<<":
            yield from _entries(value)
        else:
            yield name, value


def _below(text: str, key: str) -> Any:
    from ruamel.yaml import YAML

    root = YAML(typ="rt", pure=True).compose(text)
    return next(value for name, value in root.value if name.value == key)


def _with_new(text: str, value: Any, new: Sequence[str]) -> str:
    if not new:
        return text
    scalars = [item for item in value.value if item.id == "scalar"]
    if value.flow_style:
        end = (scalars or value.value)[-1].end_mark.index
        return text[:end] + "".join(f", {_quoted(item)}" for item in new) + text[end:]
    newline = "\r\n" if "\r\n" in text else "\n"
    first = value.value[0].start_mark.index
    head = text[text.rfind("\n", 0, first) + 1 : first]  # indentation and dash
    added = "".join(head + _quoted(item) + newline for item in new)
    place = _line_end(text, scalars[-1].end_mark.index) if scalars else first - len(head)
    glue = newline if place and text[place - 1] != "\n" else ""
    return text[:place] + glue + added + text[place:]


def _without(text: str, items: Sequence[Any], n: int, flow: bool) -> str:
    start, end = items[n].start_mark.index, items[n].end_mark.index
    if not flow:
        return text[: text.rfind("\n", 0, start) + 1] + text[_line_end(text, end) :]
    return _out_of_brackets(text, start, end, items[n - 1].end_mark.index if n else end)


def _out_of_brackets(text: str, start: int, end: int, before: int) -> str:
    """Without the item and one comma: its own, or that of the one before. Comments of others stay."""
    own = _COMMA.match(text, end)
    comma = own or _COMMA.match(text, before)
    spans = [(comma.end() - 1, comma.end())] if comma else []
    if own and own.end() == end + 1:  # what stands behind it on this line moves up
        behind = text[end + 1 :].lstrip(" \t")
        spans = [(start, end + 1 if behind[:1] in "#\r\n" else len(text) - len(behind))]
    else:
        first = len(text[:start].rstrip(" \t"))
        start = start if text[first - 1] in "\n[" else first
        spans.append((start, end))
    for a, b in sorted(spans, reverse=True):
        text = text[:a] + text[b:]
    start -= sum(a < start for a, _ in spans)
    line, stop = text.rfind("\n", 0, start) + 1, _line_end(text, start)
    alone = re.fullmatch(r"\s*(#.*)?\s*", text[line:stop])  # it had a line of its own
    return text[:line] + text[stop:] if alone else text


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return found + 1 if found >= 0 else len(text)


def _quoted(word: str) -> str:
    """A text as YAML: plain where that is safe, in a list in brackets too."""
    risky = ": " in word or " #" in word or word.lower() in _NOT_TEXT
    return word if _PLAIN.fullmatch(word) and not risky else json.dumps(word, ensure_ascii=False)
