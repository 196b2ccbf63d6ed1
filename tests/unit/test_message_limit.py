"""How much a client may say."""

from tasuki.realtime.limits import MessageLimit


def test_sixty_at_once_and_twenty_a_second_are_taken() -> None:
    """A burst, such as after a reconnect, is no flood."""
    limit = MessageLimit()

    at_once = [limit.take(now=0.0) for _ in range(61)]
    later = [limit.take(now=1.0) for _ in range(21)]

    assert at_once == ["taken"] * 60 + ["too many"]
    assert later == ["taken"] * 20 + ["too many"]


def test_who_goes_on_and_on_is_a_flood() -> None:
    """Sixty refusals in a row are no accident; one that is taken in between ends the row."""
    limit = MessageLimit()
    for _ in range(60):
        limit.take(now=0.0)

    refused = [limit.take(now=0.0) for _ in range(60)]
    limit.take(now=1.0)
    again = [limit.take(now=1.0) for _ in range(20)]
    flood = [limit.take(now=1.0) for _ in range(61)]

    assert set(refused) == {"too many"}
    assert again[-1] == "too many"
    assert flood[-1] == "flood"
