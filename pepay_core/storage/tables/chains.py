"""What is known of chains and of prices."""

from __future__ import annotations

from piccolo.columns import BigInt, BigSerial, Integer, Text
from piccolo.table import Table

from pepay_core.storage.columns import BaseUnits
from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.shapes import maybe_text, maybe_time, text, time


class CheckpointRow(Table, tablename="pepay_checkpoint", db=ENGINE):
    """A block that a watcher can walk back to."""

    seq = BigSerial(primary_key=True)
    chain = text()
    height = BigInt()
    hash = text()
    time = time()


class CoverageRow(Table, tablename="pepay_coverage", db=ENGINE):
    """A range of blocks that was looked at, and who answered."""

    seq = BigSerial(primary_key=True)
    chain = text()
    first_block = BigInt()
    last_block = BigInt()
    last_hash = text()
    covered_until = time()
    source = text()


class ChainStateRow(Table, tablename="pepay_chain_state", db=ENGINE):
    """What a watcher last knew of its chain."""

    chain = Text(primary_key=True)
    health = text()
    reason = maybe_text()
    tip = BigInt(default=None, null=True)
    tip_time = maybe_time()
    checked_at = time()
    pace = Integer(default=None, null=True)
    sources = maybe_text()


class ColdBalanceRow(Table, tablename="pepay_cold_balance", db=ENGINE):
    """What lay at a destination that is no longer watched, when it was last looked at; what is not here was zero."""

    seq = BigSerial(primary_key=True)
    chain = text()
    address = text()
    reference = text()
    asset = text()
    units = BaseUnits()
    height = BigInt()


class RateRow(Table, tablename="pepay_rate", db=ENGINE):
    """What was agreed on as a rate, or why nothing was."""

    seq = BigSerial(primary_key=True)
    base = text()
    quote = text()
    agreed_at = time()
    value = maybe_text()
    reason = maybe_text()
    evidence = text()
