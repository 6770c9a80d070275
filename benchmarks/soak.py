"""Millions of jobs that do nothing through one scheduler: memory, threads, file handles and store stay what they were.

After each million of jobs it looks at the processes. What they have after the second and third million is taken for what they
need, with some to spare; exit code 1 when one of them has more threads or files in the end, or much more memory, or the store has grown.
"""

import json
import os
import shutil
import time

import cluster as local
import processes

POOL = "soak"
WORKERS = 2
MILLION = 1_000_000
#: Jobs of one map.
MAPPED = 250_000
#: What comes and goes, or comes late: threads of pools that have a most, connections, a heap between two collections.
SPARE = {"threads": 20, "files": 20, "mib": 48, "store": 32}


def add_options(parser):
    parser.add_argument("--jobs", type=int, default=10 * MILLION, help="how many (default: %(default)s)")
    parser.add_argument(
        "--durability", choices=("memory", "store"), default="store", help="of the jobs (default: %(default)s)"
    )
    parser.add_argument("--conf", help="settings of the scheduler, such as those of PostgreSQL")
    parser.add_argument("--dir", default=".troupe/soak", help="where its state is (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")


def run(options):
    """Measures and prints; 1 when something has grown."""
    if options.jobs < MILLION:
        raise SystemExit("benchmark: --jobs must be at least 1000000")
    looks = []
    for look in soak(options):
        looks.append(look)
        rest = ", ".join(
            f"{name} {has['mib']:.0f} MiB {has['threads']} threads {has['files']} files"
            for name, has in look["processes"].items()
        )
        print(f"{look['jobs']:>11,} jobs, {look['per_second']:>7,} jobs/s: {rest}, store {look['store']} MiB", flush=True)
    trouble = grown(looks)
    told = "nothing has grown since the third million" if len(looks) > 3 else "too few to tell what grows: four millions at least"
    print("\n".join(trouble) or told)
    if options.json:
        print(json.dumps({"looks": looks, "grown": trouble}, separators=(",", ":")))
    return int(bool(trouble))


def grown(looks):
    """What has more in the end than it needed after the second and third million, in words."""
    trouble = []
    first, last = looks[1:3], looks[-1]

    def compare(what, kind, needed, has):
        if has > max(needed) + SPARE[kind]:
            trouble.append(f"{what}: {max(needed):.0f} at first, {has:.0f} in the end")

    if len(looks) > 3:
        for name, has in last["processes"].items():
            for kind in ("threads", "files", "mib"):
                needed = [look["processes"][name][kind] for look in first if name in look["processes"]]
                compare(f"{kind} of the {name}", kind, needed or [0], has[kind])
        compare("MiB of the store", "store", [look["store"] for look in first], last["store"])
    return trouble


def soak(options):
    """Looks, one after each million of jobs."""
    folder = os.path.abspath(options.dir)
    shutil.rmtree(folder, ignore_errors=True)
    with local.Cluster(folder, WORKERS, options.conf) as cluster:
        noop = os.path.join(local.HERE, "noop.py")
        cluster.apply(POOL, noop, {"timeout": "60s", "attempts": 3, "durability": options.durability})
        cluster.add_agent()
        cluster.await_workers()
        done, start, since = 0, time.perf_counter(), 0
        while done < options.jobs:
            count = min(MAPPED, options.jobs - done)
            cluster.map(POOL, "noop", list(range(count)))
            done += count
            if done - since >= MILLION or done == options.jobs:
                seconds = time.perf_counter() - start
                yield {
                    "jobs": done,
                    "per_second": round((done - since) / seconds),
                    "processes": {name: _look(pid) for name, pid in _named(cluster).items()},
                    "store": cluster.store_mib(),
                }
                start, since = time.perf_counter(), done


def _named(cluster):
    """The pids of its processes by what they are."""
    workers = [pid for pid in cluster.processes() if b"troupe.worker" in processes.command(pid).split(b"\0")]
    found = {f"worker {number}": pid for number, pid in enumerate(workers, 1)}
    return dict(sorted({**cluster.jvms(), **found}.items()))


def _look(pid):
    return {
        "mib": processes.memory([pid])["rss"],
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "files": len(os.listdir(f"/proc/{pid}/fd")),
    }
