"""Where the web process listens, and whom it believes."""

from pydantic import Field

from tasuki.core.settings import SettingsGroup


class WebSettings(SettingsGroup):
    """The web process. Read from ``TASUKI_WEB__*``."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    public_url: str | None = Field(
        default=None,
        description="How browsers reach this system, e.g. https://tasks.example.org; "
        "https makes cookies Secure.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Other sites whose pages may write here, as a JSON list."
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Addresses whose X-Forwarded-* headers are believed, as a JSON list.",
    )
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="Largest request body, in bytes."
    )
    drain_s: float = Field(
        default=5.0, ge=0, description="Seconds that open requests get to end at a stop."
    )
    drain_delay_s: float = Field(
        default=2.0,
        ge=0,
        description="Seconds for which a stopping process still serves while /readyz says 503, so "
        "that a load balancer can look away first; longer than it takes to notice.",
    )
