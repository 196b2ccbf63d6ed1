"""One byte that a worker and its forked children share: go on, take nothing new, let go."""

import mmap

_GO = 0
_STOP = 1
_RELEASE = 2


class StopSign:
    """Set in the worker's main process, read in its children; make it before they are forked."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)
        self._byte[0] = _GO

    def stop(self) -> None:
        """From now on nothing new is taken."""
        self._byte[0] = max(_STOP, self._byte[0])

    def release(self) -> None:
        """What still runs is interrupted, to begin again elsewhere."""
        self._byte[0] = _RELEASE

    @property
    def is_stopping(self) -> bool:
        """Whether the worker takes nothing new."""
        return self._byte[0] >= _STOP

    @property
    def is_releasing(self) -> bool:
        """Whether the worker interrupts what runs."""
        return self._byte[0] == _RELEASE
