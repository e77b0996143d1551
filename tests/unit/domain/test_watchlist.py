"""A watchlist is one collection that is kept, not made again."""

from pepay_core.domain.assets import Address
from pepay_core.domain.chains import Destination
from pepay_core.domain.watchlist import Watchlist

ONE, TWO, THREE = (Destination(Address(f"0xA{number}")) for number in (1, 2, 3))
SHARED = [Destination(Address("wallet"), reference) for reference in ("r1", "r2")]


def lower(destination):
    return destination.address.lower()


def reference(destination):
    return destination.reference


def test_it_holds_each_destination_once():
    watched = Watchlist([ONE, TWO, ONE])

    assert list(watched) == [ONE, TWO]
    assert ONE in watched
    assert THREE not in watched


def test_a_table_is_kept_up_to_date():
    watched = Watchlist([ONE])
    table = watched.by(lower)
    watched.add([TWO])
    watched.discard([ONE, THREE])

    assert dict(table) == {"0xa2": TWO} == dict(watched.by(lower))


def test_a_destination_without_a_spelling_is_left_out():
    watched = Watchlist([ONE, *SHARED])
    assert dict(watched.by(reference)) == dict(zip(("r1", "r2"), SHARED, strict=True))

    watched.discard([ONE, SHARED[0]])
    assert dict(watched.by(reference)) == {"r2": SHARED[1]}


def test_an_address_stays_as_long_as_somebody_uses_it():
    watched = Watchlist([ONE, *SHARED])
    watched.discard(SHARED[:1])
    assert list(watched.addresses) == [ONE.address, "wallet"]

    watched.discard(SHARED[1:])
    assert list(watched.addresses) == [ONE.address]


def test_the_revision_tells_whether_anything_changed():
    watched = Watchlist([ONE])
    before = watched.revision
    watched.add([ONE])
    watched.discard([TWO])
    assert watched.revision == before

    watched.add([TWO])
    assert watched.revision > before
