"""The shop's own tables, in the same database as Tasuki's."""

from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Root of the shop's tables."""


class Customer(Base):
    """Somebody who buys; the key is how the shop knows them."""

    __tablename__ = "shop_customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)


class Order(Base):
    """What somebody bought."""

    __tablename__ = "shop_orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("shop_customers.id"))
    item: Mapped[str]
    quantity: Mapped[int]
    price_cents: Mapped[int]


async def create_tables(connection: AsyncConnection) -> None:
    """Make the shop's tables where they do not exist."""
    await connection.run_sync(Base.metadata.create_all)
