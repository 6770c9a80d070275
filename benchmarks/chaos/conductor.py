"""The chaos run: clients submit jobs with keys while scheduler, supervisors, Python processes, agents and the database get
SIGKILL at random. In the end every accepted job has exactly one outcome, of an attempt that nothing had overtaken; every
accepted job is found; and no key has made two jobs. A ledger in a process of its own counts."""

import collections
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time

import cluster
import installation
import lean
import services
from chaos import client, verdict, victims

HERE = os.path.dirname(os.path.abspath(__file__))
POOL = "chaos"
AGENTS = 2
WORKERS = 2
CLIENTS = 2
ATTEMPTS = 50
PAUSE = (0.3, 4.0)
PROGRESS_SECONDS = 15
SETTLE_SECONDS = 240
SHOWN = 20


def add_options(parser):
    kinds = list(victims.WORDS)
    parser.add_argument("--minutes", type=float, default=5, help="how long things are killed (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, help="says what is killed and when, and what is submitted (default: a new one)"
    )
    parser.add_argument(
        "--store",
        choices=("h2", "postgres", "none"),
        default="h2",
        help="where jobs are kept; none is durability = memory (default: %(default)s)",
    )
    parser.add_argument(
        "--spare",
        action="append",
        choices=kinds,
        default=[],
        metavar="WHAT",
        help=f"what is not killed, of {', '.join(kinds)}; may be given more than once",
    )
    parser.add_argument(
        "--dir", default=".troupe/chaos", help="where state, logs and the ledger are (default: %(default)s)"
    )


