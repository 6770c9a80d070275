"""The Python side of Troupe; standard library only.

Giving jobs to pools: ``Client`` and ``PoolExecutor``. Being a worker: ``python3 -m troupe.worker MODULE`` serves the
public functions of a module to the executor that started it. A function of it may say
``troupe.progress(0.4, "reading")`` and ``troupe.heartbeat()``, and gets ``troupe.Cancelled`` when it is no longer wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from troupe.report import heartbeat, progress

if TYPE_CHECKING:
    from troupe.client import Client as Client
    from troupe.client import JobFuture as JobFuture
    from troupe.client import JobStream as JobStream
    from troupe.errors import JobError as JobError
    from troupe.errors import Refused as Refused
    from troupe.errors import StreamRestarted as StreamRestarted
    from troupe.errors import TroupeError as TroupeError
    from troupe.pool import PoolExecutor as PoolExecutor

__all__ = [
    "Cancelled",
    "Client",
    "JobError",
    "JobFuture",
    "JobStream",
    "PoolExecutor",
    "Refused",
    "StreamRestarted",
    "TroupeError",
    "heartbeat",
    "progress",
]

_HOMES = {
    "Client": "client",
    "JobError": "errors",
    "JobFuture": "client",
    "JobStream": "client",
    "PoolExecutor": "pool",
    "Refused": "errors",
    "StreamRestarted": "errors",
    "TroupeError": "errors",
}


class Cancelled(BaseException):
    """Raised in a job's function when the job is no longer wanted, or out of time. Clean up, and let it pass."""


def __getattr__(name: str) -> Any:
    """Imported when first used: a worker needs none of it and shall start quickly."""
    if name not in _HOMES:
        raise AttributeError("module 'troupe' has no attribute %r" % name)
    import importlib

    found = getattr(importlib.import_module("troupe." + _HOMES[name]), name)
    globals()[name] = found
    return found
