"""Troupe through its Java client: a map for a batch."""

import os
import shutil
import subprocess

import cluster
from peers import troupe as over_http

HERE = os.path.dirname(os.path.abspath(__file__))


class Peer(over_http.Peer):
    def __init__(self, variant):
        super().__init__(variant)
        self.settings = self.settings.replace("POST …/map", "the Java client: map")
        self._client = None

    def start(self, workers):
        super().start(workers)
        lib = next(
            folder
            for folder in (os.path.join(cluster.ROOT, part, "lib") for part in ("distribution/target/troupe", "."))
            if os.path.isdir(folder)
        )
        java = os.path.join(os.environ["JAVA_HOME"], "bin/java") if "JAVA_HOME" in os.environ else shutil.which("java")
        with open(os.path.join(self.work, "java-client.log"), "ab") as log:
            self._client = subprocess.Popen(
                [java, "-Xmx256m", "-XX:+UseSerialGC", "-cp", lib + "/*", os.path.join(HERE, "JavaClient.java")]
                + [self._cluster.url, over_http.POOL],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._expect("ready")

    def _expect(self, word):
        said = self._client.stdout.readline().strip()
        if said != word:
            raise RuntimeError(f"the Java client: {said or 'it ended; see java-client.log'}")

    def run(self, function, arguments):
        """The client has arguments like these of its own, and compares what comes back with them."""
        if function not in ("noop", "echo"):
            return super().run(function, arguments)
        self._client.stdin.write(f"{function} {len(arguments)}\n")
        self._client.stdin.flush()
        self._expect("done")
        return arguments if function == "noop" else [text[1:] + text[0] for text in arguments]

    def pids(self):
        return [pid for pid in super().pids() if not self._client or pid != self._client.pid]

    def stop(self):
        if self._client:
            self._client.stdin.close()
            try:
                self._client.wait(20)
            except subprocess.TimeoutExpired:
                self._client.kill()
                self._client.wait()
        super().stop()
