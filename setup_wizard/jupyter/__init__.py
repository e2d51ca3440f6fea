"""Jupyter as we run it: its nook on the node, its start, when it is idle, and what its last words mean."""
