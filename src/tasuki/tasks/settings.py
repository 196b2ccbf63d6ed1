"""How background work is kept, carried and forgotten."""

from pydantic import Field

from tasuki.core.settings import SettingsGroup


class TasksSettings(SettingsGroup):
    """Background work. Read from ``TASUKI_TASKS__*``."""

    modules: tuple[str, ...] = Field(
        default=(),
        description="Your own modules with @task functions, as a JSON list; "
        "loaded by the web process and by the workers.",
    )
    lease_s: float = Field(
        default=30.0,
        ge=1,
        description="Seconds a worker may be silent before its task is given to another.",
    )
    max_crashes: int = Field(
        default=3, ge=1, le=20, description="Workers a task may take down before it is `crashed`."
    )
    retention_s: int = Field(
        default=604_800,
        ge=1,
        description="Seconds an ended task, its events and its file are kept.",
    )
    ring_again_s: float = Field(
        default=10.0,
        ge=0.5,
        description="Seconds after which a task that no worker took is announced again; "
        "doubles each time.",
    )
    look_every_s: float = Field(
        default=1.0, ge=0.1, description="Seconds between looks for due work without any notice."
    )
    cancel_grace_s: float = Field(
        default=10.0,
        ge=0.1,
        description="Seconds a task gets to clean up after a cancel or a timeout.",
    )
    local_concurrency: int = Field(
        default=20, ge=1, le=1000, description="Local tasks that one web process runs at once."
    )
    io_concurrency: int = Field(
        default=100, ge=1, le=1000, description="Tasks that one io worker runs at once."
    )
    cpu_concurrency: int | None = Field(
        default=None, ge=1, description="Children of a cpu worker; default: one per processor."
    )
    max_result_bytes: int = Field(
        default=65_536, ge=1024, description="A larger JSON result becomes a file."
    )
    max_artifact_bytes: int = Field(
        default=1024**3, ge=1024, description="Largest file a task may leave, in bytes."
    )


class FilesSettings(SettingsGroup):
    """Where the files of tasks are kept. Read from ``TASUKI_FILES__*``."""

    dir: str | None = Field(
        default=None,
        description="Folder for artifacts; default: `files` in the data directory. In production "
        "a folder that the web process and all workers share.",
    )
