"""Who gets what: settings, services, adapters, put together by plain constructors."""

from tasuki.wiring.settings import Settings, load_settings
from tasuki.wiring.system import Tasuki

__all__ = ["Settings", "Tasuki", "load_settings"]
