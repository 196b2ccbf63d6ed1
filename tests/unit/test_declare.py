"""Declaring tasks: what is refused, and what becomes of arguments."""

from datetime import timedelta
from typing import Any

import pytest

from support import jobs
from tasuki import Retry, TaskContext, task
from tasuki.core.errors import ValidationFailed
from tasuki.tasks import Catalogue


async def no_context() -> None:
    """Lack the first parameter."""


async def no_annotation(ctx: TaskContext, *, what) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  # the fault
    """Lack an annotation."""


async def like_an_option(ctx: TaskContext, *, priority: int) -> None:
    """Name a parameter like an option of an order."""


async def any_arguments(ctx: TaskContext, **rest: int) -> None:
    """Take arguments without names."""


def not_async(ctx: TaskContext) -> None:
    """Block."""


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (no_context, "TaskContext"),
        (no_annotation, "annotation"),
        (like_an_option, "priority"),
        (any_arguments, "rest"),
        (not_async, "async def"),
    ],
)
def test_a_function_that_cannot_be_a_task_is_refused(function: Any, reason: str) -> None:
    """The fault shows when the module is imported, with the reason."""
    with pytest.raises(TypeError, match=reason):
        task("test.refused")(function)


@pytest.mark.parametrize(("name", "lane"), [("", "io"), ("x" * 201, "io"), ("x", "gpu")])
def test_names_and_lanes_are_checked(name: str, lane: Any) -> None:
    """A name goes on the wire, a lane must have workers."""
    with pytest.raises(TypeError, match="lane"):
        task(name, lane=lane)


def test_a_retry_that_cannot_be_meant_is_refused() -> None:
    """No tries at all, or a pause into the past."""
    for wrong in (
        {"tries": 0},
        {"first": timedelta(seconds=-1)},
        {"cap": timedelta(seconds=-1)},
    ):
        with pytest.raises(ValueError, match="Retry"):
            Retry(**wrong)


def test_pauses_double_up_to_the_cap() -> None:
    """The bound grows, however many failures there were."""
    retry = Retry(first=timedelta(seconds=10), cap=timedelta(seconds=60))

    longest = [retry.longest_pause(failures).total_seconds() for failures in (1, 2, 3, 4, 400)]

    assert longest == [10, 20, 40, 60, 60]


def test_two_tasks_of_one_name_are_refused() -> None:
    """A message could not say which it means; the same one twice is fine."""
    catalogue = Catalogue(jobs.echo, jobs.echo)

    @task("test.echo")
    async def other(ctx: TaskContext) -> None:
        """Be another."""
        del ctx

    with pytest.raises(ValueError, match=r"test\.echo"):
        catalogue.add(other)


def test_positional_arguments_become_named() -> None:
    """What is stored does not depend on the order of parameters."""
    assert jobs.steps.bind((5,), {"hold": "x"}) == {"count": 5, "hold": "x"}
    for args, kwargs in (((1, "x", 2), {}), ((1,), {"count": 2})):
        with pytest.raises(ValidationFailed, match="parameters"):
            jobs.steps.bind(args, kwargs)


def test_arguments_are_checked_and_come_back_as_they_were() -> None:
    """Wrong ones are named; right ones pass through JSON and back."""
    with pytest.raises(ValidationFailed) as refused:
        jobs.steps.check({"count": "many", "more": 1})
    assert [fault["loc"][-1] for fault in refused.value.errors] == ["count", "more"]

    stored = jobs.steps.check({"count": 7})

    assert stored == {"count": 7, "hold": None}
    assert jobs.steps.unpack(stored) == stored


def test_deeply_nested_arguments_are_refused() -> None:
    """A thousand brackets are no argument, and no reason to fall over."""
    nested: Any = []
    for _ in range(2_000):
        nested = [nested]

    @task("test.nested")
    async def takes_anything(ctx: TaskContext, *, data: Any) -> None:
        """Take anything."""
        del ctx, data

    with pytest.raises(ValidationFailed):
        takes_anything.check({"data": nested})
