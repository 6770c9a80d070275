"""Lets a pool say which digits 1,797 images show: python3 predict.py [digits | digits-http]."""

import sys
import time

import classifier
import troupe


def main(pool="digits"):
    data, target = classifier.images()
    with troupe.Client() as client:
        client.submit(pool, "predict", data[0].tolist()).result()  # when it is there, the pool is ready
        start = time.perf_counter()
        found = list(client.map(pool, "predict", (image.tolist() for image in data)))
        seconds = time.perf_counter() - start
    right = [bool(digit == truth) for digit, truth in zip(found, target)]
    unknown = [each for index, each in enumerate(right) if not classifier.is_known(index)]
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
