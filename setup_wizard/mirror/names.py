"""What packages are called at conda-forge where PyPI calls them otherwise, so that environment files fit."""

from __future__ import annotations

from setup_wizard.mirror.packages import Package

CONDA_NAMES = {
    "fastjsonschema": "python-fastjsonschema",
    "ipython-pygments-lexers": "ipython_pygments_lexers",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "jupyter-events": "jupyter_events",
    "jupyter-server": "jupyter_server",
    "jupyter-server-terminals": "jupyter_server_terminals",
    "jupyterlab-pygments": "jupyterlab_pygments",
    "jupyterlab-server": "jupyterlab_server",
    "matplotlib": "matplotlib-base",
    "prometheus-client": "prometheus_client",
    "pure-eval": "pure_eval",
    "stack-data": "stack_data",
    "typing-extensions": "typing_extensions",
    "tzdata": "python-tzdata",
}


def conda_name(name: str) -> str:
    """The name at conda-forge of what has this normalised name at PyPI."""
    return CONDA_NAMES.get(name, name)


def matplotlib(version: str) -> Package:
    """The package «matplotlib», which at conda-forge is «matplotlib-base» and a window system."""
    return Package(
        "matplotlib",
        version,
        {},
        depends=(f"matplotlib-base =={version}",),
        noarch="generic",
    )
