"""Keeps a handful of processes alive until somebody says stop.

Services start when the ones they need are ready, come back when they die, and stop when
nothing that needs them runs any more. Each has a task here that lives through all of that,
so the order of stopping falls out of the order of starting.
"""

import asyncio
import contextlib
import inspect
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from tasuki.embedded.child import Child
from tasuki.embedded.console import Console
from tasuki.embedded.probes import Probe, ReadyFile
from tasuki.embedded.watch import Watch

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PROBE_LIMIT_S = 5.0
_PROBE_PAUSE_S = 0.05
_OWN_NAME = "tasuki"


@dataclass(frozen=True, kw_only=True)
class Restarts:
    """How patiently a service that dies is started again.

    The first return comes after `first_delay_s`, each further one within the window takes
    twice as long, up to `longest_delay_s`. One death more than `limit` within `window_s`,
    and everything goes down: a person has to look.
    """

    limit: int = 5
    window_s: float = 60
    first_delay_s: float = 0.5
    longest_delay_s: float = 8


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process to keep alive.

    Args:
        name: What its log lines begin with; one word.
        argv: The command; it must stay in the foreground.
        env: Its whole environment; None hands on ours.
        after: Names of the services that must be ready first.
        ready: Tells when it is ready; None means as soon as it runs.
        start_timeout_s: Everything goes down if it is not ready by then.
        stop_signal: What asks it to end.
        stop_timeout_s: SIGKILL follows after that.
        once: It does its work and ends; ready means ended with 0, anything else brings
            everything down.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None
    after: Sequence[str] = ()
    ready: Probe | None = None
    start_timeout_s: float = 60
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10
    once: bool = False


async def run(
    services: Sequence[Service],
    *,
    on_ready: Callable[[], Awaitable[None] | None] | None = None,
    keep_open: Sequence[int] = (),
    restarts: Restarts | None = None,
    console: Console | None = None,
) -> int:
    """Run the services until SIGINT, SIGTERM or SIGHUP, or until one cannot be kept alive.

    A second signal kills what has not stopped yet. Should this process be killed itself,
    a guard stops the services within about three seconds.

    Args:
        services: In any order; `Service.after` decides who waits for whom.
        on_ready: Called once, when all services are ready for the first time.
        keep_open: File descriptors the guard holds until it has ended (the folder's lock).
        restarts: The patience with a service that dies.
        console: Where log lines go; standard error if not given.

    Returns:
        The exit code: 0 after a signal, 1 after a failure.

    Raises:
        ValueError: A service needs one that is not there, two have one name, or services
            need each other in a circle (`graphlib.CycleError`).
    """
    _check(services)
    own_console = console or Console([_OWN_NAME, *(service.name for service in services)])
    watch = Watch(keep_open=keep_open)
    try:
        supervisor = _Supervisor(services, restarts or Restarts(), own_console, watch)
        return await supervisor.run(on_ready)
    finally:
        watch.close()
        if console is None:
            own_console.close()


def _check(services: Sequence[Service]) -> None:
    names = {service.name for service in services}
    if len(names) != len(services):
        raise ValueError("two services have the same name")
    for service in services:
        if missing := set(service.after) - names:
            raise ValueError(f"{service.name} needs unknown services: {sorted(missing)}")
    TopologicalSorter({service.name: service.after for service in services}).prepare()


