"""A quarter of the short run: everything goes wrong, and nothing is lost, doubled or invented."""

from __future__ import annotations

from simulation.short import play


def test_whatever_goes_wrong_the_books_are_right(empty):
    play(1, empty)
