"""The same data for programs: what `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard.errors import SetupError
from setup_wizard.step import Blocked, Done, Forecast, State, Todo


def json_of(data: Any) -> Any:
    """Frozen data as what JSON knows; a step becomes its title and key, a state its name and texts."""
    if isinstance(data, SetupError):
        return {"problem": data.problem, "fix": data.fix, "code": data.code}
    if isinstance(data, Done | Todo | Blocked):
        return _state(data)
    if callable(getattr(data, "apply", None)):  # a step
        return {"title": data.title, "key": data.key}
    if isinstance(data, msgspec.Struct):
        return _flat({name: json_of(getattr(data, name)) for name in data.__struct_fields__}, data)
    if isinstance(data, Mapping):
        return {str(key): json_of(value) for key, value in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [json_of(item) for item in data]
    return str(data) if isinstance(data, Path) else msgspec.to_builtins(data, enc_hook=str)


def _flat(fields: dict[str, Any], data: msgspec.Struct) -> dict[str, Any]:
    """What stands around a step (its state, its costs) is told on one level with its title."""
    fields.pop("settled", None)  # the same step once more
    for name in ("step", "state", "forecast"):
        inner = getattr(data, name, None)
        if name == "step" or isinstance(inner, Forecast | Done | Todo | Blocked):
            fields |= fields.pop(name, {})
    return fields


def _state(state: State) -> dict[str, Any]:
    if isinstance(state, Done):
        return {"state": "done", "note": state.note}
    if isinstance(state, Blocked):
        return {"state": "blocked", "problem": state.problem, "fix": state.fix}
    return {"state": "todo", "preview": state.preview}
