"""What the Python side of Troupe consists of; standard library only.

``python3 -m troupe.worker MODULE`` serves the public functions of a module to the executor that
started it.
"""
