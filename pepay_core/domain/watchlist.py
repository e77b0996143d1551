"""Which destinations a chain is watched for: one collection that lives as long as its watcher, so that looking costs the same for any number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pepay_core.domain.assets import Address
    from pepay_core.domain.chains import Destination


class Watchlist(Collection["Destination"]):
    """Destinations, with the look-up tables that drivers need of them.

    Core adds and removes what changes between two looks; a driver reads. ``revision`` grows with every change, so that what a driver
    derives from the whole list can be kept until there is another.
    """

    def __init__(self, destinations: Iterable[Destination] = ()) -> None:
        self._destinations: dict[Destination, None] = {}
        self._addresses: Counter[Address] = Counter()
        self._tables: dict[Callable[[Destination], str | None], dict[str, Destination]] = {}
        self.revision = 0
        self.add(destinations)

    def __contains__(self, destination: object) -> bool:
        return destination in self._destinations

    def __iter__(self) -> Iterator[Destination]:
        return iter(self._destinations)

    def __len__(self) -> int:
        return len(self._destinations)

    def __repr__(self) -> str:
        return f"<Watchlist of {len(self)}, revision {self.revision}>"

    def add(self, destinations: Iterable[Destination]) -> None:
        """Watch these too; one that is watched already changes nothing."""
        for destination in destinations:
            if destination in self._destinations:
                continue
            self._destinations[destination] = None
            self._addresses[destination.address] += 1
            for spelling, table in self._tables.items():
                _enter(table, spelling, destination)
            self.revision += 1

    def discard(self, destinations: Iterable[Destination]) -> None:
        """Watch these no longer; one that is not watched changes nothing."""
        for destination in destinations:
            if destination not in self._destinations:
                continue
            del self._destinations[destination]
            self._addresses[destination.address] -= 1
            if not self._addresses[destination.address]:
                del self._addresses[destination.address]
            for spelling, table in self._tables.items():
                key = spelling(destination)
                if key is not None and table.get(key) == destination:
                    del table[key]
            self.revision += 1

    @property
    def addresses(self) -> Collection[Address]:
        """Every address once, in the order in which they came: several destinations share one where references tell them apart."""
        return self._addresses.keys()

    def by(self, spelling: Callable[[Destination], str | None]) -> Mapping[str, Destination]:
        """Return the destinations by how a driver's chain spells them; made once for each ``spelling`` function, and kept up to date.

        ``spelling`` must give each destination a text of its own, or None to leave it out.
        """
        table = self._tables.get(spelling)
        if table is None:
            table = self._tables[spelling] = {}
            for destination in self._destinations:
                _enter(table, spelling, destination)
        return MappingProxyType(table)


def _enter(table: dict[str, Destination], spelling: Callable[[Destination], str | None], destination: Destination) -> None:
    key = spelling(destination)
    if key is not None:
        table[key] = destination