class _Life:
    """What happens to one service between start and stop."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.ready = asyncio.Event()
        self.over = asyncio.Event()
        self.child: Child | None = None
        self.deaths: deque[float] = deque()

    def delay_after_death(self, now_s: float, restarts: Restarts) -> float | None:
        """Count a death; return the seconds to wait before the next start, None to give up."""
        self.deaths.append(now_s)
        while self.deaths[0] < now_s - restarts.window_s:
            self.deaths.popleft()
        if len(self.deaths) > restarts.limit:
            return None
        doubled: float = restarts.first_delay_s * 2 ** (len(self.deaths) - 1)
        return min(doubled, restarts.longest_delay_s)


class _Supervisor:
    def __init__(
        self, services: Sequence[Service], restarts: Restarts, console: Console, watch: Watch
    ) -> None:
        self._lives = {service.name: _Life(service) for service in services}
        self._restarts = restarts
        self._console = console
        self._watch = watch
        self._stopping = asyncio.Event()
        self._exit_code = 0

    async def run(self, on_ready: Callable[[], Awaitable[None] | None] | None) -> int:
        loop = asyncio.get_running_loop()
        signals = [number for number in _SIGNALS if not _is_hangup_ignored(number)]
        for number in signals:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            async with asyncio.TaskGroup() as tasks:
                for life in self._lives.values():
                    tasks.create_task(self._live(life), name=life.service.name)
                if on_ready is not None:
                    tasks.create_task(self._announce(on_ready), name="on_ready")
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
        return self._exit_code

    def _on_signal(self, number: signal.Signals) -> None:
        if not self._stopping.is_set():
            self._say(f"{number.name}: stopping (once more kills)")
            self._stopping.set()
            return
        self._say(f"{number.name} again: killing")
        for life in self._lives.values():
            if life.child is not None and not life.over.is_set():
                life.child.kill()

    async def _announce(self, on_ready: Callable[[], Awaitable[None] | None]) -> None:
        for life in self._lives.values():
            if not await self._unless_stopping(life.ready.wait()):
                return
        answer = on_ready()
        if inspect.isawaitable(answer):
            await answer

    async def _live(self, life: _Life) -> None:
        try:
            for name in life.service.after:
                await self._unless_stopping(self._lives[name].ready.wait())
            while not self._stopping.is_set():
                if await self._live_once(life):
                    break
        finally:
            await self._end(life)

    async def _live_once(self, life: _Life) -> bool:
        """Start the service and see it through to its end; return whether that was all."""
        service = life.service
        if isinstance(service.ready, ReadyFile):
            service.ready.reset()
        try:
            life.child = await Child.start(
                service.name,
                service.argv,
                service.env,
                stop_signal=service.stop_signal,
                console=self._console,
                watch=self._watch,
            )
        except OSError as exc:
            self._fail(f"{service.name} cannot be started: {exc}")
            return True
        if not service.once:
            await self._become_ready(life, life.child)
        if not await self._unless_stopping(life.child.ended()):
            return True
        return await self._after_death(life, await life.child.ended())

    async def _become_ready(self, life: _Life, child: Child) -> None:
        """Ask the probe until it says yes, or the service ends, or everything stops."""
        service = life.service
        loop = asyncio.get_running_loop()
        started = loop.time()
        while not (child.has_ended or self._stopping.is_set()):
            if service.ready is None or await _ask(service.ready):
                self._say(f"{service.name} is ready after {loop.time() - started:.1f} s")
                life.ready.set()
                return
            if loop.time() - started > service.start_timeout_s:
                self._fail(f"{service.name} is not ready after {service.start_timeout_s} s")
                return
            await self._pause(_PROBE_PAUSE_S)

    async def _after_death(self, life: _Life, code: int) -> bool:
        """Decide what an end means; return True if the service is not to be started again."""
        service = life.service
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        if service.once:
            if code == 0:
                life.ready.set()
            else:
                self._fail(f"{service.name} failed ({how})")
            return True
        delay_s = life.delay_after_death(asyncio.get_running_loop().time(), self._restarts)
        if delay_s is None:
            self._fail(f"{service.name} ended again ({how}), too often to go on")
            return True
        self._say(f"{service.name} ended ({how}), starting it again in {delay_s:g} s")
        await self._pause(delay_s)
        return False

    async def _end(self, life: _Life) -> None:
        """Stop the service once everything that needs it has stopped.

        A service that did its work and ended stays "over" in peace: only stopping makes
        others wait here.
        """
        try:
            if life.child is not None and not life.service.once:
                for other in self._lives.values():
                    if life.service.name in other.service.after:
                        await other.over.wait()
            if life.child is not None:
                await life.child.stop(life.service.stop_signal, life.service.stop_timeout_s)
        finally:
            life.over.set()

    async def _unless_stopping(self, event: Coroutine[None, None, object]) -> bool:
        """Wait for the event or for the signal to stop; return whether we go on."""
        wanted = asyncio.create_task(event)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({wanted, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            wanted.cancel()
        return not self._stopping.is_set()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _fail(self, why: str) -> None:
        self._say(f"{why}; everything stops")
        self._exit_code = 1
        self._stopping.set()

    def _say(self, line: str) -> None:
        self._console.write(_OWN_NAME, line)


def _is_hangup_ignored(number: signal.Signals) -> bool:
    """`nohup` asks us to outlive the terminal."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


async def _ask(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(_PROBE_LIMIT_S):
            if inspect.iscoroutinefunction(probe):
                answer = await probe()
            else:
                answer = await asyncio.to_thread(probe)
                if inspect.isawaitable(answer):
                    answer = await answer
    except OSError:  # TimeoutError included
        return False
    return bool(answer)
