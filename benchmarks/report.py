"""What a person reads of a comparison: tables of text. Pure."""

import peers
from musts import number, rows

#: Measure, how it is called, and its unit.
SHOWN = [
    ("start", "nothing to first result, s"),
    ("memory", "idle memory, MiB PSS"),
    ("noop", "no-op batch, jobs/s"),
    ("latency_p50", "one at a time, p50 ms"),
    ("latency_p99", "one at a time, p99 ms"),
    ("kib", "1 KiB in and out, jobs/s"),
    ("mib", "1 MiB text, MB/s each way"),
    ("mib_bytes", "1 MiB bytes, MB/s each way"),
    ("cpu_1ms", "1 ms CPU jobs, efficiency"),
    ("cpu_10ms", "10 ms CPU jobs, efficiency"),
    ("cpu_100ms", "100 ms CPU jobs, efficiency"),
    ("kill", "worker killed: 5 s of work, s"),
    ("queue", "queued, then drained, jobs/s"),
    ("queue_million", "ten times as many, jobs/s"),
]
RATES = {"noop", "kib", "mib", "mib_bytes", "queue", "queue_million"}


def in_order(names):
    return [name for name in peers.MODULES if name in names]


def _table(header, lines):
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    for line in [header, *lines]:
        cells = [
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        yield "  ".join(cells).rstrip()


def medians(figures):
    """Measures down, peers across."""
    names = in_order(figures.peers())
    lines = [
        [label, *(number(figures.median(name, measure)) for name in names)]
        for measure, label in SHOWN
        if any(figures.values(name, measure) for name in names)
    ]
    yield from _table(["median of the repetitions", *names], lines)


def kills(figures):
    """What became of 200 jobs of 50 ms when one of two worker processes got SIGKILL."""
    lines = []
    for name in in_order(figures.peers()):
        seen = figures.all(name, "kill")
        if seen:
            lines.append(
                [
                    name,
                    *("/".join(str(kill[what]) for kill in seen) for what in ("failed", "lost", "ran_twice")),
                    "/".join(
                        "never" if kill["replaced_after"] is None else f"{kill['replaced_after']:.2f}" for kill in seen
                    ),
                ]
            )
    if lines:
        yield ""
        yield from _table(["a worker process killed", "failed", "lost", "run twice", "replaced after, s"], lines)


def queues(figures):
    lines = []
    for name in in_order(figures.peers()):
        for measure in ("queue", "queue_million"):
            for seen in figures.all(name, measure):
                lines.append(
                    [
                        name,
                        f"{seen['jobs']:,}",
                        f"{seen['submitted_per_second']:,}",
                        number(seen["value"]),
                        " → ".join(map(str, seen["pss"])),
                    ]
                )
    if lines:
        yield ""
        yield from _table(["queued jobs", "jobs", "submitted/s", "drained/s", "MiB PSS idle → queued → peak"], lines)


def reached(figures):
    """What Troupe must reach, as far as it was measured."""
    yield ""
    all_rows = rows(figures)
    seen = [row for row in all_rows if row.met is not None]
    lines = [[row.what, row.must, row.figure, row.ratio or "–", row.verdict()] for row in seen]
    yield from _table(["what Troupe must reach, same run, same machine", "must", "figure", "ratio", ""], lines)
    missing = [f"{row.what} ({row.must})" for row in all_rows if row.met is None]
    if missing:
        yield "not measured, or nothing to compare with: " + "; ".join(missing)


def about(lines):
    """Settings and versions, as the peers have told them."""
    settings, versions = {}, {}
    for line in lines:
        if "settings" in line:
            settings[line["peer"]] = line["settings"]
            versions.update(line["versions"])
    yield ""
    for name in in_order(settings):
        yield f"{name}: {settings[name]}"
    yield "versions: " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if version)
    errors = [line for line in lines if "error" in line]
    for line in errors:
        yield f"not measured: {line['peer']}, {line['measure']}: {line['error']}"
