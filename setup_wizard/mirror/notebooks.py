"""The example notebooks of the rehearsal: small, ours, and written here so that they need no file."""

from __future__ import annotations

import json
from dataclasses import dataclass

LICENCE = """\
BSD 3-Clause License

Copyright (c) the hpc-jupyter-setup contributors

Redistribution and use in source and binary forms, with or without modification, are permitted provided that
the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions and the
   following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the
   following disclaimer in the documentation and/or other materials provided with the distribution.
3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or
   promote products derived from this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED
WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A
PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY
DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO,
PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR
OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH
DAMAGE.
"""

FIRST_STEPS = (
    "# First steps\n\nRun a cell with Shift-Enter. This one prints which Python answers.",
    "import sys\n\nprint(sys.version.split()[0], 'in', sys.prefix)",
    "## Arrays\n\nNumPy computes with whole arrays at a time.",
    "import numpy as np\n\nsquares = np.arange(1, 11) ** 2\nprint(squares)\nassert squares.sum() == 385",
)
PLOTS = (
    "# Plots\n\nMatplotlib draws into the notebook.",
    "import matplotlib.pyplot as plt\nimport numpy as np\n\nx = np.linspace(0, 2 * np.pi, 200)",
    "A damped wave:",
    "figure, axes = plt.subplots(figsize=(6, 3))\naxes.plot(x, np.exp(-x / 3) * np.cos(4 * x))\n"
    "axes.set_xlabel('time')\naxes.set_ylabel('amplitude')\nplt.show()",
)
TABLES = (
    "# Tables\n\nPandas reads and sums up tables. These numbers are made up.",
    "import pandas as pd\n\njobs = pd.DataFrame(\n    {'queue': ['short', 'long', 'short', 'gpu'], "
    "'hours': [0.5, 12.0, 1.5, 4.0]}\n)\njobs",
    "Hours per queue:",
    "hours = jobs.groupby('queue')['hours'].sum()\nprint(hours)\nassert hours['short'] == 2.0",
)


@dataclass(frozen=True)
class Collection:
    """What becomes one repository: its files by path."""

    name: str
    title: str
    files: dict[str, bytes]
    licence: str = "BSD-3-Clause"


def collections() -> list[Collection]:
    """The notebooks, one collection each."""
    return [
        _collection("first-steps", "First steps with NumPy", notebook(FIRST_STEPS)),
        _collection("plots", "Plots with Matplotlib", notebook(PLOTS)),
        _collection("tables", "Tables with pandas", notebook(TABLES)),
    ]


def _collection(name: str, title: str, content: bytes) -> Collection:
    readme = f"# {title}\n\nAn example of the rehearsal: open `{name}.ipynb` in Jupyter.\n"
    files = {f"{name}.ipynb": content, "README.md": readme.encode(), "LICENSE": LICENCE.encode()}
    return Collection(name, title, files)


def notebook(cells: tuple[str, ...]) -> bytes:
    """A notebook (nbformat 4.5) of text and code in turn."""
    what = {
        "cells": [_cell(i, text) for i, text in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(what, indent=1).encode() + b"\n"


def _cell(number: int, text: str) -> dict[str, object]:
    cell: dict[str, object] = {
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    if number % 2:
        return {"cell_type": "code", "execution_count": None, "outputs": [], **cell}
    return {"cell_type": "markdown", **cell}
