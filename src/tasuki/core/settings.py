"""How settings are read: the rules, not the settings themselves.

Each capability declares its own in its ``settings.py`` as a frozen `SettingsGroup`; wiring
puts them together. A name nobody declared is an error, since a misspelt setting that is
silently ignored is found in production.
"""

import difflib
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

ENV_PREFIX = "TASUKI_"
_TEST_PREFIX = "TASUKI_TEST_"  # belongs to the test-suite, not to Tasuki


class SettingsGroup(BaseModel):
    """Settings of one capability: read once, never changed, every field described."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UnknownSetting(ValueError):
    """The environment names a setting that does not exist."""


def setting_names(model: type[BaseModel], prefix: str = ENV_PREFIX) -> list[str]:
    """Return the environment names of all settings below a model."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, SettingsGroup):
            names += setting_names(group, f"{prefix}{name.upper()}__")
        else:
            names.append(f"{prefix}{(field.alias or name).upper()}")
    return names


def refuse_unknown_names(environ: Mapping[str, str], known: Iterable[str]) -> None:
    """Check that every ``TASUKI_*`` variable is a setting.

    Raises:
        UnknownSetting: One is not; the message names the nearest that is.
    """
    names = set(known)
    for given in sorted(environ):
        name = given.upper()
        if not name.startswith(ENV_PREFIX) or name.startswith(_TEST_PREFIX) or name in names:
            continue
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        msg = f"unknown setting {given}.{hint} See `tasuki doctor --settings` for all of them."
        raise UnknownSetting(msg)
