"""One trace and one request id from the request to the task, whatever is between them."""

import json
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from support.client import Client
from support.live import Live
from support.spans import VARIABLE, spans_in
from support.system import Part, System
from support.waiting import wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Generator[InMemorySpanExporter]:
    """The spans of this process, kept in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The interface allows one provider in the life of a process, and other tests have none.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def attempts(spans: InMemorySpanExporter, task: str) -> list[ReadableSpan]:
    """Return the spans of a task's attempts, in order."""
    found = [span for span in spans.get_finished_spans() if span.name == task]
    return sorted(found, key=lambda span: span.start_time or 0)


def identity(span: ReadableSpan) -> SpanContext:
    """Return what tells a span from all others."""
    context = span.get_span_context()
    assert context is not None
    return context


def told(span: ReadableSpan) -> dict[str, Any]:
    """Return what a span tells of its task."""
    return dict(span.attributes or {})


async def test_an_attempt_is_a_child_of_the_request(
    live: Live, spans: InMemorySpanExporter
) -> None:
    """Who looks at a slow request sees the work it ordered, as part of the same trace."""
    admin = await live.user("boss", role="admin")

    answer = await admin.post(
        "/api/v1/tasks", json={"name": "test.echo"}, headers={"traceparent": TRACEPARENT}
    )
    await live.work()

    (span,) = attempts(spans, "test.echo")
    requests = {
        identity(found).span_id: found
        for found in spans.get_finished_spans()
        if format(identity(found).trace_id, "032x") == TRACE and found is not span
    }
    assert format(identity(span).trace_id, "032x") == TRACE
    assert span.parent is not None
    assert span.parent.is_remote
    assert span.parent.span_id in requests
    assert any(found.name == "POST /api/v1/tasks" for found in requests.values())
    assert span.kind is SpanKind.CONSUMER
    assert told(span) == {
        "tasuki.task.id": answer.json()["id"],
        "tasuki.task.attempt": 1,
        "tasuki.task.queue": "default",
        "tasuki.task.lane": "io",
        "tasuki.worker": live.engine.runner and live.engine.runner.worker,
        "tasuki.task.outcome": "succeeded",
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_each_attempt_is_a_span_that_tells_its_outcome(
    live: Live, spans: InMemorySpanExporter
) -> None:
    """A task that needed three attempts shows three, and why the first two were not enough."""
    admin = await live.user("boss", role="admin")
    task_id = await admin.order("test.fail", until=3)

    async def has_ended() -> bool:
        await live.work()
        return bool((await admin.task(task_id))["state"] == "succeeded")

    await wait_until(has_ended, within=10)

    found = attempts(spans, "test.fail")
    assert [told(span)["tasuki.task.attempt"] for span in found] == [1, 2, 3]
    assert [told(span)["tasuki.task.outcome"] for span in found] == [
        "retrying",
        "retrying",
        "succeeded",
    ]
    assert told(found[0])["error.type"] == "RuntimeError"
    assert found[0].status.status_code is StatusCode.ERROR
    assert len({identity(span).trace_id for span in found}) == 1


async def test_an_errors_text_stays_out_of_the_trace(
    live: Live, spans: InMemorySpanExporter
) -> None:
    """It may hold what only the owner should read; the type is enough to find the rest."""
    admin = await live.user("boss", role="admin")
    await admin.order("test.fail", fatal=True)
    await live.work()

    (span,) = attempts(spans, "test.fail")
    assert told(span)["tasuki.task.outcome"] == "failed"
    assert told(span)["error.type"] == "Fatal"
    assert list(span.events) == []
    assert "no use" not in span.to_json()


async def test_without_an_sdk_nothing_is_kept_but_the_request(live: Live) -> None:
    """OpenTelemetry is there for those who have it, and costs the others no thought."""
    admin = await live.user("boss", role="admin")

    await admin.post(
        "/api/v1/tasks",
        json={"name": "test.echo"},
        headers={"traceparent": TRACEPARENT, "X-Request-Id": "from-the-proxy"},
    )

    assert await remembered(live) == [{"request_id": "from-the-proxy"}]


@pytest.mark.parametrize(
    "given", ["", "two words", "x" * 129, "-rf", "a\tb", "<script>", "naïve", "{}"]
)
async def test_a_request_id_that_is_not_a_plain_word_is_replaced(live: Live, given: str) -> None:
    """It goes into logs and headers, and comes from whoever likes to send one."""
    client = await live.client()

    answer = await client.get("/healthz", headers=[(b"X-Request-Id", given.encode())])

    assert answer.headers.get_list("x-request-id") != [given]
    assert len(answer.headers["x-request-id"]) == 32


async def test_a_request_id_of_the_proxy_is_sent_back(live: Live) -> None:
    """So that the proxy's log and ours tell of the same request, refusals included."""
    client = await live.client()

    for path in ("/healthz", "/api/v1/tasks", "/nowhere"):
        answer = await client.get(path, headers={"X-Request-Id": "req-1.a_B"})
        assert answer.headers.get_list("x-request-id") == ["req-1.a_B"], path


async def test_a_trace_goes_through_the_broker_to_other_processes(system: System) -> None:
    """The same, with real processes: a web process, a worker of each lane, and a broker."""
    file = system.folder / "spans.jsonl"
    system.env = {
        **system.env,
        VARIABLE: str(file),
        "TASUKI_TASKS__MODULES": '["support.jobs", "support.spans"]',
    }
    web, io, cpu = system.web(), system.worker("io"), system.worker("cpu", "--concurrency", "1")
    async with Client(base_url=system.url, timeout=20) as client:
        await client.sign_in()
        for name, worker in (("test.tells", io), ("test.tells_cpu", cpu)):
            record = (
                await client.post(
                    "/api/v1/tasks",
                    json={"name": name},
                    headers={"traceparent": TRACEPARENT, "X-Request-Id": f"req-{name}"},
                )
            ).json()
            ended = await client.ended(record["id"])

            assert ended["result"] == TRACE
            await wait_until(partial(_is_there, file, name), within=10, what=f"{name}'s span")
            (line,) = lines_of(worker, event="told by the body")
            assert line["task_id"] == record["id"]
            assert line["task"] == name
            assert line["attempt"] == 1
            assert line["request_id"] == f"req-{name}"
            (access,) = await wait_until(
                lambda name=name: _logged(web, request_id=f"req-{name}"),  # type: ignore[misc]  # bound at once
                within=10,
            )
            assert (access["method"], access["path"]) == ("POST", "/api/v1/tasks")
            assert access["status"] == 202
            assert access["level"] == "info"
            assert 0 < access["duration_s"] < 20


async def test_the_access_log_leaves_the_query_out(system: System) -> None:
    """Tickets and search words stand in queries, and have no place in a log."""
    web = system.web()
    async with Client(base_url=system.url, timeout=20) as client:
        await client.get("/healthz?ticket=s3cr3t")

        # The line is written when the answer has been sent, so the client may be here first.
        await wait_until(lambda: _logged(web, path="/healthz"), within=10)

    assert "s3cr3t" not in web.log.read_text()


async def _logged(web: Part, **fields: Any) -> list[dict[str, Any]]:
    return lines_of(web, event="request", **fields)


async def _is_there(file: Path, name: str) -> bool:
    return any(
        span["name"] == name and span["context"]["trace_id"] == f"0x{TRACE}"
        for span in spans_in(file)
    )


async def remembered(live: Live) -> list[Any]:
    """Return what the tasks remember of who ordered them."""
    async with live.database.driver() as connection:
        rows = await connection.fetch("SELECT trace_context FROM tasks")
    return [row["trace_context"] for row in rows]


def lines_of(part: Part, **fields: Any) -> list[dict[str, Any]]:
    """Return the lines of a process's log that have these fields."""
    lines = []
    for text in part.log.read_text().splitlines():
        if text.startswith("{"):
            line = json.loads(text)
            if all(line.get(name) == value for name, value in fields.items()):
                lines.append(line)
    return lines
