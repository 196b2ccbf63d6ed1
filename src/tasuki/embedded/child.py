"""One running process of the supervisor: started, listened to, ended for certain."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Self

from tasuki.embedded.console import Console, pump
from tasuki.embedded.watch import Watch

_LAST_WORDS_S = 1.0
_KILL_LIMIT_S = 5.0


class Child:
    """A process that leads a session of its own, so that the terminal's Ctrl-C passes it by.

    When it ends, whatever it left in its group is killed: the pool of a dead worker would
    go on with tasks that nobody counts any more.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        watch: Watch,
        pipe: asyncio.ReadTransport,
        output: asyncio.Task[None],
    ) -> None:
        self._process = process
        self._pipe = pipe
        self._output = output
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = loop.create_future()
        # Not asyncio's own wait: on some 3.11 and 3.12 it also waits for everybody who
        # inherited the output pipe, and so for the very orphans that are to be killed.
        threading.Thread(target=self._reap, args=(loop, watch), daemon=True).start()

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        *,
        stop_signal: int,
        console: Console,
        watch: Watch,
    ) -> Self:
        """Start the process and show its output under the name.

        Raises:
            OSError: The program cannot be started.
        """
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - one vfork; commands of our caller
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        watch.add(process.pid, stop_signal)
        reader = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), process.stdout
        )
        output = asyncio.create_task(pump(reader, name, console), name=f"output of {name}")
        return cls(process, watch, pipe, output)

    @property
    def pid(self) -> int:
        """The process's number, which is also its group's."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._ended.done()

    async def ended(self) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        code = await asyncio.shield(self._ended)
        await asyncio.wait({self._output}, timeout=_LAST_WORDS_S)
        self._output.cancel()  # somebody in a session of their own may hold the pipe for ever
        self._pipe.close()
        return code

    async def stop(self, stop_signal: int, within_s: float) -> None:
        """Ask it to end, and kill it when the time is up; returns at once if it has ended."""
        if self._ended.done():
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(stop_signal)
        try:
            await asyncio.wait_for(self.ended(), within_s)
        except TimeoutError:
            self.kill()
            await asyncio.wait_for(self.ended(), _KILL_LIMIT_S)

    def kill(self) -> None:
        """SIGKILL to it and to everything it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self, loop: asyncio.AbstractEventLoop, watch: Watch) -> None:
        code = self._process.wait()
        self.kill()
        watch.remove(self.pid)
        with contextlib.suppress(RuntimeError):  # the loop was closed before the process ended
            loop.call_soon_threadsafe(self._ended.set_result, code)
