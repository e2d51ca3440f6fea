"""Files of other tools that are given in the place of an environment.yml."""

from __future__ import annotations

import re

from setup_wizard.errors import BadInput

# what it is, a pattern for each line that it must have, what to do
_TOOLS = (
    ("a lock of pixi or rattler", (r"^version: \d", r"^environments:", r"^packages:"), "pixi"),
    ("a project of pixi (pixi.toml)", (r"^\[(workspace|project)\]", r"^channels *="), "pixi"),
    ("a lock of conda-lock", (r"^metadata:", r"^package:", r"^ +content_hash:"), "conda-lock"),
    ("a project of Python (pyproject.toml)", (r"^\[(project|build-system|tool\.\S+)\]",), "pip"),
    ("a file of docker compose", (r"^services:",), "the packages"),
    ("a workflow of GitHub", (r"^[\"']?on[\"']?:", r"^jobs:"), "the packages"),
    ("a pipeline of GitLab", (r"^(stages|image):", r"^\S+:\n +(script|stage):"), "the packages"),
    ("an object of Kubernetes", (r"^apiVersion:", r"^kind:"), "the packages"),
    ("a recipe of conda-build", (r"^package:", r"^(source|build|requirements):"), "the packages"),
    ("a configuration of pre-commit", (r"^repos:",), "the packages"),
    (
        "a configuration of conda (.condarc)",
        (r"^(channel_priority|auto_activate\w*|envs_dirs|pkgs_dirs):",),
        "the packages",
    ),
    (
        "a list for pip (requirements.txt)",
        (r"\A(\s*#.*\n|\s*\n)*[\w.-]+(\[[\w,]+\])? *(==|>=|<=|~=|\Z|\n|;)",),
        "pip",
    ),
)
_WAYS = {
    "pixi": "Let pixi write one: pixi workspace export conda-environment > environment.yml",
    "conda-lock": "Let it write a list, and give that: conda-lock render -k explicit",
    "pip": "Write an environment.yml with «dependencies: [python, pip, pip: [-r requirements.txt]]».",
    "the packages": "Write an environment.yml with «dependencies:» and the packages below it.",
}


def whose(text: str, name: str) -> BadInput | None:
    """What to say of a file that belongs to another tool; None where no tool is known by it."""
    if re.search(r"^dependencies:", text, re.MULTILINE):
        return None
    for what, patterns, way in _TOOLS:
        if all(re.search(p, text, re.MULTILINE) for p in patterns):
            return BadInput(f"{name}:1:1: this is {what}, no environment.yml.", fix=_WAYS[way])
    return None
