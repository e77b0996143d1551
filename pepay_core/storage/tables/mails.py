"""Letters to people."""

from __future__ import annotations

from piccolo.columns import Bytea, Integer
from piccolo.table import Table

from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.shapes import key, maybe_text, maybe_time, text, time


class MailRow(Table, tablename="pepay_mail", db=ENGINE):
    """A letter that waits to be sent; ``recipient`` and ``contents`` are sealed, and emptied once it was."""

    id = key()
    kind = text()
    language = text()
    recipient = Bytea()
    contents = Bytea()
    created_at = time()
    until = time()
    next_at = maybe_time()
    state = text()
    attempts = Integer()
    sent_at = maybe_time()
    last_error = maybe_text()
