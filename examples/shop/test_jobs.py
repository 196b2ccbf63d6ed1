"""The shop's task, tried without a database, a broker or a worker."""

from typing import Any

from shop.jobs import invoice
from shop.models import Customer, Order
from tasuki.testing import Rehearsal


class Shelf:
    """Stands in for the database's session: what it finds by number is what it was given."""

    def __init__(self, *rows: Customer | Order) -> None:
        self._rows = {(type(row), row.id): row for row in rows}

    async def get(self, kind: type[Any], number: int) -> Any:
        """Return a row, if there is one."""
        return self._rows.get((kind, number))

    async def get_one(self, kind: type[Any], number: int) -> Any:
        """Return a row."""
        return self._rows[kind, number]


async def test_an_invoice_has_the_order_the_customer_and_the_total() -> None:
    """The file is what the customer downloads; the steps are what they see meanwhile."""
    customer = Customer(id=1, name="花子", key="hanako-key")
    order = Order(id=7, customer_id=1, item="Tea", quantity=3, price_cents=450)

    run = await Rehearsal(session=Shelf(customer, order)).run(invoice, order_id=7)

    assert run.state == "succeeded"
    assert run.files["invoice-7.txt"].decode().splitlines() == [
        "Invoice 7",
        "花子",
        "3 × Tea",
        "Total 13.50",
    ]
    assert [step["message"] for step in run.progress] == [
        "Reading the order",
        "Writing the invoice",
        "Done",
    ]


async def test_an_order_that_does_not_exist_is_not_tried_again() -> None:
    """It will not exist in five seconds either."""
    run = await Rehearsal(session=Shelf()).run(invoice, order_id=8)

    assert (run.state, run.attempt) == ("failed", 1)
    assert run.error is not None
    assert run.error["message"] == "there is no order 8"
