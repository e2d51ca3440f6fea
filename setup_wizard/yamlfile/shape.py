"""Holds a YAML file against its type, and says in the user's words where it differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import secrecy
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.yamlfile.places import Key, Loaded, key_position, place, value_position

_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "keys with values",
    "null": "nothing",
}


def no_unknown_keys(plain: Any, source: Any, name: str, into: Any) -> None:
    """Raise BadInput for the first key that the type does not have."""
    for keys, unknown, allowed in _unknown(plain, msgspec.inspect.type_info(into), ()):
        node = source
        for key in keys:
            node = node[key]
        raise BadInput(
            f"{place(name, key_position(node, unknown))}: the key «{unknown}» is not known here."
            f"{did_you_mean(unknown, allowed)}",
            fix=f"Allowed are: {', '.join(allowed)}.",
        )


def _unknown(
    value: Any, info: Any, keys: tuple[Key, ...]
) -> Iterator[tuple[tuple[Key, ...], str, list[str]]]:
    """Keys in `value` that the type does not have: where, which, and those that it has."""
    for kind in getattr(info, "types", [info]):
        if isinstance(value, dict) and _is_record(kind, value):
            fields = {f.encode_name: f.type for f in kind.fields}
            allowed = [*fields, *([kind.tag_field] if getattr(kind, "tag_field", None) else [])]
            for key, inner in value.items():
                if key not in allowed:
                    yield keys, key, allowed
                elif key in fields:
                    yield from _unknown(inner, fields[key], (*keys, key))
        elif isinstance(value, dict) and isinstance(kind, msgspec.inspect.DictType):
            for key, inner in value.items():
                yield from _unknown(inner, kind.value_type, (*keys, key))
        elif isinstance(value, list) and hasattr(kind, "item_type"):
            for i, inner in enumerate(value):
                yield from _unknown(inner, kind.item_type, (*keys, i))


def _is_record(kind: Any, value: dict[str, Any]) -> bool:
    if not isinstance(kind, (msgspec.inspect.StructType, msgspec.inspect.DataclassType)):
        return False
    tag_field = getattr(kind, "tag_field", None)
    return tag_field is None or value.get(tag_field) == getattr(kind, "tag", None)


def hook(kind: type, value: Any) -> Any:
    """msgspec asks here for what it does not know: a path."""
    if issubclass(kind, Path) and isinstance(value, str):
        return kind(value)
    raise msgspec.ValidationError(f"Expected `{kind.__name__}`")


def wrong_value(e: msgspec.ValidationError, plain: Any, wanted: Loaded[Any], text: str) -> BadInput:
    """msgspec's complaint in the user's words; `wanted` holds the type and the tree."""
    said, _, path = str(e).partition(" - at `")
    keys = _keys_of(path.rstrip("`"), plain, str(e), wanted.value)
    value = plain
    for key in keys:
        value = value[key]
    hidden = any(secrecy.is_one(str(key)) for key in keys)
    what = "".join(f"[{k + 1}]" if isinstance(k, int) else f".{k}" for k in keys).lstrip(".")
    start = f"{wanted.at(*keys)}: {f'«{what}»' if what else 'the file'}"
    if missing := re.match(r"Object missing required field `(.*)`", said):
        return BadInput(f"{start} needs the key «{missing[1]}».", fix=f"Add a line «{missing[1]}: …».")
    if said.startswith("Invalid enum value"):
        allowed = [str(v) for v in _choices(msgspec.inspect.type_info(wanted.value), keys)]
        near = did_you_mean(str(value), allowed)
        return BadInput(f"{start} cannot be «{value}».{near}", fix=f"Allowed are: {', '.join(allowed)}.")
    if types := re.match(r"Expected `(.*)`, got `(.*)`", said):
        should = " or ".join(_WORDS.get(w.strip(), w.strip()) for w in types[1].split("|"))
        raw = secrecy.HIDDEN if hidden else _as_written(text, value_position(wanted.source, keys))
        quote = "str" in types[1] and isinstance(value, (int, float))
        return BadInput(
            f"{start} should be {should}, and is {_WORDS.get(types[2], types[2])}.",
            fix=f'Put it in quotes: "{raw}"' if quote else f"Write {should} there.",
        )
    return BadInput(f"{start} is «{secrecy.HIDDEN if hidden else value}»: {said}.", fix="Correct the value.")


def _as_written(text: str, where: tuple[int, int]) -> str:
    """The scalar that stands there, as the user wrote it: 3.10 is 3.1 only to YAML."""
    return re.split(r"\s|[,\]}]", text.split("\n")[where[0]][where[1] :], maxsplit=1)[0]


def _keys_of(path: str, plain: Any, said: str, into: Any) -> tuple[Key, ...]:
    """msgspec's path as keys; where it says `[...]` (a dict's value), the key that is at fault is found."""
    keys: tuple[Key, ...] = ()
    for name, index in re.findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", path):
        if name or index != "...":
            keys = (*keys, name or int(index))
            continue
        guilty = _guilty(plain, keys, said, into)
        if guilty is None:
            break
        keys = (*keys, guilty)
    return keys


def _guilty(plain: Any, keys: tuple[Key, ...], said: str, into: Any) -> str | None:
    """The key of the dict at `keys` that alone brings the same complaint."""
    value = plain
    for key in keys:
        value = value[key]
    for candidate in value if isinstance(value, dict) else ():
        try:
            msgspec.convert(_replaced(plain, keys, {candidate: value[candidate]}), into, dec_hook=hook)
        except msgspec.ValidationError as e:
            if str(e) == said:
                return str(candidate)
    return None


def _replaced(value: Any, keys: tuple[Key, ...], new: Any) -> Any:
    if not keys:
        return new
    copy = value.copy()
    copy[keys[0]] = _replaced(value[keys[0]], keys[1:], new)
    return copy


def _choices(info: Any, keys: tuple[Key, ...]) -> list[Any]:
    """The values that a literal or enum below `keys` may have."""
    kinds = list(getattr(info, "types", [info]))
    for key in keys:
        inner: list[Any] = []
        for kind in kinds:
            if isinstance(key, int):
                inner.append(getattr(kind, "item_type", kind))
            elif hasattr(kind, "fields"):
                inner += [f.type for f in kind.fields if f.encode_name == key]
            else:
                inner.append(getattr(kind, "value_type", kind))
        kinds = [k for i in inner for k in getattr(i, "types", [i])]
    found: list[Any] = []
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.LiteralType):
            found += kind.values
        elif isinstance(kind, msgspec.inspect.EnumType):
            found += [m.value for m in kind.cls]
    return found
