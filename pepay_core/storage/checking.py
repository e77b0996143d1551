"""Looking for what must never be in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pepay_core.storage.sessions import Statistics, unit_of_work

if TYPE_CHECKING:
    from pepay_core.storage.opening import DatabaseStore


async def integrity(store: DatabaseStore) -> list[str]:
    """Return what is wrong with the stored data, a sentence each; nothing, as a rule.

    Looks at every row of the ledger, and at the file itself on SQLite: for doctors, not for requests.
    """
    async with store.read() as tx:
        wrong = [f"the entries of the posting {posting} do not sum to zero" for posting in await tx.ledger.imbalances()]
    if store.database.dialect == "sqlite":
        async with unit_of_work(store.database, Statistics(), readonly=True) as session:
            rows = await session.execute("PRAGMA quick_check")
            wrong += [f"the database file is damaged: {row['quick_check']}" for row in rows if row["quick_check"] != "ok"]
            rows = await session.execute("PRAGMA foreign_key_check")
            wrong += [f"a row of {row['table']} refers to a row of {row['parent']} that does not exist" for row in rows]
    return wrong
