"""The Piccolo app of core: its tables and where their migrations are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from piccolo.conf.apps import AppConfig

from pepay_core.storage.tables import TABLES

APP_CONFIG: Final = AppConfig(app_name="pepay", migrations_folder_path=Path(__file__).parent / "migrations", table_classes=list(TABLES))
