"""Services are found by their class, and one's own are made when they are needed."""

from collections.abc import Iterator

import pytest

from tasuki.core.registry import Registry


class Stock:
    """A service of an application's own."""


def test_an_offered_service_is_made_once_and_only_when_asked_for() -> None:
    """A process that never needs it does not open its connections."""
    made: list[Stock] = []

    def make() -> Stock:
        made.append(Stock())
        return made[-1]

    registry = Registry()
    registry.offer(Stock, make)
    assert made == []

    assert registry.get(Stock) is registry.get(Stock)
    assert len(made) == 1


def test_a_service_that_failed_to_be_made_is_tried_again() -> None:
    """A first task that comes too early must not spoil it for all that follow."""
    answers: Iterator[OSError | Stock] = iter([OSError("not yet"), Stock()])

    def make() -> Stock:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    registry = Registry()
    registry.offer(Stock, make)

    with pytest.raises(OSError, match="not yet"):
        registry.get(Stock)
    assert isinstance(registry.get(Stock), Stock)


def test_what_is_there_cannot_be_offered_again() -> None:
    """An application that replaced a service of Tasuki's by accident would never know."""
    registry = Registry()
    registry.add(Stock, Stock())

    with pytest.raises(ValueError, match="there is a Stock already"):
        registry.offer(Stock, Stock)


def test_what_nobody_provided_is_named_with_what_there_is() -> None:
    """The one who forgot it reads in the error what to do."""
    registry = Registry()
    with pytest.raises(LookupError, match="no int was provided; there is: nothing"):
        registry.get(int)

    registry.offer(Stock, Stock)
    with pytest.raises(LookupError, match="no int was provided; there is: Stock"):
        registry.get(int)
