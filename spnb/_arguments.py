"""Arguments that are checked against their own annotations: what is of another kind, a word that is none of those there
are, or a text where a list of them is asked for, is refused in words, before anything is done."""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import numbers
import os
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from spnb.errors import InvalidInput, SpnbError

__all__ = ["checked", "checked_class", "checked_port", "one_argument"]

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
Kind = Any
"""What is left of an annotation: a class, or a generic type."""
LISTS = (Sequence, Iterable, list)
FOLDED = (Union, types.UnionType)
PLAIN: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("a text", lambda value: isinstance(value, str)),
    bytes: ("bytes", lambda value: isinstance(value, bytes | bytearray | memoryview)),
    bool: ("True or False", lambda value: isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")),
    int: ("a whole number", lambda value: isinstance(value, numbers.Integral) and not isinstance(value, bool)),
    float: ("a number", lambda value: _is_number(value)),
    None: ("None", lambda value: value is None),
    types.NoneType: ("None", lambda value: value is None),
}
"""Kinds that are known by more than their class: what they are called, and whether a value is of one."""


def checked(function: F, refusing: type[SpnbError] = InvalidInput, leaving: Collection[str] = ()) -> F:
    """A function whose arguments are checked against their annotations.

    An iterator stands for a list where one is asked for, and either face of an object for the other.

    Args:
        refusing: how it refuses.
        leaving: arguments that the function looks at by itself, and has better words for.
    """
    if not set(getattr(function, "__annotations__", ())) - {"return"}:
        return function
    signature = inspect.signature(function)

    @functools.cache
    def wanted() -> dict[str, tuple[Kind, ...]]:
        # At the first call: names of annotations need not be there while a module is read.
        found = {
            name: _kinds(parameter.annotation, inspect.unwrap(function))
            for name, parameter in signature.parameters.items()
            if parameter.annotation is not parameter.empty
            and parameter.kind is not parameter.VAR_KEYWORD
            and name not in leaving
        }
        return {name: kinds for name, kinds in found.items() if kinds}

    def used(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return args, kwargs  # Python itself says what is missing
        given, changed = bound.arguments, False
        try:
            for name, kinds in wanted().items():
                if name not in given:
                    continue
                if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                    for one in given[name]:
                        if isinstance(one, list | tuple) and list not in kinds:
                            raise InvalidInput(f"{name} are given one by one: {function.__name__}(*{name})")
                        _check(name, one, kinds)
                elif (value := _check(name, given[name], kinds)) is not given[name]:
                    given[name], changed = value, True
        except InvalidInput as error:
            raise refusing(str(error)) from None
        return (bound.args, bound.kwargs) if changed else (args, kwargs)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = used(args, kwargs)
            return await function(*args, **kwargs)

        return awaited  # type: ignore[return-value]

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = used(args, kwargs)
        return function(*args, **kwargs)

    return called  # type: ignore[return-value]


def checked_class(cls: C) -> C:
    """A class whose public methods, and making, are `checked`."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__"):
            setattr(cls, name, checked(method))
        elif isinstance(method, classmethod) and not name.startswith("_"):
            setattr(cls, name, classmethod(checked(method.__func__)))
    return cls


def _kinds(annotation: Any, function: Callable[..., Any]) -> tuple[Kind, ...]:
    """The kinds of an annotation, one of which an argument has; none where it may be anything, or cannot be told."""
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, {}, _Names(function))
        except (NameError, AttributeError, TypeError):
            return ()
    kinds = get_args(annotation) if _origin(annotation) in FOLDED else (annotation,)
    return () if any(_anything(kind) for kind in kinds) else kinds


def _anything(kind: Kind) -> bool:
    if _origin(kind) is not None:
        return False
    if kind is Any or kind is object or not (isinstance(kind, type) or kind is None or callable(kind)):
        return True
    return bool(getattr(kind, "_is_protocol", False))


class _Names(dict[str, Any]):
    """The names that a function's annotations use, with those that its module imports for them alone."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(getattr(function, "__globals__", {}))
        self._module = getattr(function, "__module__", "")

    def __missing__(self, name: str) -> Any:
        if (builtin := getattr(builtins, name, None)) is not None:
            return builtin
        for module, imported, called in _imported_for_types(self._module):
            # What is not loaded was made by nobody; yet what it stands for is not known.
            if called == name and module in sys.modules:
                return getattr(sys.modules[module], imported) if imported else sys.modules[module]
        raise NameError(name)


@functools.cache
def _imported_for_types(module: str) -> tuple[tuple[str, str, str], ...]:
    import ast

    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError, KeyError):
        return ()
    guarded = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    found = []
    for node in (inner for each in guarded for inner in each.body):
        if isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name, alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(alias.name, "", alias.asname or alias.name) for alias in node.names]
    return tuple(found)


