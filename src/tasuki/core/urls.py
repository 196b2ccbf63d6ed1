"""Addresses of servers. It needs no driver, so that settings can be read without one."""


def async_url(url: str) -> str:
    """Return the URL with the asynchronous driver named, whatever form it came in."""
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        msg = f"not a PostgreSQL URL: it starts with {scheme!r}, expected 'postgresql://…'"
        raise ValueError(msg)
    return f"postgresql+asyncpg://{rest}"
