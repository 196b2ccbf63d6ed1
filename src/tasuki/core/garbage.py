"""Imports without the search for garbage."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def importing() -> Generator[None]:
    """Look for no garbage while modules are imported, and never again at what they made.

    Modules stay for as long as the process does. To walk through them again and again as they
    grow takes a fifth of a start, and later makes each full collection longer.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
