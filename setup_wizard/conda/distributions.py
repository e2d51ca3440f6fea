"""Miniconda and Miniforge: families, terms and releases, and the condas that are there already."""

from __future__ import annotations

import msgspec

from setup_wizard.conda.found import Found, find
from setup_wizard.conda.releases import Release, catalogue, choose, parse_name
from setup_wizard.conda.upstream import consult, listing

__all__ = [
    "FAMILIES",
    "FOLDERS",
    "TERMS",
    "TERMS_URL",
    "Found",
    "Release",
    "Terms",
    "catalogue",
    "choose",
    "consult",
    "find",
    "listing",
    "parse_name",
]

FAMILIES = ("miniconda", "miniforge")
FOLDERS = {"miniconda": "miniconda3", "miniforge": "miniforge3"}
TERMS_URL = "https://www.anaconda.com/legal"


class Terms(msgspec.Struct, frozen=True):
    """What a person must know before agreeing: where the terms are, and what they come to (no advice)."""

    url: str
    summary: str
    agreement: bool  # whether a person has to agree before it may be installed


TERMS = {
    "miniconda": Terms(
        url=TERMS_URL,
        summary="conda itself costs nothing, and neither do community channels such as conda-forge. "
        "Anaconda's own channels (main, r) are free for individuals and for organisations of fewer than 200 "
        "people, and there is an academic exemption; everybody else needs a paid licence for them.",
        agreement=True,
    ),
    "miniforge": Terms(
        url="https://github.com/conda-forge/miniforge/blob/main/LICENSE",
        summary="Miniforge is free software (BSD-3-Clause) and takes its packages from conda-forge, "
        "which asks for no agreement.",
        agreement=False,
    ),
}
