"""Names for sessions, to be read out and typed: calm-otter."""

from __future__ import annotations

import secrets

# Short words that cannot be misheard; 40 x 40 names are enough for the sessions of one account.
CALM = """
able bold brave bright brisk calm clear cool deep eager early fair fast fine fond free fresh gentle
glad golden grand green happy keen kind light lively lucky mellow merry neat noble proud quick quiet rapid
ready silver steady warm
"""
OTTER = """
badger beaver bison camel cobra condor coyote crane dolphin eagle falcon ferret finch gecko heron
ibis iguana jaguar koala lark lemur lizard lynx magpie marten moose osprey otter owl panda pelican puffin
raven robin salmon sparrow swan tiger toucan walrus
"""


def nickname() -> str:
    """One of them, by chance."""
    return f"{secrets.choice(CALM.split())}-{secrets.choice(OTTER.split())}"
