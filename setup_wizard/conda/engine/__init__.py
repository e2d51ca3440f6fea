"""The engine: a program that solves and installs conda packages. The only importer of rattler."""
