"""Decides what became of a message by what the mail system said.

Pure decisions: no clock, no database, no loop.
"""

import random

from tasuki.core.errors import TasukiError, Unavailable
from tasuki.mail.errors import MailDeferred, MailRejected, MailUnknown
from tasuki.mail.records import Held, MailEnd

_FIRST_S = 60.0  # greylisting asks for minutes
_CAP_S = 3600.0
_OUR_CAP_S = 300.0  # what we mend ourselves, nobody should wait an hour for
_MOST_ANSWER = 500  # characters


def end_of(held: Held, said: str | TasukiError) -> MailEnd:
    """Return what became of an attempt.

    Args:
        said: The answer to the whole message, or why there is none.
    """
    if isinstance(said, str):
        return MailEnd(id=held.id, token=held.token, state="sent", answer=said[:_MOST_ANSWER])
    answer = said.detail[:_MOST_ANSWER]
    if isinstance(said, MailUnknown):
        return _unknown(held, answer)
    if isinstance(said, Unavailable):
        return _later(held, answer, is_theirs=isinstance(said, MailDeferred))
    return MailEnd(
        id=held.id,
        token=held.token,
        state="failed",
        answer=answer,
        is_address_fault=isinstance(said, MailRejected) and said.is_address_fault,
    )


def _unknown(held: Held, answer: str) -> MailEnd:
    is_over = held.if_unknown == "leave" or held.is_last
    return MailEnd(
        id=held.id,
        token=held.token,
        state="unknown",
        answer=answer,
        pause_s=None if is_over else pause_s(held.attempts),
    )


def _later(held: Held, answer: str, *, is_theirs: bool) -> MailEnd:
    """Return the end of an attempt of which nothing was taken.

    Args:
        is_theirs: The mail system said so; else it is we who could not reach it.
    """
    if held.is_last:
        return MailEnd(
            id=held.id, token=held.token, state="failed", answer=f"given up; last: {answer}"
        )
    return MailEnd(
        id=held.id,
        token=held.token,
        state="deferred" if is_theirs else "queued",
        answer=answer,
        pause_s=pause_s(held.attempts, cap_s=_CAP_S if is_theirs else _OUR_CAP_S),
    )


def pause_s(attempts: int, *, cap_s: float = _CAP_S) -> float:
    """Return how long to wait after so many attempts.

    Drawn at random from the upper half of a bound that doubles, so that what failed together
    does not come back together.
    """
    bound = min(cap_s, _FIRST_S * 2.0 ** min(attempts - 1, 30))
    return random.uniform(bound / 2, bound)  # noqa: S311  # spreads load, guards nothing
