"""What happened to the connections of this process since it began."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counts:
    """Numbers that only grow.

    Attributes:
        recovered: Channels in which a client that came back got everything it had missed.
        reset: Channels in which it was told that it could not.
        gap_repairs: How often this process itself had missed something, and read it up.
        ended: Connections that ended, by the code they were ended with; 0: the client left.
    """

    recovered: int = 0
    reset: int = 0
    gap_repairs: int = 0
    ended: Counter[int] = field(default_factory=Counter)
