"""Measures Troupe on this machine, beside the systems that people use instead. Called by bin/benchmark.

Without a verb it prints Troupe's own figures, then compares it in one run with Ray, Dask, Celery (on Redis, on RabbitMQ) and
ProcessPoolExecutor, each with two worker processes. What it lacks it installs: Python packages into target/benchmark, Redis,
RabbitMQ and PostgreSQL with apt-get. Everything that it starts is stopped again.
"""

import argparse
import json
import os
import platform
import signal
import sys
import time

import chart
import comparison
import figures
import installation
import musts
import peers
import queued
import report
import soak
from chaos import conductor
from musts import Figures


#: What else there is besides the comparison.
OTHERS = {
    "figures": (figures, "only Troupe's own figures"),
    "chaos": (conductor, "kill everything at random and see that no job is lost"),
    "queued": (queued, "a million durable jobs queued, the scheduler killed, started again and drained"),
    "soak": (soak, "ten million jobs through one scheduler: memory, threads, files and store stay what they were"),
}


def some_of(known):
    """A list of names with commas between them, of those that are known."""

    def parse(text):
        names = [name for name in text.split(",") if name]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is none of {', '.join(known)}")
        return [name for name in known if name in names]

    return parse


def parser():
    top = argparse.ArgumentParser(
        prog="bin/benchmark",
        usage="bin/benchmark [figures|compare|chaos|queued|soak] [options]   (--help after the verb lists them)",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    # "all" is what no verb means; it has no help, or it would be listed.
    for verb, words in (("all", {}), ("compare", {"help": "only the comparison"})):
        compare = verbs.add_parser(verb, description=comparison.__doc__, prog=f"bin/benchmark {verb}", **words)
        compare.add_argument(
            "--peers",
            type=some_of(list(peers.MODULES)),
            default=list(peers.MODULES),
            metavar="NAME,…",
            help=f"who is measured: {', '.join(peers.MODULES)} (default: all)",
        )
        compare.add_argument(
            "--only",
            type=some_of(list(comparison.MEASURES)),
            default=list(comparison.MEASURES),
            metavar="MEASURE,…",
            help=f"what is measured: {', '.join(comparison.MEASURES)} (default: all)",
        )
        compare.add_argument("--repetitions", type=int, default=3, help="how often, in turn (default: %(default)s)")
        compare.add_argument(
            "--quick", action="store_true", help="once, with a fifth of the jobs: some minutes, rough figures"
        )
        compare.add_argument(
            "--add",
            action="store_true",
            help="add to the figures that are in the folder, of earlier parts of the same run",
        )
        compare.add_argument(
            "--dir",
            default=".troupe/benchmark",
            help="where state, logs, results.json and results.svg are (default: %(default)s)",
        )
        compare.set_defaults(seconds=3.0, queued=100_000)
    for verb, (module, words) in OTHERS.items():
        module.add_options(
            verbs.add_parser(verb, help=words, description=module.__doc__, prog=f"bin/benchmark {verb}")
        )
    return top


def compare(options):
    """Runs the comparison, writes its results and prints them; 1 when something must be reached and is not."""
    if options.repetitions < 1:
        raise SystemExit("benchmark: --repetitions must be at least 1")
    if options.quick:
        options.repetitions, options.seconds, options.queued = 1, 1.0, 20_000
    names = installation.prepare(options.peers)
    results = os.path.join(options.dir, "results.json")
    lines = []
    if options.add and os.path.exists(results):
        with open(results, encoding="utf-8") as file:
            lines = json.load(file)["lines"]
    began = time.monotonic()
    for line in comparison.Comparison(options, installation.say).run(names):
        lines.append(line)
        _write(results, json.dumps({"machine": machine(), "lines": lines}, indent=1))
    seen = Figures(lines)
    _write(
        os.path.join(options.dir, "results.svg"),
        chart.draw(seen, f"two worker processes, client included · {machine()}"),
    )
    print(
        f"\nTwo worker processes each, client and brokers on the same processors: {machine()}, {time.monotonic() - began:,.0f} s\n"
    )
    for part in (
        report.medians(seen),
        report.kills(seen),
        report.queues(seen),
        report.reached(seen),
        report.about(lines),
    ):
        for line in part:
            print(line)
    print(f"raw results: {results}, picture: {os.path.join(options.dir, 'results.svg')}", flush=True)
    return exit_code(seen)


def exit_code(seen):
    """1 when something must be reached and is not; what was not measured is not missed."""
    return int(any(row.met is False for row in musts.rows(seen)))


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}, Python {platform.python_version()}"


def _write(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def main(words):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bare = not words or (words[0].startswith("-") and words[0] not in ("-h", "--help"))
    options = parser().parse_args(["all", *words] if bare else words)
    try:
        return run(options)
    except KeyboardInterrupt:
        installation.say(f"stopped; what has been measured is in {options.dir}")
        return 130


def run(options):
    if options.verb in OTHERS:
        return OTHERS[options.verb][0].run(options)
    if options.verb == "all":
        figures.run(parser().parse_args(["figures", "--dir", os.path.join(options.dir, "figures")]))
    return compare(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
