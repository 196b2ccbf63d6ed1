"""The shop's own task; named in TASUKI_TASKS__MODULES, it is loaded by web and workers."""

from datetime import timedelta

from shop.models import Customer, Order
from tasuki import Artifact, Fatal, Retry, TaskContext, task


@task("shop.invoice", retry=Retry(tries=3, first=timedelta(seconds=5)))
async def invoice(ctx: TaskContext, *, order_id: int) -> Artifact:
    """Write the invoice of an order.

    Takes the order's number, never the order: the row is read when the task runs. Safe to
    run twice: the later file replaces the earlier.
    """
    await ctx.progress(0, of=2, message="Reading the order")
    async with ctx.unit_of_work() as session:
        order = await session.get(Order, order_id)
        if order is None:
            raise Fatal(f"there is no order {order_id}")
        customer = await session.get_one(Customer, order.customer_id)
    await ctx.progress(1, of=2, message="Writing the invoice")
    total = order.quantity * order.price_cents / 100
    lines = (
        f"Invoice {order.id}",
        customer.name,
        f"{order.quantity} × {order.item}",
        f"Total {total:.2f}",
    )
    async with ctx.artifact(f"invoice-{order.id}.txt", "text/plain; charset=utf-8") as file:
        await file.write("\n".join(lines).encode())
    await ctx.progress(2, of=2, message="Done")
    return file.artifact
