"""The merchants' logos."""

from __future__ import annotations

from piccolo.columns import Bytea
from piccolo.table import Table

from pepay_core.storage.routing import ENGINE
from pepay_core.storage.tables.shapes import key, text


class LogoRow(Table, tablename="pepay_logo", db=ENGINE):
    """The logo of one merchant, whose id is its own."""

    id = key()
    media_type = text()
    data = Bytea()
