"""Runs calls that come by value: the module of a pool for Python functions of any kind.

    command = "python3 -m troupe.worker troupe.calls"

``troupe.PoolExecutor`` sends such a pool what it is given: a function and its arguments, pickled, by cloudpickle
where it is installed. A pool like this runs whatever it is sent, as whoever may submit jobs wants it.
"""

from __future__ import annotations

import binascii
import functools
import pickle
from typing import Any, Callable, Union

__all__ = ["call"]


def call(payload: Union[bytes, str]) -> bytes:
    """Calls the function with the arguments in the payload, bytes or their base64; its result, pickled."""
    data = binascii.a2b_base64(payload) if isinstance(payload, str) else payload
    function, arguments, named = pickle.loads(data)
    return pickle.dumps(_function(function)(*arguments, **named), pickle.HIGHEST_PROTOCOL)


@functools.lru_cache(maxsize=64)
def _function(pickled: bytes) -> Callable[..., Any]:
    """A function is made once, though it is called many times."""
    made: Callable[..., Any] = pickle.loads(pickled)
    return made
