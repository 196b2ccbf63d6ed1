"""Structured logs: one event per line, for people on a terminal, as JSON elsewhere.

The first word of a line is a stable event name; what varies stands in its fields. A record
from a library passes through the same formatter.
"""

import logging
import sys
from contextlib import AbstractContextManager
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer

Logger = structlog.stdlib.BoundLogger


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def bound(**fields: Any) -> AbstractContextManager[None]:
    """Add fields to everything that is logged within a block, by whatever it calls."""
    return structlog.contextvars.bound_contextvars(**fields)


def bind(**fields: Any) -> None:
    """Add fields to everything that is logged from now on by this asyncio task."""
    structlog.contextvars.bind_contextvars(**fields)


def bound_fields() -> dict[str, Any]:
    """Return what is bound here."""
    return structlog.contextvars.get_contextvars()


def bound_field(name: str) -> Any:
    """Return a field that is bound here, or None."""
    return structlog.contextvars.get_contextvars().get(name)


def configure_logging(*, level: str = "INFO", as_json: bool | None = None) -> None:
    """Send all logs of this process to standard error.

    Args:
        level: The least level that is written.
        as_json: One JSON object per line; default: unless standard error is a terminal or
            ``tasuki up`` reads along.
    """
    if as_json is None:
        as_json = not sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer = _renderer(as_json=as_json)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _renderer(*, as_json: bool) -> list[Any]:
    # Their defaults also write down the local variables of a traceback, passwords among them.
    if as_json:
        return [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
