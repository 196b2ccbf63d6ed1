"""How we connect to Redis and Valkey: within limits, and noticing when the other side is gone."""

import redis.asyncio as redis


def redis_client(url: str) -> redis.Redis:
    """Return a client that connects when it is first used."""
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=5,
        socket_keepalive=True,
        health_check_interval=15,
    )
    return client
