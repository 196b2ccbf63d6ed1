"""The tasks of these tests, declared as a project of one's own declares them."""

from datetime import timedelta

from tasuki import Artifact, Retry, TaskContext, task
from tasuki.tasks.providing import Provided


@task("shop.invoice")
async def invoice(ctx: TaskContext, *, order_id: int, copies: int = 1) -> dict[str, int]:
    """Return what was asked for."""
    del ctx
    return {"order_id": order_id, "copies": copies}


@task("shop.import")
async def import_rows(ctx: TaskContext, *, rows: int) -> int:
    """Tell how far it is."""
    for row in range(rows):
        await ctx.progress(row, of=rows, unit="rows")
    await ctx.progress(rows, of=rows, unit="rows", message="All there")
    return rows


@task("shop.charge", retry=Retry(tries=3, first=timedelta(milliseconds=10)))
async def charge(ctx: TaskContext, *, works_at: int) -> str:
    """Fail until the given attempt."""
    if ctx.attempt < works_at:
        raise ConnectionError("the bank does not answer")
    return f"charged at attempt {ctx.attempt}"


@task("shop.catalogue")
async def catalogue(ctx: TaskContext, *, title: str) -> Artifact:
    """Leave a file."""
    async with ctx.artifact("catalogue.txt", "text/plain; charset=utf-8") as file:
        await file.write(title.encode())
    return file.artifact


@task("shop.watch")
async def watch(ctx: TaskContext) -> None:
    """Go on until somebody has had enough."""
    while True:
        await ctx.checkpoint()


class Stock:
    """A service of the shop's own."""

    def __init__(self) -> None:
        self._counts = {"Tea": 3}

    def take(self, item: str) -> int:
        """Take one from the shelf and return how many are left."""
        self._counts[item] -= 1
        return self._counts[item]


STOCK = Provided(Stock, Stock)
"""Every process that loads this module has it for its tasks."""


@task("shop.pack")
async def pack(ctx: TaskContext, *, item: str) -> int:
    """Take an item from the shelf."""
    return ctx.get(Stock).take(item)


@task("shop.deliver", retry=Retry(tries=2, first=timedelta(milliseconds=10)))
async def deliver(ctx: TaskContext, *, item: str) -> None:
    """Tell the customer, then fail once."""
    await ctx.notify("On its way", f"{item} left our house.", data={"item": item})
    if ctx.attempt == 1:
        raise ConnectionError("the carrier does not answer")


class Oracle:
    """A service that nobody provides."""


@task("shop.ask_the_oracle")
async def ask_the_oracle(ctx: TaskContext) -> None:
    """Ask for a service that is not there."""
    ctx.get(Oracle)
