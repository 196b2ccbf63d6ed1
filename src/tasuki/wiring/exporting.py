"""Builds what exports rows in a web process."""

import contextlib
from collections.abc import AsyncGenerator

from tasuki.core.database import Database
from tasuki.core.datasets import Datasets
from tasuki.core.registry import Registry
from tasuki.exports.copying import ExportSource
from tasuki.exports.service import ExportService
from tasuki.exports.settings import ExportsSettings
from tasuki.exports.spool import SpoolFolder


@contextlib.asynccontextmanager
async def exporting(services: Registry) -> AsyncGenerator[None]:
    """Serve downloads for as long as the block lasts."""
    settings = services.get(ExportsSettings)
    async with services.get(ExportSource).open(at_once=settings.at_once) as copier:
        exports = services.add(
            ExportService,
            ExportService(
                datasets=services.get(Datasets),
                database=services.get(Database),
                copier=copier,
                folder=services.get(SpoolFolder),
                settings=settings,
            ),
        )
        try:
            yield
        finally:
            await exports.close()
