"""Declaring a task: a function, its name on the wire, and how it is to be run.

Knows nothing of queues or databases. Arguments are checked against the function's own
annotations, at the order and again before the run: messages outlive a deploy.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from tasuki.core.errors import ValidationFailed
from tasuki.tasks.context import TaskContext
from tasuki.tasks.hooks import Hooks
from tasuki.tasks.states import LANES, Lane

P = ParamSpec("P")
R = TypeVar("R")

QUEUES = ("default", "email", "reports", "cleanup")
"""The queues that are always there; a task may name one of its own."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """When a failed attempt is followed by another.

    The pause is drawn at random between nothing and ``first · 2^(n-1)``, at most ``cap``, so
    that many tasks that failed together do not come back together. An error that says when the
    same may succeed (``retry_after_s``) is not tried again sooner.

    Attributes:
        tries: Attempts in all, the first one included.
        first: Longest pause after the first failure.
        cap: Longest pause after any failure.
    """

    tries: int = 3
    first: timedelta = timedelta(seconds=10)
    cap: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.tries < 1 or self.first < timedelta(0) or self.cap < timedelta(0):
            msg = f"Retry needs tries >= 1 and pauses >= 0, not {self}"
            raise ValueError(msg)

    def longest_pause(self, failures: int) -> timedelta:
        """Return the longest pause after so many failures (1 or more)."""
        # 2^30 is beyond any cap; without the bound the power of two would overflow.
        doubled: timedelta = self.first * 2 ** min(failures - 1, 30)
        return min(self.cap, doubled)


@dataclass(frozen=True, kw_only=True)
class EnqueueOptions:
    """How one order of a task differs from the declaration."""

    idempotency_key: str | None = None
    unique_key: str | None = None
    delay: timedelta | None = None
    expires: timedelta | None = None
    priority: int = 0
    queue: str | None = None
    lane: Lane | None = None
    tags: tuple[str, ...] = ()
    owner_id: int | None = None


OPTION_NAMES = frozenset(EnqueueOptions.__dataclass_fields__)


Allows = Callable[[int, dict[str, Any]], bool]
"""Takes the number of a user and the checked arguments of an order."""


@dataclass(frozen=True)
class Task(Generic[P, R]):
    """A declared task. Call it as the function it is, or hand it to `Tasuki.enqueue`.

    Attributes:
        name: The name on the wire, not a module path: code may move, messages stay.
        timeout: Longest time one attempt may take; none: as long as it likes.
        allows: Asked when a user orders it by name over HTTP: may this user order it with
            these arguments? Admins are not asked about; none: whoever has the scope.
        hooks: Called when an attempt has ended.
    """

    run: Callable[Concatenate[TaskContext, P], Awaitable[R]]
    name: str
    queue: str = "default"
    lane: Lane = "io"
    retry: Retry = Retry(tries=1)
    timeout: timedelta | None = None
    allows: Allows | None = None
    hooks: Hooks | None = None
    options: EnqueueOptions = field(default_factory=EnqueueOptions)
    arguments: type[BaseModel] = BaseModel

    async def __call__(self, ctx: TaskContext, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the body here and now, e.g. in a test."""
        return await self.run(ctx, *args, **kwargs)

    def having(
        self,
        *,
        idempotency_key: str | None = None,
        unique_key: str | None = None,
        delay: timedelta | None = None,
        expires: timedelta | None = None,
        priority: int = 0,
        queue: str | None = None,
        lane: Lane | None = None,
        tags: tuple[str, ...] = (),
        owner_id: int | None = None,
    ) -> "Task[P, R]":
        """Return the same task with the options of one order, its arguments still typed.

        Args:
            idempotency_key: A second order with the same key and arguments is the first one.
            unique_key: Refused while an unfinished task of this name holds the same key.
            delay: Not before so long from now.
            expires: Worthless if nobody took it so long from now.
            priority: -100 to 100, higher first.
            queue: Another queue than the declared one.
            lane: Another lane than the declared one.
            tags: Words to find it by.
            owner_id: The user who may watch and cancel it.
        """
        options = EnqueueOptions(
            idempotency_key=idempotency_key,
            unique_key=unique_key,
            delay=delay,
            expires=expires,
            priority=priority,
            queue=queue,
            lane=lane,
            tags=tags,
            owner_id=owner_id,
        )
        return replace(self, options=options)

    def check(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments as JSON holds them, defaults filled in.

        Raises:
            ValidationFailed: One is missing, unknown or of the wrong type.
        """
        try:
            return self.arguments.model_validate(args).model_dump(mode="json")
        except ValidationError as exc:
            faults = [
                {"loc": ["body", "args", *fault["loc"]], "msg": fault["msg"]}
                for fault in exc.errors(include_url=False, include_input=False)
            ]
            named = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in faults)
            raise ValidationFailed(f"{self.name}: {named}", errors=faults) from exc
        except ValueError as exc:
            # Nested deeper than can be stored, or holding itself.
            raise ValidationFailed(f"{self.name}: args: {exc}") from exc

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return positional and named arguments by name, as the function would take them.

        Raises:
            ValidationFailed: There are more of them than parameters, or one comes twice.
        """
        named = dict(zip(self.arguments.model_fields, args, strict=False))
        if len(args) > len(self.arguments.model_fields) or named.keys() & kwargs.keys():
            raise ValidationFailed(f"{self.name}: arguments do not fit its parameters")
        return named | kwargs

    def unpack(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return stored arguments as Python values, for the run."""
        checked = self.arguments.model_validate(args)
        return {name: getattr(checked, name) for name in type(checked).model_fields}


def task(
    name: str,
    *,
    queue: str = "default",
    lane: Lane = "io",
    retry: Retry | None = None,
    timeout: timedelta | None = None,
    allows: Allows | None = None,
    hooks: Hooks | None = None,
) -> Callable[[Callable[Concatenate[TaskContext, P], Awaitable[R]]], Task[P, R]]:
    """Declare an ``async def`` function as a task.

    Args:
        name: Its name on the wire, e.g. ``shop.invoice``. Never reuse one for something else.
        queue: Where it waits.
        lane: ``io`` for work that mostly waits (many at once on one event loop), ``cpu`` for
            work that computes (one at a time in a process of its own), ``local`` for short
            work that never blocks: it runs on the loop that answers web requests.
        retry: Whether and when a failed attempt is repeated; default: not at all.
        timeout: Longest time one attempt may take.
        allows: May this user order it by name, with these arguments? Needed where an argument
            names somebody; default: whoever has the scope may.
        hooks: Called when an attempt has ended; what that is good for, and what not, says
            `tasuki.tasks.hooks`.

    Raises:
        TypeError: The function is not ``async def``, has no context parameter, or names a
            parameter like an option of `Tasuki.enqueue`.
    """
    if not name or len(name) > 200 or lane not in LANES:
        msg = f"task {name!r}: needs a name of 1 to 200 characters and a lane of {LANES}"
        raise TypeError(msg)

    def declare(run: Callable[Concatenate[TaskContext, P], Awaitable[R]]) -> Task[P, R]:
        return Task(
            run=run,
            name=name,
            queue=queue,
            lane=lane,
            retry=retry or Retry(tries=1),
            timeout=timeout,
            allows=allows,
            hooks=hooks,
            arguments=_arguments_of(run, name),
        )

    return declare


class Catalogue:
    """All declared tasks by name."""

    def __init__(self, *tasks: Task[..., Any]) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}
        self.add(*tasks)

    def add(self, *tasks: Task[..., Any]) -> None:
        """Add tasks; the same one twice is fine.

        Raises:
            ValueError: Two different tasks have one name.
        """
        for declared in tasks:
            known = self._tasks.setdefault(declared.name, declared)
            if known.run is not declared.run:
                msg = f"two tasks are named {declared.name!r}"
                raise ValueError(msg)

    def add_module(self, module: object) -> None:
        """Add every task that is a global of a module."""
        self.add(*(value for value in vars(module).values() if isinstance(value, Task)))

    def find(self, name: str) -> Task[..., Any] | None:
        """Return the task of this name, if there is one."""
        return self._tasks.get(name)

    @property
    def names(self) -> list[str]:
        """Return all names in order."""
        return sorted(self._tasks)

    @property
    def tasks(self) -> list[Task[..., Any]]:
        """Return all tasks in the order of their names."""
        return [self._tasks[name] for name in self.names]

    @property
    def queues(self) -> list[str]:
        """Return the standing queues and those that tasks brought along."""
        own = {declared.queue for declared in self._tasks.values()} - set(QUEUES)
        return [*QUEUES, *sorted(own)]


def _arguments_of(run: Callable[..., Any], name: str) -> type[BaseModel]:
    """Build the model of a task function's arguments from its signature."""
    if not inspect.iscoroutinefunction(run):
        msg = f"task {name!r} must be an `async def` function"
        raise TypeError(msg)
    parameters = list(inspect.signature(run, eval_str=True).parameters.values())
    if not parameters:
        msg = f"task {name!r} needs a first parameter for its TaskContext"
        raise TypeError(msg)
    fields: dict[str, Any] = {}
    for parameter in parameters[1:]:
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            msg = f"task {name!r}: *{parameter.name} cannot be stored; name the arguments"
            raise TypeError(msg)
        if parameter.name in OPTION_NAMES or parameter.annotation is parameter.empty:
            msg = (
                f"task {name!r}: parameter {parameter.name!r} needs an annotation and "
                f"a name other than {', '.join(sorted(OPTION_NAMES))}"
            )
            raise TypeError(msg)
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    model: type[BaseModel] = create_model(
        f"{name} arguments", __config__=ConfigDict(extra="forbid", frozen=True), **fields
    )
    return model
