"""Builds what brings publications to the connections of a web process."""

import contextlib
from collections.abc import AsyncGenerator

from tasuki.chat import ChatSettings
from tasuki.chat.channels import CHAT, ChatTable
from tasuki.chat.presence import Presence
from tasuki.core.background import Background
from tasuki.core.database import Database
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.realtime.callers import Revocation
from tasuki.realtime.channels import Namespaces
from tasuki.realtime.connections import ConnectionManager
from tasuki.realtime.hub import Hub
from tasuki.realtime.nodes import Nodes
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.redis import RedisBroker
from tasuki.realtime.relay import Relay
from tasuki.realtime.settings import RealtimeSettings
from tasuki.tasks import TaskService
from tasuki.wiring.channels import TASKS, TaskTable


@contextlib.asynccontextmanager
async def live(services: Registry, broker: RedisBroker) -> AsyncGenerator[ConnectionManager]:
    """Serve connections for as long as the block lasts."""
    hub = services.add(Hub, _hub(services, broker))
    manager = services.add(
        ConnectionManager, ConnectionManager(hub, services.get(RealtimeSettings))
    )
    presence = services.add(Presence, _presence(services))
    revocation = services.add(Revocation, Revocation(services))
    nodes = services.add(
        Nodes,
        Nodes(manager=manager, publisher=services.get(Publisher), lag_s=lambda: broker.lag_s),
    )
    broker.listen(hub)
    await broker.start()
    loops = Background()
    loops.keep(hub.run_for_ever, name="realtime-tables")
    loops.keep(manager.beat_for_ever, name="realtime-pulse")
    loops.keep(nodes.run_for_ever, name="realtime-node")
    loops.keep(presence.run_for_ever, name="chat-presence")
    try:
        yield manager
    finally:
        await loops.close()
        await presence.close()
        await revocation.close()
        await hub.close()


@contextlib.asynccontextmanager
async def relaying(services: Registry, broker: RedisBroker) -> AsyncGenerator[None]:
    """Publish what transactions have published, for as long as the block lasts."""
    relay = Relay(
        database=services.get(Database),
        broker=broker,
        namespaces=services.get(Namespaces),
        notices=services.get(Notices),
        epoch=services.get(TaskService).epoch,
    )
    loops = Background()
    loops.keep(relay.run_for_ever, name="realtime-relay")
    try:
        yield
    finally:
        await loops.close()


def _hub(services: Registry, broker: RedisBroker) -> Hub:
    database, tasks = services.get(Database), services.get(TaskService)
    rooms = services.add(ChatTable, ChatTable(database=database, epoch=tasks.epoch))
    return Hub(
        namespaces=services.get(Namespaces),
        broker=broker,
        notices=services.get(Notices),
        tables={TASKS.name: TaskTable(database=database, tasks=tasks), CHAT.name: rooms},
    )


def _presence(services: Registry) -> Presence:
    return Presence(
        database=services.get(Database),
        publisher=services.get(Publisher),
        settings=services.get(ChatSettings),
    )
