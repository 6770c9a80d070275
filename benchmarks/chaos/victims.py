"""What can be killed in a local cluster, each with how it comes back."""

import collections
import threading
import time

import processes

WORDS = {
    "python": "a Python process",
    "supervisor": "a supervisor",
    "scheduler": "the scheduler",
    "agent": "an agent",
    "database": "the database",
}
#: How often each is taken, in parts of the whole.
WEIGHTS = {"python": 8, "supervisor": 5, "scheduler": 4, "agent": 2, "database": 2}
SCHEDULER = b"io.troupe.scheduler.Main"
SUPERVISOR = b"io.troupe.executor.Main"
PYTHON = b"troupe.worker"
UP_AGAIN_SECONDS = 120


class Victims:
    """Kills by name. What does not come back by itself is brought back beside, while others are killed."""

    def __init__(self, cluster, database, chance):
        self._cluster = cluster
        self._database = database
        self._chance = chance
        self._repairs = {}
        self._missing = collections.Counter()
        self._change = threading.Lock()
        self.troubles = []

    def kill(self, kind):
        """Whether there was one to kill."""
        return getattr(self, "_kill_" + kind)()

    def _one(self, mark):
        found = [pid for pid in self._cluster.processes() if mark in processes.command(pid)]
        if not found:
            return None
        pid = self._chance.choice(sorted(found))
        processes.kill(pid)
        return pid

    def _kill_python(self):
        return self._one(PYTHON) is not None

    def _kill_supervisor(self):
        return self._one(SUPERVISOR) is not None

    def _kill_scheduler(self):
        if self._one(SCHEDULER) is None:
            return False
        self._beside("scheduler", self._chance.uniform(0, 4), self._up)
        return True

    def _kill_agent(self):
        if "agent" in self._repairs and self._repairs["agent"].is_alive():
            return False
        agents = [agent["id"] for agent in self._cluster.status()["agents"] if agent["state"].lower() == "active"]
        if not agents:
            return False
        self._cluster.local("kill-agent", self._chance.choice(sorted(agents)))
        self._beside("agent", self._chance.uniform(0, 4), self._cluster.add_agent)
        return True

    def _kill_database(self):
        if self._database is None or ("database" in self._repairs and self._repairs["database"].is_alive()):
            return False
        self._database.kill()
        self._beside("database", self._chance.uniform(0, 5), self._database.run)
        return True

    def _up(self):
        """The scheduler may be killed again while it starts, or find no database: then once more."""
        end = time.monotonic() + UP_AGAIN_SECONDS
        while True:
            try:
                return self._cluster.up()
            except SystemExit as failed:
                if time.monotonic() > end:
                    raise failed
                time.sleep(0.5)

    def _beside(self, kind, pause, repair):
        """What is killed while it is being brought back is brought back once more after that."""
        with self._change:
            self._missing[kind] += 1
            if self._missing[kind] > 1:
                return
            self._repairs[kind] = threading.Thread(target=self._repair, args=(kind, pause, repair), daemon=True)
            self._repairs[kind].start()

    def _repair(self, kind, pause, repair):
        while True:
            missing = self._missing[kind]
            time.sleep(pause)
            try:
                repair()
            except (Exception, SystemExit) as error:  # told in the end
                self.troubles.append(f"{WORDS[kind]} did not come back: {error}")
            with self._change:
                self._missing[kind] -= missing
                if not self._missing[kind]:
                    return

    def repaired(self):
        """Waits until all has been brought back."""
        for thread in list(self._repairs.values()):
            thread.join(UP_AGAIN_SECONDS + 90)
        if not any(SCHEDULER in processes.command(pid) for pid in self._cluster.processes()):
            self._up()
