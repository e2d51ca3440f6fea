"""Ctrl-C and its like, held back where they would be lost or would leave something behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def patient(told: Callable[[], object] = bool) -> Iterator[list[int]]:
    """While the block runs, a first Ctrl-C only calls `told`, and is in the list; a second one is one.

    Where Ctrl-C is ignored, or another has taken it, all stays as it is.
    """
    pressed: list[int] = []

    def hear(number: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        told()

    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield pressed
        return
    signal.signal(signal.SIGINT, hear)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let what would end us in the block be heard when it has come to its end."""
    pressed: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if threading.current_thread() is not threading.main_thread():
        before = {}
    heard = {number: hear for number, hear in before.items() if callable(hear)}
    for number in heard:
        signal.signal(number, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        for number, hear in heard.items():
            signal.signal(number, hear)
    for came in pressed:
        heard[signal.Signals(came)](came, None)
