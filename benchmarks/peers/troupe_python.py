"""Troupe through its Python client: map for a batch, submit for one job."""

import os
import sys

import cluster
from peers import troupe as over_http

#: In a clone, and in an unpacked distribution.
for folder in ("executor-supervisor/src/main/python", "python"):
    sys.path.append(os.path.join(cluster.ROOT, folder))


class Peer(over_http.Peer):
    def __init__(self, variant):
        super().__init__(variant)
        self.settings = self.settings.replace("POST …/map", "troupe.Client: map, submit")

    def start(self, workers):
        super().start(workers)
        from troupe import Client

        self._client = Client(self._cluster.url)

    def run(self, function, arguments):
        return list(self._client.map(over_http.POOL, function, arguments))

    def call(self, function, argument):
        return self._client.submit(over_http.POOL, function, argument).result(timeout=100)

    def stop(self):
        if hasattr(self, "_client"):
            self._client.close()
        super().stop()
