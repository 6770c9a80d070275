"""Runs jobs that misbehave among jobs that do not, and sees whether each ends as it must and nothing is left behind.

    python3 -B benchmarks/misbehaviour/run.py [--jobs 1000] [--seed 1] [--folder FOLDER]

Half of the jobs are good; all of these must succeed. Each of the others must end with its own cause, at its first attempt. Processes, open
files of the executor and files in its sandbox are counted when all workers are ready, before and after. Exit code 1 when something is wrong.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from cluster import Cluster  # noqa: E402

WORKERS = 4
SETTLE_SECONDS = 90

#: How each function must end: state, kind of the cause, and a pattern for its message; and how often it is taken.
ENDS = {
    "crash": ("DEAD", "USER", "SIGSEGV", 10),
    "leave": ("DEAD", "USER", "exited with code 0", 10),
    "hang": ("DEAD", "TIMEOUT", "longer than its timeout", 2),
    "deaf": ("DEAD", "TIMEOUT", "longer than its timeout", 1),
    "leak": ("DEAD", "OOM", "more than its limit of 64 MiB|took 64 MiB of memory, all that it may have", 4),
    "daemon": ("SUCCEEDED", None, None, 10),
    "talk": ("SUCCEEDED", None, None, 10),
    "close_output": ("SUCCEEDED", None, None, 10),
    "recurse": ("FAILED", "USER", "RecursionError", 10),
    "corrupt": ("DEAD", "USER", "no frame", 10),
    "fill_disk": ("FAILED", "USER", "No space left", 10),
    "bad_frame_later": ("DEAD", None, None, 4),
}


def call(url, data=None):
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def settled(cluster):
    """The workers, once all are there and ready."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        workers = cluster.tree_workers()
        if len(workers) == WORKERS and all(worker["state"] == "READY" for worker in workers):
            return workers
        time.sleep(0.5)
    raise SystemExit(f"not all workers came back in {SETTLE_SECONDS} s: {cluster.troupe('workers')}")


def is_executor(pid):
    return b"io.troupe.executor.Main" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def census(cluster):
    """What there is of everything that could leak."""
    pids = cluster.processes()
    executors = [pid for pid in pids if is_executor(pid)]
    folder = pathlib.Path(cluster.folder)
    return {
        "processes": len(pids),
        "executors": len(executors),
        "open files": sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in executors),
        "threads": sum(len(os.listdir(f"/proc/{pid}/task")) for pid in executors),
        "files": sum(1 for path in folder.rglob("worker-*") if not path.name.endswith((".1", ".stdout", ".stderr"))),
    }


def plan(count, seed):
    chosen = random.Random(seed)
    kinds, weights = list(ENDS), [end[3] for end in ENDS.values()]
    jobs = chosen.choices(kinds, weights, k=count // 2) + ["good"] * (count - count // 2)
    chosen.shuffle(jobs)
    return jobs


def submit(cluster, jobs):
    ids = []
    for number, function in enumerate(jobs):
        value = 3 if function == "talk" else number
        url = f"{cluster.url}/v1/pools/misbehaving/jobs?function={function}"
        ids.append(call(url, json.dumps(value).encode())["id"])
    return ids


def wait_for(cluster, ids):
    ended = {}
    while len(ended) < len(ids):
        for ident in ids:
            if ident not in ended:
                job = call(f"{cluster.url}/v1/jobs/{ident}")
                if job["state"] in ("QUEUED", "RUNNING"):
                    time.sleep(0.2)
                    break
                ended[ident] = job
    return [ended[ident] for ident in ids]


def wrong(function, job):
    """What is wrong with the end of a job; empty when nothing is."""
    state, kind, text, _ = ENDS.get(function, ("SUCCEEDED", None, None, 0))
    cause = job.get("cause") or {"kind": None, "message": ""}
    if job["state"] != state or (kind and cause["kind"] != kind) or (text and not re.search(text, cause["message"])):
        return f"{function}: {job['state']} {cause['kind']}: {cause['message']}"
    return ""


def main():
    parser = argparse.ArgumentParser(description="Jobs that misbehave, among jobs that do not.")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", default=None)
    options = parser.parse_args()
    folder = options.folder or tempfile.mkdtemp(prefix="troupe-misbehaviour-")
    with Cluster(folder, workers=WORKERS) as cluster:
        cluster.add_agent()
        cluster.troupe("pool", "apply", str(HERE / "misbehaving.conf"))
        settled(cluster)
        wait_for(cluster, submit(cluster, list(ENDS) * 2))  # classes are loaded, threads started, logs opened
        settled(cluster)
        before, start = census(cluster), time.monotonic()
        jobs = plan(options.jobs, options.seed)
        ends = wait_for(cluster, submit(cluster, jobs))
        seconds = time.monotonic() - start
        settled(cluster)
        after = census(cluster)
    faults = [fault for fault in map(wrong, jobs, ends) if fault]
    print(f"{len(jobs)} jobs in {seconds:.0f} s")
    for (function, state), count in sorted(collections.Counter((f, e["state"]) for f, e in zip(jobs, ends)).items()):
        print(f"  {function:16} {state:10} {count:5}")
    for name in before:
        print(f"{name:12} before {before[name]:4}  after {after[name]:4}")
    for fault in faults:
        print("wrong:", fault)
    grown = [name for name in before if after[name] > before[name] + (name in ("open files", "threads")) * 8]
    print("grown:", ", ".join(grown) or "nothing")
    return 1 if faults or grown else 0


if __name__ == "__main__":
    sys.exit(main())
