"""Measures a local cluster of its own and prints the figures of one run. Called by bin/benchmark."""

import argparse
import http.client
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TROUPE = os.path.join(ROOT, "bin", "troupe")
DEADLINE = 120


def free_ports(count):
    """Ports that nothing listens on, below those that the system gives to clients."""
    found = []
    for port in range(19500, 32000, 7):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit("benchmark: no free ports")


class Cluster:
    """A local cluster with one agent to come, in a folder of its own."""

    def __init__(self, folder, workers):
        mesos, agent, api, management, artery = free_ports(5)
        self.folder = folder
        self.workers = workers
        self.url = f"http://127.0.0.1:{api}"
        self.ports = [
            *("--mesos-port", str(mesos), "--agent-port", str(agent), "--api-port", str(api)),
            *("--management-port", str(management), "--artery-port", str(artery)),
        ]

    def troupe(self, *arguments):
        done = subprocess.run(
            [TROUPE, *arguments], stdout=subprocess.PIPE, env={**os.environ, "TROUPE_URL": self.url}, check=False
        )
        if done.returncode:
            raise SystemExit(f"benchmark: 'bin/troupe {' '.join(arguments)}' failed")
        return done.stdout.decode()

    def local(self, *arguments):
        return self.troupe("local", *arguments, "--dir", self.folder)

    def __enter__(self):
        self.local("up", "--agents", "0", *self.ports)
        return self

    def __exit__(self, *_):
        self.local("down")

    def add_agent(self):
        cpus = self.workers * 0.5 + 0.1
        return json.loads(
            self.local("add-agent", "--cpus", f"{cpus:.1f}", "--mem", str(self.workers * 64 + 256), "--json")
        )

    def connection(self):
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def run_job(self, connection):
        """One job, waited for."""
        connection.request(
            "POST", "/v1/pools/noop/jobs?function=noop&wait=100s", b"1", {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        body = response.read()
        if response.status != 200 or body != b"1":
            raise SystemExit(f"benchmark: a job was answered with {response.status}: {body[:200]!r}")

    def map_jobs(self, count):
        """So many jobs in one map, sent and received at the same time; seconds."""
        address = urllib.parse.urlsplit(self.url)
        body = b"1\n" * count
        head = (
            f"POST /v1/pools/noop/map?function=noop HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        start = time.perf_counter()
        with socket.create_connection((address.hostname, address.port), timeout=DEADLINE) as connection:
            sender = threading.Thread(target=connection.sendall, args=(head.encode() + body,), daemon=True)
            sender.start()
            results = 0
            rest = b""
            while data := connection.recv(1 << 18):
                # A result may be cut in two by the end of a read.
                results += (rest + data).count(b'"result":1}') - rest.count(b'"result":1}')
                rest = (rest + data)[-10:]
            sender.join()
        seconds = time.perf_counter() - start
        if results != count:
            raise SystemExit(f"benchmark: {count} jobs were sent and {results} results came")
        return seconds

    def status(self):
        return json.loads(self.local("status", "--json"))

    def tree_workers(self):
        return json.loads(self.troupe("workers", "--json"))["workers"]


def memory(pid):
    """Resident and proportional memory of a process in MiB."""
    figures = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                figures[name.lower()] = round(int(rest.split()[0]) / 1024, 1)
    return figures


def parent(pid):
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def executor_of(pid):
    """The JVM that looks after a worker's process."""
    while pid > 1:
        pid = parent(pid)
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"io.troupe.executor.Main" in file.read():
                return pid
    raise SystemExit("benchmark: no executor above a worker")


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def measure(folder, jobs, calls):
    figures = {}
    workers = max(2, os.cpu_count() or 1)
    with Cluster(folder, workers) as cluster:
        cluster.troupe("pool", "apply", os.path.join(HERE, "noop.conf"))
        first = {}
        waiting = cluster.connection()

        def wait():
            cluster.run_job(waiting)
            first["done"] = time.perf_counter()

        waiter = threading.Thread(target=wait)
        waiter.start()
        cluster.add_agent()
        registered = time.perf_counter()
        waiter.join(DEADLINE)
        if "done" not in first:
            raise SystemExit("benchmark: the first job was not done in time: see 'bin/troupe explain noop'")
        figures["agent_to_first_job_seconds"] = round(first["done"] - registered, 2)

        deadline = time.monotonic() + DEADLINE
        while sum(worker["state"] in ("READY", "BUSY") for worker in cluster.tree_workers()) < workers:
            if time.monotonic() > deadline:
                raise SystemExit("benchmark: not all workers became ready in time")
            time.sleep(0.2)
        figures["workers"] = workers

        cluster.map_jobs(jobs)
        rates = sorted(jobs / cluster.map_jobs(jobs) for _ in range(3))
        figures["map_jobs"] = jobs
        figures["map_jobs_per_second"] = round(rates[1])
        figures["map_jobs_per_second_range"] = [round(rates[0]), round(rates[2])]

        connection = cluster.connection()
        for _ in range(calls // 4):
            cluster.run_job(connection)
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            cluster.run_job(connection)
            times.append((time.perf_counter() - start) * 1000)
        figures["latency_calls"] = calls
        figures["latency_p50_ms"] = round(percentile(times, 50), 3)
        figures["latency_p99_ms"] = round(percentile(times, 99), 3)

        pids = [worker["process"]["pid"] for worker in cluster.tree_workers()]
        figures["scheduler_mib"] = memory(cluster.status()["scheduler"]["pid"])
        figures["executor_mib"] = memory(executor_of(pids[0]))
        figures["python_mib"] = memory(pids[0])
    return figures


def main():
    parser = argparse.ArgumentParser(prog="bin/benchmark", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")
    parser.add_argument("--dir", default=".troupe/benchmark", help="where the cluster keeps its state")
    parser.add_argument("--jobs", type=int, default=50_000, help="jobs of one map (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=2_000, help="jobs sent one at a time (default: %(default)s)")
    options = parser.parse_args()
    figures = measure(options.dir, options.jobs, options.calls)
    figures["machine"] = f"{os.cpu_count()} processors, Python {platform.python_version()}"
    low, high = figures["map_jobs_per_second_range"]

    def mib(name):
        return f"{figures[name]['rss']:,.0f} MiB resident, {figures[name]['pss']:,.0f} MiB proportional"

    print(f"Troupe on this machine ({figures['machine']}), {figures['workers']} workers on one agent, everything local:")
    print(f"  jobs that do nothing, in one map        {figures['map_jobs_per_second']:,} jobs/s ({low:,} to {high:,})")
    print(f"  one job at a time over one connection   {figures['latency_p50_ms']:.2f} ms median, {figures['latency_p99_ms']:.2f} ms p99")
    print(f"  an agent registers, first job is done   {figures['agent_to_first_job_seconds']:.1f} s")
    print(f"  memory of the scheduler                 {mib('scheduler_mib')}")
    print(f"  memory of the executor                  {mib('executor_mib')}")
    print(f"  memory of a Python worker               {mib('python_mib')}")
    if options.json:
        print(json.dumps(figures, separators=(",", ":")))


if __name__ == "__main__":
    sys.exit(main())
