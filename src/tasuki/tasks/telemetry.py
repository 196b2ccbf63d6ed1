"""What a task remembers of the request that ordered it: its trace, and its id in the logs.

Both stand in the row's ``trace_context``: ``traceparent`` and ``tracestate`` as W3C Trace
Context writes them, and ``request_id``. So an attempt's span is a child of the request's, and
its logs name the request, whichever broker was between the two. Baggage is not kept: it may
hold anything.

Only OpenTelemetry's interface is used; without an SDK in the process nothing is recorded. A
module of ``TASUKI_TASKS__MODULES`` may set one up; the web framework makes the request's span.
"""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tasuki.core.logging import bound_field

REQUEST_ID = "request_id"
_W3C = TraceContextTextMapPropagator()


def ordered_by() -> dict[str, str] | None:
    """Return what a task that is ordered here has to remember; None if there is nothing."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    request_id = bound_field(REQUEST_ID)
    if request_id is not None:
        carrier[REQUEST_ID] = str(request_id)
    return carrier or None


def parent_in(remembered: Mapping[str, str]) -> Context:
    """Return the trace that goes on in an attempt; an empty one begins a new trace."""
    return _W3C.extract(remembered, context=Context())


def goes_on(remembered: Mapping[str, str]) -> bool:
    """Whether a trace is remembered."""
    return "traceparent" in remembered


def is_recording() -> bool:
    """Whether somebody has set up an SDK in this process."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
