"""Base units keep every digit, and compare, sort and add up as numbers do, on both engines."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from piccolo.columns import BigSerial
from piccolo.table import Table

from pepay_core.domain.money import MAX_BASE_UNITS
from pepay_core.storage.columns import BaseUnits, units
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.sessions import Statistics, unit_of_work
from pepay_core.storage.tables import QuoteRow


class NumberRow(Table, tablename="test_number", db=ENGINE):
    seq = BigSerial(primary_key=True)
    number = BaseUnits()
    maybe = BaseUnits(default=None, null=True)


EDGES = [0, 1, 9, 10, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**18 + 1, 10**77, 2**255, MAX_BASE_UNITS - 1, MAX_BASE_UNITS]

numbers = st.one_of(st.sampled_from(EDGES), st.integers(0, MAX_BASE_UNITS), st.integers(0, 300))
at_length = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def begin(store):
    def begin():
        return unit_of_work(store.database, Statistics(), readonly=False)

    async with begin():
        await NumberRow.create_table()
    return begin


async def fill(values):
    await NumberRow.delete(force=True)
    for value in values:
        await NumberRow.insert(NumberRow(number=value))


@at_length
@given(values=st.lists(numbers, min_size=1, max_size=8))
async def test_numbers_come_back_as_integers_in_their_order_with_their_sum(begin, values):
    async with begin() as session:
        await fill(values)
        found = [row["number"] for row in await NumberRow.select().order_by(NumberRow.number)]
        total = "SUM" if session.postgres else "units_sum"
        (row,) = await session.execute(f"SELECT {total}(number) AS total, MAX(number) AS most FROM test_number")
    assert found == sorted(values)
    assert {type(each) for each in found} == {int}
    assert int(row["total"]) == sum(values)
    assert int(row["most"]) == max(values)


@at_length
@given(values=st.lists(numbers, min_size=1, max_size=6, unique=True), bound=numbers)
async def test_numbers_compare_as_numbers(begin, values, bound):
    column = NumberRow.number
    async with begin():
        await fill(values)

        async def where(condition):
            return {row["number"] for row in await NumberRow.select(column).where(condition)}

        assert await where(column == bound) == {each for each in values if each == bound}
        assert await where(column != bound) == {each for each in values if each != bound}
        assert await where(column < bound) == {each for each in values if each < bound}
        assert await where(column <= bound) == {each for each in values if each <= bound}
        assert await where(column > bound) == {each for each in values if each > bound}
        assert await where(column >= bound) == {each for each in values if each >= bound}
        assert await where(column.is_in([bound, values[0]])) == {each for each in values if each in {bound, values[0]}}
        assert await where(column.not_in([bound])) == {each for each in values if each != bound}


async def test_the_sum_of_many_of_the_largest_is_exact(begin):
    async with begin() as session:
        await fill([MAX_BASE_UNITS] * 50)
        total = "SUM" if session.postgres else "units_sum"
        (row,) = await session.execute(f"SELECT {total}(number) AS total FROM test_number")
        (none,) = await session.execute(f"SELECT {total}(maybe) AS total FROM test_number")
    assert int(row["total"]) == 50 * MAX_BASE_UNITS
    assert none["total"] is None


async def test_what_is_missing_stays_missing(begin):
    async with begin():
        await fill([1])
        assert (await NumberRow.select(NumberRow.maybe))[0]["maybe"] is None
        assert len(await NumberRow.select().where(NumberRow.maybe.is_null())) == 1
        assert (await NumberRow.objects())[0].number == 1


@pytest.mark.parametrize("wrong", [-1, 10**78, 1.0, 0.1, Decimal("1.5"), True, Decimal("NaN")])
def test_what_is_no_number_of_base_units_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not a number of base units|NaN"):
        units(wrong)
    with pytest.raises(ValueError, match=r"not a number of base units|NaN"):
        QuoteRow(_ignore_missing=True, units=wrong)


@pytest.mark.parametrize("unadapted", ["'7'", "-1"])
async def test_a_number_that_was_not_adapted_cannot_be_stored(begin, engine, unadapted):
    if engine == "postgres":
        unadapted = "-1"
    with pytest.raises((sqlite3.IntegrityError, asyncpg.CheckViolationError)):
        async with begin() as session:
            await session.execute(f"INSERT INTO test_number (number) VALUES ({unadapted})")


async def test_a_decimal_is_refused_before_sqlite_makes_a_float_of_it(begin):
    with pytest.raises(TypeError, match="float"):
        async with begin() as session:
            await session.execute("SELECT 1", [Decimal("1.1")])
