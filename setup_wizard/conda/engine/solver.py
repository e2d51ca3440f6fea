"""What can be had from the channels of a request, and what of it fits together."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rattler import (
    BuildString,
    Channel,
    ChannelPriority,
    Client,
    Config,
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    PackageName,
    PrefixRecord,
    RepoDataRecord,
    SourceConfig,
    Subdir,
    Version,
    VirtualPackage,
    solve,
)
from rattler.exceptions import InvalidMatchSpecError
from rattler.networking import RetryMiddleware
from rattler.networking.fetch_repo_data import CacheAction
from rattler.virtual_package.virtual_package import VirtualPackageOverrides

from setup_wizard import __version__
from setup_wizard.conda.engine import keyring
from setup_wizard.conda.talk import Failed, Offer, Request, Seen

RETRIES = 3
HERE = str(Subdir.current())
# The machine of another platform is not here to be asked: what the oldest clusters of today have.
ELSEWHERE = {"__unix": "0", "__linux": "4.18", "__glibc": "2.28"}
DOWNLOADS = 8  # at a time: as fast as 50 on one machine, and a class behind one address is not turned away


class Unreadable(Exception):
    """A dependency that rattler cannot read."""

    def __init__(self, dependency: str, why: str) -> None:
        super().__init__(why)
        self.why = Failed("spec", why, package=dependency)


class Gone(Exception):
    """A package that was wanted is no longer there."""


class Wish:
    """A dependency, read leniently: `python=3.12.*` and `numpy 1.26` are what people write."""

    def __init__(self, text: str, channels: tuple[str, ...] = ()) -> None:
        try:
            self.spec = MatchSpec(_tied_to_url(text, channels), strict=False)
        except InvalidMatchSpecError as e:
            raise Unreadable(text, str(e).splitlines()[0]) from None
        self.text = text
        self.name: str = self.spec.name.normalized
        self.versioned = self.spec.version is not None
        self.tied = self.spec.channel is not None or "://" in text  # to a channel or a file

    @property
    def bare(self) -> MatchSpec:
        """What is asked of the channels: the name alone, so that all versions count for their order."""
        return self.spec if self.tied else MatchSpec(self.name, strict=False)


def _tied_to_url(text: str, channels: tuple[str, ...]) -> str:
    """`conda-forge::x` means the channel of that name among those listed, a mirror of it too."""
    name, tied, rest = text.partition("::")
    url = next((c for c in channels if tied and c.rstrip("/").rpartition("/")[2] == name), None)
    return f"{url}::{rest}" if url else text


class Solver:
    """The channels of a request, and what can be had from them."""

    def __init__(self, request: Request, sharded: bool = True, platform: str = "") -> None:
        self.wishes = [Wish(text, request.channels) for text in request.dependencies]
        self.kept = [Wish(name) for name in request.keep]
        self.pins = [Wish(pin, request.channels) for pin in request.pins]
        self._urls = request.channels
        self.channels = [Channel(url) for url in request.channels]
        listed = {c.base_url for c in self.channels}
        tied = (w.spec.channel for w in self.wishes)
        self.channels += [c for c in tied if c is not None and c.base_url not in listed]
        self.platforms = [Subdir(platform or HERE), Subdir("noarch")]
        self.machine = machine(platform)
        action: CacheAction = "force-cache-only" if request.offline else "cache-or-fetch"
        self.gateway = Gateway(
            cache_dir=Path(request.repodata),
            default_config=SourceConfig(sharded_enabled=sharded, cache_action=action),
            max_concurrent_requests=DOWNLOADS,
            client=client(request),
        )

    async def solve(self, have: list[PrefixRecord]) -> list[RepoDataRecord]:
        """The newest packages that fit together, near to those that are installed already."""
        return await self.fit(self.wishes, [*self.wishes, *self.pins], have)

    async def fit(
        self, wishes: Sequence[Wish], kept_to: Sequence[Wish], have: list[PrefixRecord]
    ) -> list[RepoDataRecord]:
        """What fits together of these wishes; only the versions of those that are `kept_to` count.

        Raises SolverError where nothing does.
        """
        return await solve(
            self.channels,
            [wish.bare for wish in (*wishes, *self.kept)],
            gateway=self.gateway,
            platforms=self.platforms,
            locked_packages=list(have),
            virtual_packages=self.machine,
            channel_priority=ChannelPriority.Strict,
            constraints=[wish.spec for wish in kept_to if not wish.tied],
        )

    async def exactly(self, urls: tuple[str, ...], have: list[PrefixRecord]) -> list[RepoDataRecord]:
        """The packages at these addresses. Raises Gone where neither the channels nor we have one."""
        known: dict[str, RepoDataRecord] = {record.url: record for record in have}
        if unknown := tuple(url for url in urls if url not in known):
            known |= await self.known(unknown)
        if gone := [url for url in urls if url not in known]:
            raise Gone(gone[0])
        return [known[url] for url in urls]

    async def known(self, urls: tuple[str, ...]) -> dict[str, RepoDataRecord]:
        """Those of the packages at these addresses that the channels list."""
        names = {url.rpartition("/")[2].rsplit("-", 2)[0] for url in urls}
        answers = await self.gateway.query(self.channels, self.platforms, sorted(names), recursive=False)
        return {record.url: record for answer in answers for record in answer}

    async def look(self, text: str) -> Failed | Seen:
        """What the channels have of a package, newest first; names where the text has a star."""
        if "*" in text.partition("=")[0].split()[0]:
            return Seen(names=tuple(sorted(fnmatch.filter(await self.names(), text.lower()))))
        wish = Wish(text, self._urls)
        answers = await self.gateway.query(self.channels, self.platforms, [wish.bare], recursive=False)
        records = [record for answer in answers for record in answer]
        if not records:
            return await self.no_such_name(wish) or Failed("missing", package=text)
        place = {channel: -n for n, channel in enumerate(dict.fromkeys(r.channel for r in records))}
        newest = sorted(
            records, key=lambda r: (r.version, place[r.channel], r.build_number, str(r.build)), reverse=True
        )
        if offers := tuple(_offer(r) for r in newest if wish.spec.matches(r)):
            return Seen(offers)
        versions = tuple(version for version, _ in groupby(str(r.version) for r in newest))
        return Failed("version", package=text, near=versions)

    async def names(self) -> set[str]:
        """The packages that the channels have."""
        return {n.normalized for n in await self.gateway.names(self.channels, self.platforms)}

    async def no_such_name(self, *wishes: Wish) -> Failed | None:
        """The first of these that no channel knows, with what is like it."""
        from setup_wizard.hints import near

        names = await self.names()
        for wish in wishes:
            if wish.name not in names and not wish.name.startswith("__"):
                alike = [n for n in names if abs(len(n) - len(wish.name)) <= 3]
                return Failed("missing", package=wish.text, near=tuple(near(wish.name, alike)))
        return None


def _offer(record: RepoDataRecord) -> Offer:
    return Offer(
        str(record.version),
        str(record.build),
        record.channel or record.url.rsplit("/", 2)[0],
        record.size or 0,
        record.subdir == "noarch",
        tuple(record.depends),
    )


def machine(platform: str) -> list[VirtualPackage] | list[GenericVirtualPackage]:
    """What this machine has, and what the user's CONDA_OVERRIDE_… say; or what is common elsewhere."""
    if platform in ("", HERE):
        return VirtualPackage.detect(VirtualPackageOverrides.from_env())
    said = {f"__{name}": os.environ.get(f"CONDA_OVERRIDE_{name.upper()}", "") for name in ("cuda", "glibc")}
    has = {**ELSEWHERE, **{name: version for name, version in said.items() if version}}
    return [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString("0"))
        for name, version in has.items()
    ]


def client(request: Request) -> Client:
    """A client that tries again; no time-out, since it would cut off what is slow but good."""
    me = f"hpc-jupyter-setup/{__version__}"
    if not request.logins:
        return Client.from_config(config(), max_retries=RETRIES, user_agent=me)
    again = RetryMiddleware(RETRIES)
    return Client([again, *keyring.guards(request.logins, request.channels)], user_agent=me)


def config() -> Config:
    """How rattler is to transfer: few at a time, and with the roots that the user trusts."""
    own_roots = any(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    roots = 'tls-root-certs = "system"\n' if own_roots else ""
    return Config.from_toml(f"{roots}[concurrency]\ndownloads = {DOWNLOADS}\n")
