"""Arguments that are checked by their own annotations: a word that is none of those there are, or a text where a list
of them is asked for, is refused in words, before anything is done."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from spnb.errors import InvalidInput

__all__ = ["checked", "checked_class", "checked_port"]

T = TypeVar("T")
C = TypeVar("C", bound=type)
LISTS = (Sequence, Iterable, list)
WORTH = ("Literal", "Sequence", "Iterable", "Kind", "Sort", "RoomType", "Location", "Shape")
"""What is in annotations of arguments that are checked; others are not even looked up."""


def checked(function: Callable[..., T]) -> Callable[..., T]:
    """A function whose arguments are checked where their annotations name words, or a list of texts."""
    signature = inspect.signature(function)
    worth = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if any(word in str(parameter.annotation) for word in WORTH)
    }
    if not worth:
        return function

    @functools.cache
    def wanted() -> dict[str, tuple[Any, ...]]:
        # At the first call: names of annotations need not be there while a module is read.
        return {name: _kinds(annotation, inspect.unwrap(function)) for name, annotation in worth.items()}

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = signature.bind(*args, **kwargs).arguments
        for name, kinds in wanted().items():
            if name in given and kinds:
                _check(name, given[name], kinds)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            check(args, kwargs)
            return await function(*args, **kwargs)

        return awaited  # type: ignore[return-value]

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> T:
        check(args, kwargs)
        return function(*args, **kwargs)

    return called


def checked_class(cls: C) -> C:
    """A class whose public methods, and making, are `checked`."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__"):
            setattr(cls, name, checked(method))
    return cls


def _kinds(annotation: Any, function: Callable[..., Any]) -> tuple[Any, ...]:
    """The kinds of an annotation, one of which an argument has; none where it cannot be told."""
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, function.__globals__)
        except NameError:
            return ()
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _check(name: str, value: Any, kinds: tuple[Any, ...]) -> None:
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    lists = [kind for kind in kinds if get_origin(kind) in LISTS]
    others = tuple(kind for kind in kinds if isinstance(kind, type))
    if isinstance(value, others):
        return
    if words and not lists:
        if not any(value is word or (isinstance(value, str) and value == word) for word in words):
            raise InvalidInput(f"{name} is {_choice(words)}, not {value!r}")
    elif lists and not words:
        of = [word for kind in get_args(lists[0]) if get_origin(kind) is Literal for word in get_args(kind)]
        if isinstance(value, str | bytes):
            raise InvalidInput(f"{name} is given as a list: [{value!r}], not {value!r}")
        if of and not isinstance(value, str) and (odd := [one for one in value if one not in of]):
            raise InvalidInput(f"{name} are of {_choice(of)}, not {odd[0]!r}")


def _choice(words: Sequence[Any]) -> str:
    *most, last = [repr(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last


def checked_port(port: int) -> None:
    """A port to listen on.

    Raises:
        InvalidInput: it is none.
    """
    if not 0 <= port < 2**16:
        raise InvalidInput(f"port {port} is none: give one of 1 to 65535, or 0 for a free one")
