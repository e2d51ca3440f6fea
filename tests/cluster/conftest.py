"""The cluster of the tests; skipped, with the packages to install, where this machine cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.lab import Lab
from tests.cluster.nodes import CannotStart


@contextmanager
def up(*, accounts: bool) -> Iterator[Cluster]:
    """A cluster for all tests of this run."""
    try:
        made = Cluster(accounts=accounts)
    except CannotStart as e:
        pytest.skip(f"no cluster on this machine, only the weaker level of test_plain.py: {e}")
    with made:
        yield made


@pytest.fixture(scope="session")
def whole_cluster() -> Iterator[Cluster]:
    """The one without accounting."""
    with up(accounts=False) as made:
        yield made


@pytest.fixture(scope="session")
def with_accounts() -> Iterator[Cluster]:
    """The one with accounting."""
    with up(accounts=True) as made:
        yield made


@pytest.fixture
def cluster(whole_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with no jobs, all nodes up, and alice's homes as they were at first; so it is left, too."""
    whole_cluster.tidy()
    yield whole_cluster
    whole_cluster.tidy()


@pytest.fixture
def accounted(with_accounts: Cluster) -> Iterator[Cluster]:
    """The same with accounting: accounts, QOS and their limits; what a test changes of them stays."""
    with_accounts.tidy()
    yield with_accounts
    with_accounts.tidy()


@pytest.fixture
def lab(cluster: Cluster, jupyter_prefix: Path) -> Iterator[Lab]:
    """The cluster as a site of the program's. In the end nothing of a session is left, anywhere."""
    cluster.rps.set(period=1.0, lag=0.1)
    made = Lab(cluster, jupyter_prefix)
    yield made
    made.run("stop", "--all")
    made.clean()
