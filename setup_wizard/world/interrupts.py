"""Ctrl-C, held back where it would be lost or would leave something behind."""

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
    """Let a Ctrl-C in the block be one when it has come to its end."""
    with patient() as pressed:
        yield
    if pressed:
        raise KeyboardInterrupt
