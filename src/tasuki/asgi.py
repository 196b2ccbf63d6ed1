"""The web application, for those who bring a server of their own.

``uvicorn --factory tasuki.asgi:create_app``; ``tasuki web`` serves it with a socket that
evicts dead clients, and tells open streams before it stops.
"""

from fastapi import FastAPI

from tasuki.wiring import Settings, Tasuki, web


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the whole web application.

    Args:
        settings: Default: from the environment and ``tasuki.toml``.
    """
    return web.create_app(Tasuki(settings))
