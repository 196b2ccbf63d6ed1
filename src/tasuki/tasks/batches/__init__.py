"""Many tasks as one: ordered together, counted in one row, cancelled as a whole."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.tasks.batches.records import BatchHandle, BatchRecord
    from tasuki.tasks.batches.service import BatchService
else:
    __getattr__ = opened_late(
        __name__,
        {"BatchHandle": "records", "BatchRecord": "records", "BatchService": "service"},
    )

__all__ = ["BatchHandle", "BatchRecord", "BatchService"]
