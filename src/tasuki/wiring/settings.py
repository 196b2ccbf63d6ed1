"""All settings of Tasuki, put together from those of each capability.

Read from the environment (``TASUKI_…``, nested by ``__``), then from ``tasuki.toml`` or the
file given. Where the URLs are not set, those of a running ``tasuki up`` with the same data
directory are taken, and the mail system it has, so that the command line works beside it.
"""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tasuki.accounts.settings import AccountsSettings
from tasuki.chat.settings import ChatSettings
from tasuki.core.settings import ENV_PREFIX, refuse_unknown_names, setting_names
from tasuki.core.urls import async_url
from tasuki.exports.settings import ExportsSettings
from tasuki.mail.settings import MailSettings
from tasuki.notifications.settings import NotificationsSettings
from tasuki.realtime.settings import RealtimeSettings
from tasuki.tasks.settings import FilesSettings, TasksSettings
from tasuki.web.settings import WebSettings

RUNNING_FILE = "running.json"
"""In the data directory while ``tasuki up`` runs: the URLs of its servers, and the
port at which mail is caught; for us alone."""


class BadSetting(ValueError):
    """A setting is needed that nobody set, or it cannot be what it says."""


class Settings(BaseSettings):
    """Everything that differs between machines."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL, as postgresql://USER:PASSWORD@HOST/NAME."
    )
    redis_url: SecretStr | None = Field(
        default=None, description="Redis or Valkey, as redis://:PASSWORD@HOST:PORT/0."
    )
    broker_url: SecretStr | None = Field(
        default=None,
        description="Celery's broker; default: the Redis URL. amqp://… for RabbitMQ.",
    )
    data_dir: Path = Field(
        default=Path(".tasuki"), description="Where `tasuki up` keeps its data."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Signs links in mails; default: a random one that the database keeps.",
    )
    web: WebSettings = Field(default=WebSettings(), description="The web process.")
    accounts: AccountsSettings = Field(default=AccountsSettings(), description="Accounts.")
    realtime: RealtimeSettings = Field(
        default=RealtimeSettings(), description="Open sockets and streams."
    )
    notifications: NotificationsSettings = Field(
        default=NotificationsSettings(), description="Notifications."
    )
    chat: ChatSettings = Field(default=ChatSettings(), description="Rooms.")
    tasks: TasksSettings = Field(default=TasksSettings(), description="Background work.")
    exports: ExportsSettings = Field(default=ExportsSettings(), description="Exports.")
    mail: MailSettings = Field(default=MailSettings(), description="Mail.")
    files: FilesSettings = Field(default=FilesSettings(), description="Files of tasks.")

    def need_database_url(self) -> str:
        """Return the database's URL, as SQLAlchemy's asynchronous engines take it.

        Raises:
            BadSetting: There is none, or it is not PostgreSQL's.
        """
        name = "TASUKI_DATABASE_URL"
        try:
            return async_url(self._need(self.database_url, name))
        except BadSetting:
            raise
        except ValueError as exc:
            raise BadSetting(f"{name}: {exc}") from exc

    def need_redis_url(self) -> str:
        """Return the URL of Redis or Valkey.

        Raises:
            BadSetting: There is none.
        """
        return self._need(self.redis_url, "TASUKI_REDIS_URL")

    def need_broker_url(self) -> str:
        """Return the URL of Celery's broker.

        Raises:
            BadSetting: There is neither a broker nor a Redis.
        """
        if self.broker_url is not None:
            return self.broker_url.get_secret_value()
        return self.need_redis_url()

    @property
    def files_folder(self) -> Path:
        """Where artifacts are kept."""
        return Path(self.files.dir) if self.files.dir else self.data_dir / "files"

    def _need(self, value: SecretStr | None, name: str) -> str:
        if value is None:
            msg = (
                f"{name} is not set, and no `tasuki up` runs on {self.data_dir.resolve()}. "
                "Set it, or start `tasuki up`."
            )
            raise BadSetting(msg)
        return value.get_secret_value()


def load_settings(
    config: Path | None = None, *, beside_running: bool = True, **given: Any
) -> Settings:
    """Read the settings.

    Args:
        config: A TOML file; default: ``tasuki.toml`` in this folder, if there is one.
        beside_running: Whether to use the servers of a running ``tasuki up``.
        given: Settings that count before all others.

    Raises:
        UnknownSetting: The environment names one that does not exist.
        ValueError: One has a wrong value; the message says which.
        FileNotFoundError: The given file does not exist.
    """
    refuse_unknown_names(os.environ, setting_names(Settings))
    if config is not None and not config.is_file():
        msg = f"no such settings file: {config}"
        raise FileNotFoundError(msg)
    file = config or Path("tasuki.toml")

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    settings = FromFile(**given)
    if not beside_running:
        return settings
    running = _running(settings.data_dir)
    missing: dict[str, Any] = {
        name: SecretStr(running[name])
        for name in ("database_url", "redis_url")
        if name in running and getattr(settings, name) is None
    }
    if "mail_port" in running and settings.mail.host is None:
        missing["mail"] = settings.mail.model_copy(update=catching_mail(running["mail_port"]))
    return settings.model_copy(update=missing)


def catching_mail(port: int) -> dict[str, Any]:
    """Return the settings of mail where the inbox of development is the mail system."""
    return {"host": "127.0.0.1", "port": port, "tls": "none", "caught": True}


def _running(data_dir: Path) -> dict[str, Any]:
    """Return what is said of a `tasuki up` that runs on this data directory, if one does."""
    try:
        running: dict[str, Any] = json.loads((data_dir / RUNNING_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return running
