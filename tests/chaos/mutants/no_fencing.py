"""Loaded by a worker: writes count whatever lease they carry."""

from tasuki.tasks.engine import statements

for _name in ("RENEW", "NOTE", "END"):
    _text = getattr(statements, _name)
    _open = (
        _text.replace("tasks.lease_token = held.token", "true")
        .replace("tasks.lease_token = given.token", "true")
        .replace("lease_token = :token", "true")
        .replace("t.lease_token = e.token", "true")
    )
    assert _open != _text, f"the fence of {_name} looks different now"
    setattr(statements, _name, _open)
