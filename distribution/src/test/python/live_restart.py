"""Jobs and a map that go on while the scheduler is killed and started again; says `half-way` when it may be."""

import pathlib
import sys

import troupe

folder = pathlib.Path(sys.argv[1])
with troupe.Client(patience=120) as client:
    jobs = [client.submit("named", "touch", str(folder / ("job-%d" % i))) for i in range(20)]
    jobs += [client.submit("named", "sleep", 0.2) for _ in range(20)]
    results = client.map("named", "sleep", [0.01] * 600)
    for _ in range(100):
        next(results)
    print("half-way", flush=True)
    assert list(results) == [0.01] * 500
    for job in jobs:
        job.result(120)
print(sum(1 for _ in folder.iterdir()), "jobs done", flush=True)