def _check(name: str, value: Any, kinds: tuple[Kind, ...]) -> Any:
    """The value as it is used.

    Raises:
        InvalidInput: it is of none of these kinds.
    """
    if any(_is(value, kind) for kind in kinds if _origin(kind) not in LISTS):
        return value
    classes = [_origin(kind) or kind for kind in kinds]
    for face in ("asynchronous", "sync"):
        twin = getattr(value, face, None)
        if twin is not None and any(isinstance(each, type) and isinstance(twin, each) for each in classes):
            return twin
    lists = [kind for kind in kinds if _origin(kind) in LISTS]
    words = [word for kind in kinds if _origin(kind) is Literal for word in get_args(kind)]
    if lists:
        if isinstance(value, str | bytes):
            raise InvalidInput(f"{name} is given as a list: [{value!r}], not {value!r}")
        if isinstance(value, Iterable):
            return _listed(name, value, lists[0])
    elif words and (isinstance(value, str) or len(kinds) == 1):
        raise InvalidInput(f"{name} is {_choice(words)}, not {value!r}")
    if value is None:
        raise InvalidInput(f"{name} is required: {_choice_of(kinds)}")
    shown = "nan" if isinstance(value, numbers.Real) and math.isnan(value) else _called(type(value))
    raise InvalidInput(f"{name} is {_choice_of(kinds)}, not {shown}{_hint(name, value, kinds)}")


def _is(value: Any, kind: Kind) -> bool:
    if kind in PLAIN:
        return PLAIN[kind][1](value)
    origin = _origin(kind)
    if origin is Literal:
        return any(value is word or (isinstance(value, str) and value == word) for word in get_args(kind))
    if origin is Callable:
        return callable(value)
    if origin in (dict, Mapping):
        return isinstance(value, Mapping)
    kind = origin or kind
    return not isinstance(kind, type) or bool(getattr(kind, "_is_protocol", False)) or isinstance(value, kind)


def _origin(kind: Kind) -> Any:
    """What a generic kind is one of, e.g. `list` of `list[str]`; None of a plain one."""
    return get_origin(kind)


def _listed(name: str, value: Iterable[Any], kind: Kind) -> Any:
    if _origin(kind) is not Iterable and not isinstance(value, Sequence):
        value = list(value)
    (of,) = get_args(kind) or (Any,)
    kinds = get_args(of) if _origin(of) in FOLDED else (of,)
    if not isinstance(value, Sequence) or any(_anything(each) or isinstance(each, TypeVar) for each in kinds):
        return value
    odd = [one for one in value if not any(_is(one, each) for each in kinds)]
    if odd:
        words = [word for each in kinds if _origin(each) is Literal for word in get_args(each)]
        wanted = _choice(words) if words else _choice_of(kinds)
        shown = repr(odd[0]) if isinstance(odd[0], str) else _called(type(odd[0]))
        raise InvalidInput(f"{name} are of {wanted}, not {shown}{_hint(name.removesuffix('s'), odd[0], kinds)}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and not math.isnan(value)


def _called(kind: Kind) -> str:
    """What a kind is called: `a text`, `an int`, `a Room`."""
    if kind in PLAIN:
        return PLAIN[kind][0]
    origin = _origin(kind)
    if origin is Literal:
        return _choice(list(get_args(kind)))
    if origin is Callable:
        return "a function"
    if origin in LISTS:
        return "a list"
    if (origin or kind) in (dict, Mapping):
        return "a dictionary"
    if (origin or kind) is os.PathLike or getattr(kind, "__name__", "") == "Path":
        return "a path"
    name = str(getattr(origin or kind, "__name__", kind)).removeprefix("Async")
    return f"an {name}" if name[0] in "AEIOaeio" else f"a {name}"


def _choice_of(kinds: Sequence[Kind]) -> str:
    names = dict.fromkeys(_called(kind) for kind in kinds)
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _hint(name: str, value: Any, kinds: Sequence[Kind]) -> str:
    """What was probably meant."""
    if float in kinds and hasattr(value, "total_seconds"):
        return ": give its total_seconds()"
    if str in kinds and isinstance(getattr(value, name, None), str):
        return f": give its {name}"
    if str in kinds and hasattr(value, "value") and isinstance(value.value, str):
        return f": give its value, {value.value!r}"
    return ""


def _choice(words: Sequence[Any]) -> str:
    *most, last = [repr(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last


def one_argument(function: Any, what: str) -> None:
    """Check that a function can be called with one argument.

    Raises:
        InvalidInput: it is none, or takes others.
    """
    if not callable(function):
        raise InvalidInput(f"{what} is a function, not {_called(type(function))}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C, and does not tell
    try:
        signature.bind(None)
    except TypeError:
        called = getattr(function, "__name__", function)
        raise InvalidInput(f"{what} is called with one argument: {called} takes others") from None


def checked_port(port: int) -> None:
    """A port to listen on.

    Raises:
        InvalidInput: it is none.
    """
    if not 0 <= port < 2**16:
        raise InvalidInput(f"port {port} is none: give one of 1 to 65535, or 0 for a free one")
