"""What Troupe must reach beside the others, and whether it does. Pure: medians in, rows out."""

import statistics


class Figures:
    """The medians of a run, by peer and measure, and everything else that was said with a figure."""

    def __init__(self, lines):
        self._lines = {}
        for line in lines:
            if "value" in line:
                self._lines.setdefault((line["peer"], line["measure"]), []).append(line)

    def peers(self):
        return sorted({peer for peer, _ in self._lines})

    def all(self, peer, measure):
        return self._lines.get((peer, measure), [])

    def values(self, peer, measure):
        return [line["value"] for line in self.all(peer, measure)]

    def median(self, peer, measure):
        """None where nothing was measured."""
        values = self.values(peer, measure)
        return statistics.median(values) if values else None


class Row:
    """One thing that must be reached: what, how much, what it is, and whether it is met (None: not measured)."""

    def __init__(self, what, must, figure=None, ratio=None, met=None):
        self.what, self.must, self.figure, self.ratio, self.met = what, must, figure, ratio, met

    def verdict(self):
        return {True: "met", False: "NOT MET", None: "not measured"}[self.met]


def number(value):
    """A figure with about three digits."""
    if value is None:
        return "–"
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def rows(figures):
    return [
        *_times_as_many(figures, "no-op, HTTP map, memory", "troupe", "noop", "jobs/s", ("ray", 20), ("executor", 2.5)),
        *_times_as_many(figures, "no-op, store on H2", "troupe-store", "noop", "jobs/s", ("ray", 8)),
        *_times_as_many(
            figures, "no-op, store on PostgreSQL", "troupe-postgres", "noop", "jobs/s", ("celery-rabbit", 12)
        ),
        _no_longer(figures, "one at a time, memory, p50", "troupe", "latency_p50", ("ray", "latency_p50"), 1 / 3),
        _no_longer(figures, "one at a time, memory, p99", "troupe", "latency_p99", ("ray", "latency_p50"), 1),
        _no_longer(
            figures, "one at a time, store on H2, p50", "troupe-store", "latency_p50", ("ray", "latency_p50"), 1
        ),
        *_times_as_many(figures, "1 KiB in and out", "troupe", "kib", "jobs/s", ("ray", 15)),
        *_times_as_many(figures, "1 MiB in and out, JSON text", "troupe", "mib", "MB/s", ("ray", 1)),
        _bytes(figures),
        _efficiency(figures),
        *_kills(figures),
        _drained(figures, "100,000 queued, drain rate", "queue"),
        _drained(figures, "1,000,000 queued, drain rate", "queue_million"),
        _at_most(figures, "start: nothing to first result", "start", "s", 5),
        _memory(figures),
    ]


def _times_as_many(figures, what, peer, measure, unit, *goals):
    own = figures.median(peer, measure)
    for other, times in goals:
        theirs = figures.median(other, measure)
        must = f"≥ {times} × {other} ({number(theirs)})"
        if own is None or theirs is None:
            yield Row(what, must, own and f"{number(own)} {unit}")
        else:
            yield Row(what, must, f"{number(own)} {unit}", f"{own / theirs:.1f} ×", own >= times * theirs)


def _no_longer(figures, what, peer, measure, than, share):
    own, theirs = figures.median(peer, measure), figures.median(*than)
    must = f"≤ {'1/3 of ' if share < 1 else ''}{than[0]}'s p50 ({number(theirs)} ms)"
    if own is None or theirs is None:
        return Row(what, must, own and f"{number(own)} ms")
    return Row(what, must, f"{number(own)} ms", f"{own / theirs:.2f} ×", own <= share * theirs)


def _bytes(figures):
    own, theirs = figures.median("troupe", "mib_bytes"), figures.median("ray", "mib")
    row = Row("1 MiB in and out, bytes", f"≥ ray ({number(theirs)})", own and f"{number(own)} MB/s")
    if own is not None and theirs is not None:
        row.ratio, row.met = f"{own / theirs:.1f} ×", own >= theirs
    return row


def _efficiency(figures):
    own, theirs = figures.median("troupe", "cpu_10ms"), figures.median("executor", "cpu_10ms")
    row = Row("10 ms jobs, efficiency", f"≥ 0.95 (executor: {number(theirs)})", own and f"{own:.3f}")
    if own is not None:
        row.met = own >= 0.95
        row.ratio = theirs and f"{own / theirs:.2f} ×"
    return row


def _kills(figures):
    kills = figures.all("troupe", "kill") + figures.all("troupe-store", "kill") + figures.all("troupe-postgres", "kill")
    what = "SIGKILL of a worker process"
    if not kills:
        return [Row(what, "0 failed, 0 lost, 0 run twice"), Row(what, "replaced in < 0.3 s")]
    bad = [sum(kill[name] for kill in kills) for name in ("failed", "lost", "ran_twice")]
    replaced = [kill["replaced_after"] for kill in kills]
    return [
        Row(
            what,
            "0 failed, 0 lost, 0 run twice",
            ", ".join(map(str, bad)) + f" in {len(kills)} kills",
            met=not any(bad),
        ),
        Row(
            what,
            "replaced in < 0.3 s",
            ", ".join("never" if time is None else f"{time:.2f}" for time in replaced) + " s",
            met=all(time is not None and time < 0.3 for time in replaced),
        ),
    ]


def _drained(figures, what, measure):
    own, unqueued = figures.median("troupe", measure), figures.median("troupe", "noop")
    row = Row(what, f"≥ 90 % of the no-op rate ({number(unqueued)})", own and f"{number(own)} jobs/s")
    if own is not None and unqueued is not None:
        row.ratio, row.met = f"{own / unqueued:.2f} ×", own >= 0.9 * unqueued
    return row


def _at_most(figures, what, measure, unit, most):
    own = figures.median("troupe", measure)
    theirs = figures.median("ray", measure)
    row = Row(what, f"≤ {most} {unit} (ray: {number(theirs)})", own and f"{number(own)} {unit}")
    if own is not None:
        row.met = own <= most
    return row


def _memory(figures):
    own, theirs = figures.median("troupe", "memory"), figures.median("ray", "memory")
    row = Row("idle memory, all processes, PSS", f"≤ ray's ({number(theirs)} MiB)", own and f"{number(own)} MiB")
    if own is not None and theirs is not None:
        row.ratio, row.met = f"{own / theirs:.2f} ×", own <= theirs
    return row
