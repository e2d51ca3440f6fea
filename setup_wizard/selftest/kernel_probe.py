"""Starts a kernel by its name, asks where it runs, and runs the cells of a notebook in it.

A program of its own, run by the Python of the environment in question, with nothing but its own packages:
`PREFIX/bin/python -I kernel_probe.py KERNEL FOLDER SECONDS [NOTEBOOK]`; connection files and sockets go to
FOLDER, and the kernel has SECONDS to answer. Prints one JSON object a line. Nothing is written back into the
notebook.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

ASK = {  # by language: a cell that prints the prefix and the version
    "python": "import sys; print(sys.prefix); print(sys.version.split()[0])",
    "r": "cat(dirname(dirname(R.home())), as.character(getRversion()), sep='\\n')",
}
PATIENCE = 60.0  # seconds for one cell to end


def main(kernel: str, folder: str, seconds: str, notebook: str = "") -> None:
    """Tell where the kernel runs, and how the notebook in it ends."""
    try:
        from jupyter_client.manager import KernelManager
    except ImportError as e:
        return tell(problem=f"the package {e.name} is missing")
    manager = KernelManager(kernel_name=kernel, transport="ipc")
    manager.connection_file = os.path.join(folder, "kernel.json")  # the sockets go beside it
    began = time.perf_counter()
    try:
        manager.start_kernel(cwd=folder)
    except Exception as e:  # whatever a kernelspec can be wrong about
        return tell(problem=f"{type(e).__name__}: {e}")
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=float(seconds))
        tell(**who(client), seconds=time.perf_counter() - began)
        if notebook:
            tell(**run_all(client, notebook))
    except Exception as e:  # it died, or did not answer
        tell(problem=f"{type(e).__name__}: {e}")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def who(client: BlockingKernelClient) -> dict[str, str]:
    """The language of a kernel that has answered, its version, and where it runs ("": we cannot ask it)."""
    client.kernel_info()
    info = client.get_shell_msg(timeout=PATIENCE)["content"].get("language_info", {})
    language, version = str(info.get("name", "")), str(info.get("version", ""))
    if language.lower() not in ASK:
        return {"language": language, "version": version, "prefix": ""}
    prefix, version = run(client, ASK[language.lower()])[0].splitlines()
    return {"language": language, "version": version, "prefix": prefix}


def run_all(client: BlockingKernelClient, notebook: str) -> dict[str, Any]:
    """Run the code cells until one ends with an error."""
    with open(notebook, encoding="utf-8") as f:
        sources = ["".join(c["source"]) for c in json.load(f)["cells"] if c["cell_type"] == "code"]
    began, images = time.perf_counter(), 0
    for number, source in enumerate(sources, 1):
        try:
            images += run(client, source)[1]
        except RuntimeError as e:
            return {"cells": number, "error": str(e)}
    return {"cells": len(sources), "images": images, "seconds": time.perf_counter() - began}


def run(client: BlockingKernelClient, source: str) -> tuple[str, int]:
    """What a cell prints, and how many pictures it draws."""
    said: list[str] = []
    images = 0

    def hear(message: dict[str, Any]) -> None:
        nonlocal images
        content = message["content"]
        said.append(content.get("text", ""))
        images += "image/png" in content.get("data", {})

    reply = client.execute_interactive(source, store_history=False, output_hook=hear, timeout=PATIENCE)[
        "content"
    ]
    if reply["status"] != "ok":
        raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')}")
    return "".join(said), images


def tell(**what: Any) -> None:
    """Print one line for the self-test to read."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
