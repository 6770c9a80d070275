"""What goes wrong with a job or a request, as exceptions."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Dict, Mapping, Optional


class TroupeError(Exception):
    """Something that Troupe says, not the user's function."""


class Refused(TroupeError):
    """The scheduler refused a request: no such pool, no such job, a payload that is too large."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class StreamRestarted(TroupeError):
    """The generator of a stream runs again, as its worker was lost: what it yields comes again from the beginning."""


class JobError(TroupeError):
    """A job did not succeed, and its function's exception cannot be raised here as it was there.

    ``cause`` is the job's cause as the API tells it: kind (USER, OOM, TIMEOUT, ...), message, lastOutput and more.
    """

    def __init__(self, message: str, job: str = "", code: str = "", cause: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.job = job
        self.code = code
        self.cause = cause or {}

    @property
    def kind(self) -> str:
        """Whose doing it was; empty when nobody can say."""
        return str(self.cause.get("kind", ""))


class RemoteTraceback(Exception):
    """Where in the worker it was raised; stands as ``__cause__`` of the exception."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


def failure(error: Mapping[str, Any], job: str) -> BaseException:
    """The exception that an error of a job stands for: that of its function, if its type is to be had here."""
    cause = error.get("cause") or {}
    raised = cause.get("error")
    found = _rebuilt(raised) if isinstance(raised, dict) else None
    if found is None:
        found = JobError(str(error.get("message", "")), job, str(error.get("code", "")), cause)
    lines = cause.get("lastOutput")
    if lines:
        found.__cause__ = RemoteTraceback('\n"""\nin job %s:\n%s\n"""' % (job, "\n".join(lines)))
    return found


def _rebuilt(raised: Mapping[str, Any]) -> Optional[BaseException]:
    found: Any = None
    try:
        module = str(raised.get("module", "builtins"))
        found = sys.modules.get(module) or importlib.import_module(module)
        for name in str(raised["type"]).split("."):
            found = getattr(found, name)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            return None
        arguments = raised.get("args")
        made = found(*arguments) if isinstance(arguments, list) else found(str(raised.get("message", "")))
        return made if isinstance(made, BaseException) else None
    except Exception:  # whatever the type does when it is made here
        return None
