"""An offline mirror: a conda channel, an installer and git repositories, made from PyPI and this package."""
