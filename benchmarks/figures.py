"""Troupe's own figures: speed, latency, start and memory of a local cluster of its own, in one run."""

import json
import os
import platform
import threading
import time

import cluster as local
import lean
import processes

HERE = local.HERE
DEADLINE = local.DEADLINE


def run_job(line):
    """One job, waited for."""
    status, body = line.ask("POST", "/v1/pools/noop/jobs?function=noop&wait=100s", b"1")
    if status != 200 or body != b"1":
        raise SystemExit(f"benchmark: a job was answered with {status}: {body[:200]!r}")


def map_jobs(cluster, count):
    """So many jobs in one map; seconds."""
    return cluster.map("noop", "noop", [1] * count)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def measure(folder, jobs, calls):
    figures = {}
    workers = max(2, os.cpu_count() or 1)
    with local.Cluster(folder, workers) as cluster:
        cluster.troupe("pool", "apply", os.path.join(HERE, "noop.conf"))
        first = {}
        waiting = lean.Line(cluster.address)

        def wait():
            run_job(waiting)
            first["done"] = time.perf_counter()

        waiter = threading.Thread(target=wait)
        waiter.start()
        cluster.add_agent()
        registered = time.perf_counter()
        waiter.join(DEADLINE)
        if "done" not in first:
            raise SystemExit("benchmark: the first job was not done in time: see 'bin/troupe explain noop'")
        figures["agent_to_first_job_seconds"] = round(first["done"] - registered, 2)

        cluster.await_workers()
        figures["workers"] = workers

        map_jobs(cluster, jobs)
        rates = sorted(jobs / map_jobs(cluster, jobs) for _ in range(3))
        figures["map_jobs"] = jobs
        figures["map_jobs_per_second"] = round(rates[1])
        figures["map_jobs_per_second_range"] = [round(rates[0]), round(rates[2])]

        connection = lean.Line(cluster.address)
        for _ in range(calls // 4):
            run_job(connection)
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            run_job(connection)
            times.append((time.perf_counter() - start) * 1000)
        figures["latency_calls"] = calls
        figures["latency_p50_ms"] = round(percentile(times, 50), 3)
        figures["latency_p99_ms"] = round(percentile(times, 99), 3)

        pids = [worker["process"]["pid"] for worker in cluster.tree_workers()]
        figures["scheduler_mib"] = processes.memory([cluster.status()["scheduler"]["pid"]])
        figures["executor_mib"] = processes.memory([processes.executor_of(pids[0])])
        figures["python_mib"] = processes.memory([pids[0]])
    return figures


def add_options(parser):
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")
    parser.add_argument("--dir", default=".troupe/benchmark", help="where the cluster keeps its state")
    parser.add_argument("--jobs", type=int, default=50_000, help="jobs of one map (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=2_000, help="jobs sent one at a time (default: %(default)s)")


def run(options):
    """Measures and prints."""
    figures = measure(options.dir, options.jobs, options.calls)
    figures["machine"] = f"{os.cpu_count()} processors, Python {platform.python_version()}"
    low, high = figures["map_jobs_per_second_range"]

    def mib(name):
        return f"{figures[name]['rss']:,.0f} MiB resident, {figures[name]['pss']:,.0f} MiB proportional"

    print(
        f"Troupe on this machine ({figures['machine']}), {figures['workers']} workers on one agent, everything local:"
    )
    print(f"  jobs that do nothing, in one map        {figures['map_jobs_per_second']:,} jobs/s ({low:,} to {high:,})")
    print(
        f"  one job at a time over one connection   {figures['latency_p50_ms']:.2f} ms median, {figures['latency_p99_ms']:.2f} ms p99"
    )
    print(f"  an agent registers, first job is done   {figures['agent_to_first_job_seconds']:.1f} s")
    print(f"  memory of the scheduler                 {mib('scheduler_mib')}")
    print(f"  memory of the executor                  {mib('executor_mib')}")
    print(f"  memory of a Python worker               {mib('python_mib')}")
    if options.json:
        print(json.dumps(figures, separators=(",", ":")))
    return 0
