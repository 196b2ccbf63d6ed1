"""The broker on Redis or Valkey: one script to publish, pub/sub to tell, a stream to remember.

A server that starts again may have lost the last second, and would then give out offsets a
second time. Scripts are not kept over a restart, so publishing calls its script by its hash
only: if the server does not know it, it has been started since, and all channels begin a new
epoch before anything is published.
"""

import hashlib
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from tasuki.core.errors import Unavailable
from tasuki.core.ids import new_secret
from tasuki.core.logging import get_logger
from tasuki.realtime.broker import Listener
from tasuki.realtime.channels import History, Position, Publication, Slice
from tasuki.realtime.client import redis_client
from tasuki.realtime.subscriber import Subscriber

log = get_logger(__name__)

_PREFIX = "tasuki:rt:"
_GENERATION = f"{_PREFIX}generation"
_ONCE_S = 600
_META_LIVES_LONGER = 2  # times the age of the history: who comes late learns that it is gone
_PLACE_KEPT_S = 600  # at least, from when somebody asked for it; see `KEEP_PLACE_EVERY_S`
_TRIES = 3

# KEYS: generation, meta, stream, once. ARGV: payload, size, age in ms, a word for a new epoch,
# the live channel, whether `once` counts, seconds it counts, ms that the place is kept.
_PUBLISH = """
if ARGV[6] == '1' then
  local before = redis.call('GET', KEYS[4])
  if before then return cjson.decode(before) end
end
local generation = redis.call('GET', KEYS[1])
if not generation then
  generation = ARGV[4]
  redis.call('SET', KEYS[1], generation)
end
local meta = redis.call('HMGET', KEYS[2], 'generation', 'epoch')
local epoch = meta[2]
if meta[1] ~= generation then
  epoch = ARGV[4]
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[2], 'generation', generation, 'epoch', epoch, 'offset', 0)
end
local offset = redis.call('HINCRBY', KEYS[2], 'offset', 1)
redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[2], offset .. '-0', 'p', ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[8])
if ARGV[6] == '1' then
  redis.call('SET', KEYS[4], cjson.encode({epoch, offset}), 'EX', ARGV[7])
end
redis.call('PUBLISH', ARGV[5], epoch .. ' ' .. offset .. ' ' .. ARGV[1])
return {epoch, offset}
"""

# KEYS: generation, meta, stream. ARGV: a word for a new epoch, the epoch and offset of the
# reader ('' if none), how many at most, ms that the place is kept. A channel nobody has published
# in begins here. What is asked for keeps its place, or who listens would be told of a loss.
_HISTORY = """
local generation = redis.call('GET', KEYS[1])
if not generation then
  generation = ARGV[1]
  redis.call('SET', KEYS[1], generation)
end
local meta = redis.call('HMGET', KEYS[2], 'generation', 'epoch', 'offset')
local epoch, offset = meta[2], tonumber(meta[3])
if meta[1] ~= generation then
  epoch, offset = ARGV[1], 0
  redis.call('DEL', KEYS[3])
  redis.call('HSET', KEYS[2], 'generation', generation, 'epoch', epoch, 'offset', 0)
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
else
  redis.call('PEXPIRE', KEYS[2], ARGV[5], 'GT')
end
if ARGV[2] == '' then return {epoch, offset, 1, {}} end
local missing = offset - tonumber(ARGV[3])
if epoch ~= ARGV[2] or missing < 0 or missing > tonumber(ARGV[4]) then
  return {epoch, offset, 0, {}}
end
if missing == 0 then return {epoch, offset, 1, {}} end
local found = redis.call('XRANGE', KEYS[3], (tonumber(ARGV[3]) + 1) .. '-0', '+')
if #found < missing then return {epoch, offset, 0, {}} end
return {epoch, offset, 1, found}
"""


