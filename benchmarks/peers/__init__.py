"""What is compared: one module for each system, all with the methods of peers.base.Peer."""

import importlib

#: Name of a peer: its module, its variant.
MODULES = {
    "troupe": ("troupe", "memory"),
    "troupe-store": ("troupe", "store"),
    "troupe-postgres": ("troupe", "postgres"),
    "troupe-python": ("troupe_python", "memory"),
    "troupe-java": ("troupe_java", "memory"),
    "executor": ("executor", ""),
    "ray": ("ray", ""),
    "ray-actors": ("ray", "actors"),
    "dask": ("dask", ""),
    "celery-redis": ("celery", "redis"),
    "celery-rabbit": ("celery", "rabbit"),
}

#: What a peer needs besides: Python packages (a file in requirements/), services (services.py).
PACKAGES = {"ray": "ray", "ray-actors": "ray", "dask": "dask", "celery-redis": "celery", "celery-rabbit": "celery"}
SERVICES = {"troupe-postgres": ("postgres",), "celery-redis": ("redis",), "celery-rabbit": ("redis", "rabbit")}


def load(name):
    module, variant = MODULES[name]
    return importlib.import_module("peers." + module).Peer(variant)
