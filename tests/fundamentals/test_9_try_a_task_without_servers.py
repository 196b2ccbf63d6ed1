"""A test of your own tasks needs no server: `run_task`, and all that a task told."""

from datetime import timedelta

from fundamentals import jobs
from tasuki.testing import Rehearsal, VirtualClock, run_task


async def test_a_task_runs_in_the_test_and_shows_what_it_did() -> None:
    """The result as the record holds it, each progress, and the files."""
    run = await run_task(jobs.import_rows, rows=2)

    assert (run.state, run.result) == ("succeeded", 2)
    assert [step["current"] for step in run.progress] == [0, 1, 2]
    assert (await run_task(jobs.catalogue, title="Tea")).files == {"catalogue.txt": b"Tea"}


async def test_retries_take_no_time() -> None:
    """Pauses pass on a clock that the test holds."""
    clock = VirtualClock()
    began = clock()

    run = await Rehearsal(clock=clock).run(jobs.charge, works_at=3)

    assert (run.result, run.attempt) == ("charged at attempt 3", 3)
    assert began < clock() < began + timedelta(seconds=1)


async def test_services_are_what_the_test_provides() -> None:
    """Here the shelf is the test's, and a cancel comes when the test says so."""
    shelf = jobs.Stock()
    rehearsal = Rehearsal()
    rehearsal.provide(jobs.Stock, shelf)

    assert (await rehearsal.run(jobs.pack, item="Tea")).result == 2
    assert shelf.take("Tea") == 1


async def test_a_cancel_is_tried_at_an_event() -> None:
    """The task is interrupted at its next `await`, as it would be in a worker."""
    rehearsal = Rehearsal(cancel_when=lambda event: event.data.get("current") == 3)

    run = await rehearsal.run(jobs.import_rows, rows=10)

    assert (run.state, len(run.progress)) == ("cancelled", 4)


async def test_what_a_task_tells_people_is_seen() -> None:
    """With whom, and once, though it failed and told it again."""
    run = await run_task(jobs.deliver.having(owner_id=7), item="Tea")

    assert [(user_id, note.title) for user_id, note in run.notified] == [(7, "On its way")]
