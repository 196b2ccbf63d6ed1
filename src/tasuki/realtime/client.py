"""How we connect to Redis and Valkey: within limits, and noticing when the other side is gone."""

import redis.asyncio as redis

_CONNECTIONS = 32
_WAIT_S = 5.0


def redis_client(url: str) -> redis.Redis:
    """Return a client that connects when it is first used.

    After an outage all channels are read at once: they share some connections, and wait for one.
    """
    pool: redis.BlockingConnectionPool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_WAIT_S,
        socket_connect_timeout=2,
        socket_timeout=5,
        socket_keepalive=True,
        health_check_interval=15,
    )
    return redis.Redis.from_pool(pool)
