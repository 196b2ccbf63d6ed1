"""The shop's web application, with Tasuki installed."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from shop.jobs import invoice
from shop.models import Customer, Order, create_tables
from tasuki import Tasuki

_PRICES_CENTS = {"Tea": 450, "Cup": 1200}
_CUSTOMERS = (
    {"id": 1, "name": "花子", "key": "hanako-key"},
    {"id": 2, "name": "Tom", "key": "tom-key"},
)


class NewOrder(BaseModel):
    """What a customer wants."""

    item: str
    quantity: int = Field(ge=1, le=100)


async def session_of(request: Request) -> AsyncGenerator[AsyncSession]:
    """Open the shop's own transaction; it commits before the answer is sent."""
    async with request.app.state.sessions.begin() as session:
        yield session


ShopSession = Annotated[AsyncSession, Depends(session_of, scope="function")]


async def customer_of(
    session: ShopSession, x_shop_key: Annotated[str | None, Header()] = None
) -> Customer:
    """Find out who is calling, the shop's own way."""
    found = await session.scalar(select(Customer).where(Customer.key == x_shop_key))
    if found is None:
        raise HTTPException(401, "Send your X-Shop-Key.")
    return found


def create_app() -> FastAPI:
    """Return the shop."""
    tasuki = Tasuki()
    engine = create_async_engine(tasuki.settings.need_database_url())

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with engine.begin() as connection:
            await create_tables(connection)
            await connection.execute(insert(Customer).values(_CUSTOMERS).on_conflict_do_nothing())
        app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
        yield
        await engine.dispose()

    app = FastAPI(title="Shop", lifespan=lifespan)
    tasuki.install(app, current_user=customer_of)

    @app.post("/orders", status_code=201)
    async def order(
        new: NewOrder, session: ShopSession, customer: Annotated[Customer, Depends(customer_of)]
    ) -> dict[str, str | int]:
        """Take an order, and have its invoice written: both, or neither."""
        if new.item not in _PRICES_CENTS:
            raise HTTPException(422, f"We sell: {', '.join(_PRICES_CENTS)}.")
        row = Order(
            customer_id=customer.id,
            item=new.item,
            quantity=new.quantity,
            price_cents=_PRICES_CENTS[new.item],
        )
        session.add(row)
        await session.flush()
        task = invoice.having(owner_id=customer.id)
        handle = await tasuki.enqueue(
            session, task, order_id=row.id, idempotency_key=f"order-{row.id}"
        )
        return {"order_id": row.id, "task_id": str(handle.id)}

    return app
