"""How many exports at once, and how long their files are kept."""

from pydantic import Field

from tasuki.core.settings import SettingsGroup


class ExportsSettings(SettingsGroup):
    """Exports. Read from ``TASUKI_EXPORTS__*``."""

    at_once: int = Field(
        default=4, ge=1, le=50, description="Exports that one web process runs at once."
    )
    per_user: int = Field(
        default=2, ge=1, description="Exports that a user runs at once in one web process."
    )
    keep_s: int = Field(
        default=3_600, ge=60, description="Seconds a finished file can be fetched again."
    )
    max_bytes: int = Field(
        default=20 * 1024**3, ge=1024, description="Largest file of an export, in bytes."
    )
    keep_free_bytes: int = Field(
        default=256 * 1024**2,
        ge=0,
        description="Bytes of the disk that exports leave free; one that needs them fails.",
    )
    timeout_s: int = Field(
        default=900, ge=1, description="Seconds after which the database gives an export up."
    )
