"""Lets a pool say which digits 1,797 images show: python3 predict.py [digits | digits-http].

The images come from the pool too, so that this needs nothing but the troupe package.
"""

import sys
import time

import troupe


def main(pool="digits"):
    with troupe.Client() as client:
        data, target = client.submit(pool, "images").result()  # when they are there, the pool is ready
        start = time.perf_counter()
        found = list(client.map(pool, "predict", data))
        seconds = time.perf_counter() - start
    right = [digit == truth for digit, truth in zip(found, target)]
    unknown = right[1::2]  # classifier.py trains on every other one
    print(
        "%s: %d of %d images right (%.2f %%), of %d not trained on %.2f %%; %.0f images/s"
        % (
            pool,
            sum(right),
            len(right),
            100 * sum(right) / len(right),
            len(unknown),
            100 * sum(unknown) / len(unknown),
            len(right) / seconds,
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
