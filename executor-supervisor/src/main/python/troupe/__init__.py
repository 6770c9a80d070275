"""What the Python side of Troupe consists of; standard library only.

``python3 -m troupe.worker MODULE`` serves the public functions of a module to the executor that
started it. A function of it may say ``troupe.progress(0.4, "reading")`` and ``troupe.heartbeat()``.
"""

from troupe.report import heartbeat, progress

__all__ = ["heartbeat", "progress"]
