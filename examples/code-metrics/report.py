"""Turns the results of a map of `measure` into a table of the largest modules and the totals.

python3 report.py RESULTS.ndjson WORKERS.json SECONDS [--json]

RESULTS is what `bin/troupe job map` wrote, WORKERS what `bin/troupe workers --json` printed afterwards, SECONDS how
long the map took. With --json the last line printed is the summary, for programs to read.
"""

import json
import os
import sys

LARGEST = 10


def summary(results, workers, seconds):
    """The totals, and who did the work."""
    parsed = [result for result in results if "unparsable" not in result]
    busy = [worker for worker in workers if worker["jobs"] > 0]
    return {
        "modules": len(results),
        "unparsable": len(results) - len(parsed),
        "lines": sum(result["lines"] for result in parsed),
        "functions": sum(result["functions"] for result in parsed),
        "classes": sum(result["classes"] for result in parsed),
        "jobs": len(results),
        "workers": len(busy),
        "agents": len({worker["agentId"] for worker in busy}),
        "seconds": round(seconds, 2),
    }


def table(results, totals):
    """Lines of text: the largest modules, the totals, and how the work was done."""
    parsed = [result for result in results if "unparsable" not in result]
    root = os.path.commonpath([result["path"] for result in results]) if len(results) > 1 else ""
    rows = [["MODULE", "LINES", "FUNCTIONS", "CLASSES", "BRANCHES", "LONGEST FUNCTION"]]
    for result in sorted(parsed, key=lambda result: (-result["lines"], result["path"]))[:LARGEST]:
        longest = result["longest"]
        rows.append(
            [
                os.path.relpath(result["path"], root) if root else result["path"],
                f"{result['lines']:,}",
                f"{result['functions']:,}",
                f"{result['classes']:,}",
                f"{result['branches']:,}",
                f"{longest['name']} ({longest['lines']:,})" if longest["name"] else "-",
            ]
        )
    rows.append(
        [
            f"{totals['modules']:,} modules in all",
            f"{totals['lines']:,}",
            f"{totals['functions']:,}",
            f"{totals['classes']:,}",
            f"{sum(result['branches'] for result in parsed):,}",
            f"{totals['unparsable']:,} do not parse",
        ]
    )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:5], widths[1:5])]
        yield "  ".join(cells + [row[5]])
    yield ""
    yield (
        f"{totals['jobs']:,} jobs ran on {totals['workers']} workers of {totals['agents']} agents"
        f" in {totals['seconds']:.1f} seconds."
    )


def main(arguments):
    as_json = "--json" in arguments
    results_file, workers_file, seconds = [argument for argument in arguments if argument != "--json"]
    with open(results_file, encoding="utf-8") as lines:
        results = [json.loads(line)["result"] for line in lines]
    with open(workers_file, encoding="utf-8") as file:
        workers = json.load(file)["workers"]
    totals = summary(results, workers, float(seconds))
    for line in table(results, totals):
        print(line)
    if as_json:
        print(json.dumps(totals, separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1:])
