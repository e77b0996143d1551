"""What Piccolo looks for: the engine, and the apps of core."""

from piccolo.conf.apps import AppRegistry

from pepay_core.storage.routing import ENGINE

DB = ENGINE
APP_REGISTRY = AppRegistry(apps=["pepay_core.storage.piccolo_app"])