class RedisBroker:
    """See `Broker`.

    Args:
        url: ``redis://…``; Valkey alike, Redis 7.0 or later.
        listening: Whether this process subscribes to channels, or only publishes.
    """

    def __init__(self, url: str, *, listening: bool = True) -> None:
        self._client = redis_client(url)
        self._hash = ""
        self._subscriber = Subscriber(url, prefix=_PREFIX + "live:") if listening else None

    def listen(self, listener: Listener) -> None:
        """Tell somebody of what is heard; call it before `start`."""
        if self._subscriber is not None:
            self._subscriber.listen(_Reader(listener))

    async def start(self) -> None:
        """Begin to listen."""
        if self._subscriber is not None:
            self._subscriber.start()

    @property
    def lag_s(self) -> float:
        """How long a message is on its way to this process; 0 if it hears none."""
        return self._subscriber.lag_s if self._subscriber is not None else 0.0

    async def close(self) -> None:
        """Let go of the connections."""
        if self._subscriber is not None:
            await self._subscriber.close()
        await self._client.aclose()

    async def publish(
        self, publication: Publication, *, history: History | None, once: str | None = None
    ) -> Position | None:
        """See `Broker.publish`."""
        channel, payload = publication.channel, _write(publication)
        try:
            if history is None:
                await self._client.publish(f"{_PREFIX}live:{channel}", f"- 0 {payload}")
                return None
            epoch, offset = await self._run_publish(channel, payload, history, once)
        except (RedisError, OSError) as exc:
            raise _unavailable(exc) from exc
        return Position(_text(epoch), int(offset))

    async def history(self, channel: str, since: Position | None, *, most: int) -> Slice:
        """See `Broker.history`."""
        keys = _keys(channel)[:3]
        reader = ("", 0) if since is None else (since.epoch, since.offset)
        try:
            if not self._hash:
                await self._begin_generation()
            answer: Any = await self._client.eval(
                _HISTORY, len(keys), *keys, _new_epoch(), *reader, most, _PLACE_KEPT_S * 1000
            )
        except (RedisError, OSError) as exc:
            raise _unavailable(exc) from exc
        epoch, offset, is_whole, found = answer
        name = _text(epoch)
        publications = [
            _read(channel, Position(name, int(entry.partition(b"-")[0])), fields[1])
            for entry, fields in found
        ]
        return Slice(Position(name, int(offset)), publications, is_whole=bool(is_whole))

    async def subscribe(self, channel: str) -> None:
        """See `Broker.subscribe`."""
        if self._subscriber is not None:
            await self._subscriber.subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        """See `Broker.unsubscribe`."""
        if self._subscriber is not None:
            self._subscriber.unsubscribe(channel)

    async def _run_publish(
        self, channel: str, payload: str, history: History, once: str | None
    ) -> tuple[bytes, int]:
        keys = [*_keys(channel), f"{_PREFIX}once:{channel}:{once or ''}"]
        size, age_ms = max(1, history.size), int(history.age.total_seconds() * 1000)
        place_ms = max(age_ms * _META_LIVES_LONGER, _PLACE_KEPT_S * 1000)
        for _ in range(_TRIES):
            try:
                if not self._hash:
                    await self._begin_generation()
                answer: Any = await self._client.evalsha(
                    self._hash,
                    len(keys),
                    *keys,
                    payload,
                    size,
                    age_ms,
                    _new_epoch(),
                    f"{_PREFIX}live:{channel}",
                    int(once is not None),
                    _ONCE_S,
                    place_ms,
                )
            except NoScriptError:
                await self._begin_generation(is_new=True)
            else:
                return answer[0], answer[1]
        raise RedisError("the server forgets its scripts again and again")

    async def _begin_generation(self, *, is_new: bool = False) -> None:
        """Load the script. A server that has not got it has forgotten more than that."""
        if not self._hash:
            known = hashlib.sha1(_PUBLISH.encode(), usedforsecurity=False).hexdigest()
            is_new = not (await self._client.script_exists(known))[0]
            self._hash = known
        if is_new:
            log.info("realtime_begins_anew")
            async with self._client.pipeline(transaction=True) as both:
                both.execute_command("SET", _GENERATION, new_secret()[:12])
                both.execute_command("SCRIPT LOAD", _PUBLISH)
                await both.execute()


class _Reader:
    """Makes publications of what a subscriber hears."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def heard(self, channel: str, message: bytes) -> None:
        try:
            epoch, offset, payload = message.split(b" ", 2)
            position = None if epoch == b"-" else Position(epoch.decode(), int(offset))
            self._listener.heard(_read(channel, position, payload))
        except ValueError:
            log.warning("strange_publication", channel=channel)

    def missed(self) -> None:
        self._listener.missed()


def _keys(channel: str) -> list[str]:
    return [_GENERATION, f"{_PREFIX}meta:{channel}", f"{_PREFIX}stream:{channel}"]


def _write(publication: Publication) -> str:
    """Return a publication as text: JSON has no raw line break, so the first one ends the head."""
    key = publication.key or ""
    return f"{publication.type} {publication.at} {key}\n{publication.data}"


def _read(channel: str, position: Position | None, payload: bytes) -> Publication:
    head, _, data = payload.decode().partition("\n")
    kind, at, key = head.split(" ", 2)
    return Publication(channel, kind, data, at, position, key or None)


def _new_epoch() -> str:
    return new_secret()[:8]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _unavailable(exc: Exception) -> Unavailable:
    return Unavailable(f"Redis does not answer: {type(exc).__name__}.", retry_after_s=1)