class Conductor:
    def __init__(self, options):
        self._options = options
        self._seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
        self._chance = random.Random(self._seed)
        self._work = os.path.abspath(options.dir)
        self._socket = os.path.join(self._work, "ledger.sock")
        self._file = os.path.join(self._work, "ledger.txt")
        self._killed = collections.Counter()

    def run(self):
        """0 when every promise was kept."""
        shutil.rmtree(self._work, ignore_errors=True)
        os.makedirs(self._work)
        if len(self._socket) > 100:
            raise SystemExit("benchmark: the path of --dir is too long for a socket: choose a shorter one")
        if self._options.store != "postgres":
            return self._with_database(None)
        why = installation.lacks_server("postgres")
        if why:
            raise SystemExit(f"benchmark: {why}")
        with services.Postgres(self._work) as database:
            return self._with_database(database)

    def _with_database(self, database):
        here = cluster.Cluster(os.path.join(self._work, "troupe"), WORKERS, self._settings(database))
        book = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "ledger.py"), self._socket, self._file],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        clients = []
        try:
            book.stdout.readline()
            say(f"seed {self._seed}: starting {AGENTS} agents with {WORKERS} workers each")
            here.up(agents=AGENTS)
            self._apply(here)
            clients = [self._client(here, f"{self._seed}-{number}") for number in range(CLIENTS)]
            hunted = victims.Victims(here, database, self._chance)
            self._hunt(hunted)
            say("all that was killed comes back; no more jobs are submitted")
            for process in clients:
                process.terminate()
            hunted.repaired()
            self._await_outcomes()
            looked = self._look_again(here)
        finally:
            for process in clients:
                process.kill()
                process.wait()
            here.down()
            book.terminate()
            book.wait()
        return self._judge(hunted.troubles + looked)

    def _settings(self, database):
        """As delivered, but nothing is forgotten before it was looked at again."""
        path = os.path.join(self._work, "scheduler.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("troupe.jobs { remember = 2000000, remember-bytes = 200 MiB, remember-for = 48 hours }\n")
            if database:
                file.write(f"troupe.store.url = {json.dumps(database.environment()['BENCHMARK_POSTGRES_URL'])}\n")
        return path

    def _apply(self, here):
        with open(os.path.join(HERE, "work.py"), "rb") as file:
            content = file.read()
        digest = hashlib.sha256(content).hexdigest()
        pool = {
            "name": POOL,
            "command": "python3 -m troupe.worker work",
            "files": [{"name": "work.py", "sha256": digest}],
            "resources": {"cpus": cluster.WORKER_CPUS, "mem": f"{cluster.WORKER_MEM} MiB"},
            "size": "per-agent",
            "job": {
                "timeout": "60s",
                "attempts": ATTEMPTS,
                "durability": "memory" if self._options.store == "none" else "store",
            },
        }
        with lean.Line(here.address) as line:
            for method, path, body in (
                ("PUT", f"/v1/files/{digest}", content),
                ("POST", "/v1/pools", json.dumps(pool).encode()),
            ):
                status, answer = line.ask(method, path, body)
                if status >= 300:
                    raise lean.Refused(status, answer)

    def _client(self, here, name):
        order = {
            "name": name,
            "seed": self._seed,
            "port": here.address[1],
            "pool": POOL,
            "attempts": ATTEMPTS,
            "ledger": self._socket,
        }
        with open(os.path.join(self._work, "clients.log"), "ab") as log:
            return subprocess.Popen(
                [sys.executable, "-B", os.path.join(HERE, "client.py"), json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _hunt(self, hunted):
        kinds = [kind for kind in victims.WEIGHTS if kind not in self._options.spare]
        weights = [victims.WEIGHTS[kind] for kind in kinds]
        began = told = time.monotonic()
        end = began + self._options.minutes * 60
        while (now := time.monotonic()) < end:
            if now - told > PROGRESS_SECONDS:
                told = now
                accepted, states, again = verdict.summary(self._lines())
                say(
                    f"{now - began:4.0f} s: {accepted:,} jobs accepted, {states['OPEN']:,} open, {again:,} run again; killed: {self._kills()}"
                )
            time.sleep(max(0, min(self._chance.uniform(*PAUSE), end - now)))
            (kind,) = self._chance.choices(kinds, weights)
            try:
                if hunted.kill(kind):
                    self._killed[kind] += 1
            except SystemExit:
                pass  # a command of the cluster met another kill
        if not kinds:
            time.sleep(max(0, end - time.monotonic()))

    def _kills(self):
        return (
            ", ".join(f"{count} × {victims.WORDS[kind]}" for kind, count in self._killed.most_common()) or "nothing yet"
        )

    def _lines(self):
        """What the ledger has written, without a last line that is still being written."""
        if not os.path.exists(self._file):
            return []
        with open(self._file, encoding="utf-8") as file:
            return [line for line in file if line.endswith("\n")]

    def _await_outcomes(self):
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            accepted, states, _ = verdict.summary(self._lines())
            if not states["OPEN"]:
                return
            say(f"{states['OPEN']:,} of {accepted:,} jobs are open")
            time.sleep(3)

    def _look_again(self, here):
        """Every accepted job once more, and its key, with eyes of its own; what is wrong with them."""
        found, _ = verdict.stories(self._lines())
        wrong = []
        with lean.Line(here.address) as line:
            for key, story in found.items():
                if not story.ids or not story.outcomes:
                    continue
                state, run = client.outcome(line.ask("GET", f"/v1/jobs/{story.ids[0]}/result")) or ("OPEN", "-")
                if (state, run) != story.outcomes[0]:
                    wrong.append(f"{key}: its outcome was {' '.join(story.outcomes[0])}, and in the end {state} {run}")
                path = f"/v1/pools/{POOL}/jobs?function={story.function}&id={key}&attempts={story.attempts}"
                status, body = line.ask(
                    "POST", path, json.dumps({"key": key, "ms": 0, "ledger": self._socket}).encode()
                )
                ident = json.loads(body).get("id")
                if status not in (200, 202) or ident != story.ids[0]:
                    wrong.append(f"{key}: posted again it gives {status} and job {ident}, not {story.ids[0]}")
            pool = line.get(f"/v1/pools/{POOL}")
            if pool["queued"] or pool["active"]:
                wrong.append(f"in the end {pool['queued']} jobs are queued and {pool['active']} run")
        return wrong

    def _judge(self, wrong):
        lines = self._lines()
        wrong += verdict.violations(lines)
        accepted, states, again = verdict.summary(lines)
        words = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
        print(
            f"seed {self._seed}, {self._options.minutes:g} minutes, store {self._options.store}: {accepted:,} jobs accepted: {words}; "
            f"{again:,} run again; killed: {self._kills()}"
        )
        for line in wrong[:SHOWN]:
            print(f"violated: {line}")
        if len(wrong) > SHOWN:
            print(f"violated: and {len(wrong) - SHOWN:,} more (ledger: {self._file})")
        if not accepted:
            print("violated: no job was accepted, so nothing was shown")
        elif not wrong:
            print("every accepted job has one outcome, of its last attempt; all are found; no key made two jobs")
        return 1 if wrong or not accepted else 0


def say(line):
    print(f"chaos: {line}", file=sys.stderr, flush=True)


def run(options):
    if options.minutes <= 0:
        raise SystemExit("benchmark: --minutes must be more than 0")
    return Conductor(options).run()
