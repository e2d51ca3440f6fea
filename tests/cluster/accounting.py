"""Accounts, QOS and limits in a real database, for the tests that need them: slurmdbd on MariaDB.

All of it runs on the login node, which keeps the database in its memory. What is in it at first says
etc/accounts: alice has proj1 (her default, with the QOS normal and fast), proj2, small (15 minutes and two
cores for a job) and full (no more jobs); proj3 is bob's, gold is nobody's QOS, and `elsewhere` is hers on
another cluster of the same database.
"""

from __future__ import annotations

import os

from tests.cluster.nodes import User

PACKAGE_OF = {"mariadbd": "mariadb-server", "slurmdbd": "slurmdbd"}
FOLDER = "/run/mysqld"  # where slurmdbd looks for the socket
LITTLE = (
    "--no-defaults --skip-networking --innodb-buffer-pool-size=16M --innodb-log-file-size=4M "
    "--innodb-flush-log-at-trx-commit=0 --innodb-lock-wait-timeout=900 --performance-schema=off"
)
DATABASE = """
mariadb-install-db {little} --user={user} --datadir={folder}/db --auth-root-authentication-method=normal \
    --skip-test-db --skip-name-resolve
mariadbd {little} --user={user} --datadir={folder}/db --socket={folder}/mysqld.sock --pid-file={folder}/pid &
until [ -S {folder}/mysqld.sock ]; do sleep 0.02; done
"""
FILLED = "until sacctmgr -n show cluster; do sleep 0.05; done; sacctmgr -i </etc/slurm/accounts"


def daemons(user: User) -> list[list[str]]:
    """What the login node starts before slurmctld."""
    me = "root" if os.geteuid() == 0 else user.name
    database = DATABASE.format(little=LITTLE, user=me, folder=FOLDER)
    return [["sh", "-ec", database], ["slurmdbd"], ["sh", "-c", FILLED]]
