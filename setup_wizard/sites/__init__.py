"""Systems that are known: what to recognise each by, and what it offers. Each is a YAML file of values only.

everything = sites.known(world)
found = sites.detect(world, everything)     # found.site, found.marker
"""

from __future__ import annotations

from setup_wizard.sites.data import Markers, Partition, Site
from setup_wizard.sites.detection import Found, cluster_name, detect, full_host_name, on_login_node
from setup_wizard.sites.reading import GENERIC, VARIABLE, Known, find, folders, known, read

__all__ = [
    "GENERIC",
    "VARIABLE",
    "Found",
    "Known",
    "Markers",
    "Partition",
    "Site",
    "cluster_name",
    "detect",
    "find",
    "folders",
    "full_host_name",
    "known",
    "on_login_node",
    "read",
]
