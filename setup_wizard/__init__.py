"""From a bare account on an HPC cluster to a running, secure Jupyter notebook."""

__version__ = "0.1.0"
