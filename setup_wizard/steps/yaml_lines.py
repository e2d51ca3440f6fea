"""The top level of a YAML file as text: where keys and values stand, and the text with one of them changed.

ruamel.yaml only tells the places; what is not asked to change stays to the byte, so comments, order,
indentation and quotes survive. ruamel.yaml is imported here and in `yamlfile`, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Pair = tuple[Any, Any]  # the nodes of a key and of its value


class Odd(Exception):
    """The text holds something that is not edited here: where (from 1), what, and what to do about it."""

    def __init__(self, line: int, column: int, said: str, fix: str) -> None:
        super().__init__(said)
        self.line, self.column, self.said, self.fix = line, column, said, fix


def odd(node: Any, said: str, fix: str) -> Odd:
    """The complaint about a node, with its place."""
    return Odd(node.start_mark.line + 1, node.start_mark.column + 1, said, fix)


class TopLevel:
    """The keys at the top level of a YAML text; one without any content has none. Raises Odd."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
        _refuse_other_line_ends(text)
        self.pairs = _pairs(text)

    def find(self, *names: str) -> Pair | None:
        """The first key of one of these names, and its value."""
        return next((pair for pair in self.pairs if pair[0].value in names), None)

    def values(self) -> dict[str, Any]:
        """All that the text says, as plain data."""
        from ruamel.yaml import YAML

        with _translated(self.text):
            return dict(YAML(typ="safe", pure=True).load(self.text) or {})

    def source(self, node: Any) -> str:
        """What the user wrote for it."""
        return self.text[node.start_mark.index : node.end_mark.index]

    # --- the text, changed in one place -------------------------------------------------------------------

    def with_lines(self, lines: Sequence[str]) -> str:
        """With more lines at the end of the top level."""
        indent = " " * (self.pairs[0][0].start_mark.column if self.pairs else 0)
        stop = re.search(r"^\.\.\.\s", self.text + "\n", re.MULTILINE)
        end = stop.start() if stop else len(self.text)
        return self._with((end, end, [indent + line for line in lines]))

    def with_value(self, pair: Pair, new: str) -> str:
        """With another value in the place of a scalar, a list in brackets, or nothing at all."""
        start, end = pair[1].start_mark.index, pair[1].end_mark.index
        if start == end:  # nothing: it goes behind the colon
            start = end = self.text.index(":", pair[0].end_mark.index) + 1
            new = " " + new
        return self.text[:start] + new + self.text[end:]

    def with_items(self, items: Sequence[Any], wanted: Sequence[str]) -> str:
        """With `wanted` for the items of a list written in lines: lines go and come, the others stay."""
        first = items[0].start_mark.index
        head = self.text[self._line_start(first) : first]  # indentation and dash
        now = [item.value for item in items]
        spans = [(self._line_start(i.start_mark.index), self._line_end(i.end_mark.index)) for i in items]
        edits: list[tuple[int, int, list[str]]] = []
        for _, i1, i2, j1, j2 in _differences(now, wanted):
            place = spans[i1][0] if i1 < len(spans) else spans[-1][1]
            edits.append((place, place, [head + quoted(c) for c in wanted[j1:j2]]))
            edits += [(start, end, []) for start, end in spans[i1:i2]]
        return self._with(*edits)

    def without(self, pair: Pair) -> str:
        """Without a key and its value, in whole lines."""
        key, value = pair
        block = value.id == "sequence" and not value.flow_style
        last = value.value[-1] if block else value
        end = max(key.end_mark.index, last.end_mark.index)
        return self._with((self._line_start(key.start_mark.index), self._line_end(end), []))

    def _with(self, *edits: tuple[int, int, list[str]]) -> str:
        """With lines in the place of each span, from the last to the first."""
        text = self.text
        for start, end, lines in reversed(edits):
            glue = self.newline if lines and start and text[start - 1] != "\n" else ""
            text = text[:start] + glue + "".join(line + self.newline for line in lines) + text[end:]
        return text

    def _line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        found = self.text.find("\n", index)
        return found + 1 if found >= 0 else len(self.text)


def quoted(word: str) -> str:
    """A text as YAML: plain where that is safe."""
    import json

    plain = re.fullmatch(r"[A-Za-z][\w./:@%+~-]*[\w/]", word, re.ASCII) and word.lower() not in _NOT_TEXT
    return word if plain else json.dumps(word, ensure_ascii=False)


_NOT_TEXT = ("true", "false", "yes", "no", "on", "off", "null")


def _differences(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    import difflib

    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    return [op for op in matcher.get_opcodes() if op[0] != "equal"]


# --- what ruamel says, in the user's words ----------------------------------------------------------------


def _pairs(text: str) -> list[Pair]:
    from ruamel.yaml import YAML

    with _translated(text):
        root = YAML(typ="rt", pure=True).compose(text)
    if root is None or (root.id == "scalar" and not root.value):
        return []
    if root.id != "mapping":
        raise odd(root, "the file should hold keys with values", "Begin each line with a key: «channels:».")
    if root.flow_style:
        raise odd(root, "the file is written in braces", "Write one key a line, without braces.")
    _refuse_twins(root.value)
    return list(root.value)


def _refuse_other_line_ends(text: str) -> None:
    """What ends a line for YAML and not for us would make us take two lines for one."""
    if found := re.search(r"\r(?!\n)|[\x85\u2028\u2029]", text):
        start = text[: found.start()]
        line, column = start.count("\n") + 1, len(start) - start.rfind("\n")
        raise Odd(line, column, "a line ends in an uncommon way", "Save the file with ordinary line ends.")


def _refuse_twins(pairs: Sequence[Pair]) -> None:
    seen = set()
    for key, _ in pairs:
        if key.id == "scalar" and key.value in seen:
            raise odd(key, f"the key «{key.value}» is there twice", "Remove one of the two, or join them.")
        seen.add(key.value if key.id == "scalar" else "")


@contextmanager
def _translated(text: str) -> Iterator[None]:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        raise Odd(line + 1, column + 1, *_plain_words(str(e.problem or e.context))) from None
    except YAMLError as e:  # a character that no YAML may hold
        start = text[: getattr(e, "position", 0)]
        line, column = start.count("\n"), len(start) - start.rfind("\n") - 1
        said = "a byte that is not UTF-8, or a control character"
        raise Odd(line + 1, column + 1, said, "Save the file as plain UTF-8 text.") from None


def _plain_words(said: str) -> tuple[str, str]:
    if "another document" in said:
        return "a second YAML document begins here", "Keep one; conda reads no more than one either."
    if "duplicate key" in said:
        return "a key is there twice", "Remove one of the two, or join them."
    if "'\\t'" in said or "tab" in said.split():
        return "a tab; YAML is indented with spaces only", "Replace the tabs by spaces."
    return f"this is not YAML: {said}", "Look at this line and the one above: indentation, «:», quotes."
