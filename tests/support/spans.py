"""An OpenTelemetry SDK that writes spans to a file; web and workers load it as a module of tasks.

This is also how a project sets up its own: the module is imported once in each process.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from support.jobs import write_line
from tasuki import TaskContext, task

VARIABLE = "TASUKI_TEST_SPANS"


class ToFile(SpanExporter):
    """Appends a line for each span; several processes write into the same file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        for span in spans:
            write_line(self._file, span.to_json(indent=None))
        return SpanExportResult.SUCCESS


def spans_in(file: Path) -> list[dict[str, Any]]:
    """Return the spans that ended so far."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if VARIABLE in os.environ:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToFile(os.environ[VARIABLE])))
    trace.set_tracer_provider(provider)


@task("test.tells")
async def tells(ctx: TaskContext) -> str:
    """Log a line as a project does, and return the trace it is part of."""
    del ctx
    logging.getLogger("project").warning("told by the body")
    return format(trace.get_current_span().get_span_context().trace_id, "032x")


@task("test.tells_cpu", lane="cpu")
async def tells_cpu(ctx: TaskContext) -> str:
    """Do as `tells`, in a process of its own."""
    return await tells.run(ctx)
