"""Work that goes on beside somebody who waits for something else as well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def beside(work: Callable[[], T], wait: Callable[[], object]) -> T:
    """What `work` gives, or raises; it is done in a thread while `wait` is called again and again.

    What `wait` raises is raised at once, and the work left alone: it ends with the process at the latest.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as e:
            done.set_exception(e)

    threading.Thread(target=run, daemon=True).start()
    while not done.done():
        wait()
    return done.result()
