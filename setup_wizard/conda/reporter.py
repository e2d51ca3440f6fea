"""How the engine tells what it does: a voice for events, and ears for rattler's progress.

rattler waits for these ears: just before it removes or links a package, what is in the way is put aside.
"""

from __future__ import annotations

import asyncio
import os
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from setup_wizard.conda import causes
from setup_wizard.conda.talk import PULSE, Beat, Event, Failed, Moved, Package, Warned

if TYPE_CHECKING:
    from setup_wizard.conda.ground import Ground

STEPS = 200  # progress events of one kind, at most


class Voice:
    """Says events on a file descriptor, from any thread, and beats while the engine lives."""

    def __init__(self, out: int, cpu_seconds: Callable[[], float]) -> None:
        self._out = out
        self._cpu_seconds = cpu_seconds
        self._lock = threading.Lock()
        self._index: Path | None = None
        self.downloading: dict[int, int] = {}  # bytes so far of the downloads under way
        self.downloaded = 0  # bytes of those that ended

    def say(self, event: Event) -> None:
        line = msgspec.json.encode(event) + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._out, line) :]

    def phase(self, title: str, index: Path | None = None) -> None:
        """Begin a phase; while an `index` is fetched, its folder tells how much has come."""
        self._index = index
        self.say(Moved(title, 0, 0))

    async def beat(self) -> None:
        """Say again and again that we live, and whether we wait for a server."""
        cpu = self._cpu_seconds()
        while True:
            await asyncio.sleep(PULSE)
            cpu, before = self._cpu_seconds(), cpu
            idle = cpu - before < PULSE / 10
            if self._index is not None:
                self.say(Beat(_size(self._index), waiting=idle))
            else:
                self.say(Beat(self.fetched, waiting=idle and bool(self.downloading)))

    @property
    def fetched(self) -> int:
        return self.downloaded + sum(self.downloading.values())


class Reporter:
    """Hears rattler's progress and passes it on, not too often."""

    def __init__(self, voice: Voice, solution: Sequence[Package], ground: Ground | None = None) -> None:
        self._voice, self._ground = voice, ground
        self._total_bytes = sum(p.size for p in solution if not p.cached)
        self._operations = self._linked = self._tokens = self._said = 0
        self._scripts: dict[int, str] = {}

    def _token(self) -> int:
        self._tokens += 1
        return self._tokens

    def on_transaction_start(self, total_operations: int) -> None:
        self._operations = total_operations
        self._voice.phase("link")

    def on_transaction_operation_start(self, operation: int) -> None: ...

    def on_populate_cache_start(self, operation: int, package_name: str) -> int:
        return self._token()

    def on_validate_start(self, cache_entry: int) -> int:
        return self._token()

    def on_validate_complete(self, validate_idx: int) -> None: ...

    def on_download_start(self, cache_entry: int) -> int:
        token = self._token()
        self._voice.downloading[token] = 0
        return token

    def on_download_progress(self, download_idx: int, progress: int, total: int | None) -> None:
        self._voice.downloading[download_idx] = progress
        self._say_bytes()

    def on_download_completed(self, download_idx: int) -> None:
        self._voice.downloaded += self._voice.downloading.pop(download_idx, 0)
        self._say_bytes()

    def _say_bytes(self) -> None:
        done = min(self._voice.fetched, self._total_bytes)
        if done - self._said > self._total_bytes // STEPS or done == self._total_bytes != self._said:
            self._said = done
            self._voice.say(Moved("download", done, self._total_bytes, "B"))

    def on_populate_cache_complete(self, cache_entry: int) -> None: ...

    def on_unlink_start(self, operation: int, package_name: str) -> int:
        if self._ground:
            self._or_end(self._ground.goes, package_name)
        return self._token()

    def on_unlink_complete(self, index: int) -> None: ...

    def on_link_start(self, operation: int, package_name: str) -> int:
        if self._ground:
            self._or_end(self._ground.comes, package_name)
        return self._token()

    def _or_end(self, act: Callable[[str], None], name: str) -> None:
        """Do it, or end at once: rattler would not hear of an error, and go on over what is there."""
        try:
            act(name)
        except OSError as e:
            self._voice.say(causes.of_transfer(str(e)))
            os._exit(0)
        except Exception:
            self._voice.say(Failed("bug", traceback.format_exc()))
            os._exit(0)

    def on_link_complete(self, index: int) -> None:
        self._linked += 1
        self._voice.say(Moved("link", self._linked, self._operations, "packages"))

    def on_transaction_operation_complete(self, operation: int) -> None: ...

    def on_transaction_complete(self) -> None: ...

    def on_post_link_start(self, package_name: str, script_path: str) -> int:
        token = self._token()
        self._scripts[token] = package_name
        return token

    def on_post_link_complete(self, index: int, success: bool) -> None:
        if not success:
            name = self._scripts.get(index, "a package")
            self._voice.say(Warned(f"The installation script of {name} failed; it may not work completely."))

    def on_pre_unlink_start(self, package_name: str, script_path: str) -> int:
        return self._token()

    def on_pre_unlink_complete(self, index: int, success: bool) -> None: ...


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except OSError:
                continue
    return total
