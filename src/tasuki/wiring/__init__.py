"""Who gets what: settings, services, adapters, put together by plain constructors."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.wiring.settings import Settings, load_settings
    from tasuki.wiring.system import Tasuki
else:
    __getattr__ = opened_late(
        __name__,
        {
            "Settings": "settings",
            "Tasuki": "system",
            "load_settings": "settings",
        },
    )

__all__ = ["Settings", "Tasuki", "load_settings"]
