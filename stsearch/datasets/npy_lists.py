"""``{query: [file name, ...]}`` out of a pickled numpy array, as FDP publishes its phrases.

Unpickling a file may run any code in it. So its instructions are parsed (``pickletools``) and interpreted as
far as they build text, numbers, lists and dictionaries: nothing is imported or called.
"""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}

Stack = list[Any]  # Any: whatever they build


def read_pickled_lists(path: Path) -> dict[str, list[str]]:
    """Read an array of no dimensions that holds one dictionary of lists of text, saved by ``numpy.save``.

    Raises:
        ValueError: The file holds something else.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        major, _ = np.lib.format.read_magic(file)
        read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        if major not in read_header:
            raise ValueError(f"it is of version {major} of the format")
        _, _, kind = read_header[major](file)
        if not kind.hasobject:
            raise ValueError(f"it holds {kind}, not lists of photographs")
        state = _follow(file)
    # The state of an array: version, shape, type, order, elements
    lists = state[4][0] if isinstance(state, tuple) and len(state) == 5 and state[4] else None
    if not isinstance(lists, dict) or not all(map(_is_text_list, lists.values())):
        raise ValueError("it holds no lists of photographs")
    return lists


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _follow(file: BinaryIO) -> Any:  # Any: whatever they build
    """Return the value that the instructions in ``file`` build; of an object, its state.

    Raises:
        ValueError: They build more than text, numbers, lists and dictionaries, or make no sense.
    """
    stack: Stack = []
    memo: dict[object, Any] = {}
    try:
        for code, argument, _ in pickletools.genops(file):
            match code.name:
                case "PROTO" | "FRAME":
                    pass
                case "STOP":
                    return stack.pop()
                case "MEMOIZE" | "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[len(memo) if argument is None else argument] = stack[-1]
                case "GET" | "BINGET" | "LONG_BINGET":
                    stack.append(memo[argument])
                case name if name in _CONSTANTS:
                    stack.append(_CONSTANTS[name])
                case _ if isinstance(argument, str | bytes | int | float):
                    stack.append(argument)
                case _:
                    _build(code.name, stack)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"its instructions make no sense ({error})") from error
    raise ValueError("it ends too early")


def _build(instruction: str, stack: Stack) -> None:
    """Apply an instruction to the stack, without the imports and calls it asks for."""
    match instruction:
        case "MARK":
            stack.append(_MARK)
        case "EMPTY_LIST":
            stack.append([])
        case "EMPTY_DICT":
            stack.append({})
        case "EMPTY_TUPLE" | "TUPLE1" | "TUPLE2" | "TUPLE3":
            stack.append(tuple(_take(stack, "E123".index(instruction[-1]))))
        case "TUPLE":
            stack.append(tuple(_take_marked(stack)))
        case "APPEND" | "APPENDS":
            items = _take(stack, 1) if instruction == "APPEND" else _take_marked(stack)
            stack[-1].extend(items)
        case "SETITEM" | "SETITEMS":
            items = _take(stack, 2) if instruction == "SETITEM" else _take_marked(stack)
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        case "STACK_GLOBAL" | "REDUCE":  # a module and a name; a function and its arguments
            _take(stack, 2)
            stack.append(None)
        case "BUILD":  # an object and its state
            stack.append(_take(stack, 2)[1])
        case _:
            raise ValueError(f"it holds the instruction {instruction}, which lists do not need")


def _take(stack: Stack, count: int) -> Stack:
    taken = [stack.pop() for _ in range(count)]
    return taken[::-1]


def _take_marked(stack: Stack) -> Stack:
    """Pop the items after the last mark, and the mark."""
    taken = []
    while (top := stack.pop()) is not _MARK:
        taken.append(top)
    return taken[::-1]
