"""Write the vectors of the vocabulary that are bundled for the preset `starter`.

    python -m worker.ops.bundle_words

Run it after a change of the vocabulary, or of what `starter` makes of a text. It takes half a minute.
"""

import tempfile
from pathlib import Path

import numpy as np

from indexer.topics.word_vectors import BUNDLED, WordVectors
from model.loader import load_encoder
from model.packages import default_artifacts_dir
from model.preset_files import find_preset


def main() -> None:
    encoder = load_encoder(find_preset("starter"), device="cpu", adapter=None, artifacts_dir=default_artifacts_dir())
    for old in BUNDLED.glob("*.npy"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        words = WordVectors(Path(folder))
        words.compute(encoder)
        [path] = Path(folder).glob("*.npy")
        BUNDLED.mkdir(exist_ok=True)
        np.save(BUNDLED / path.name, np.load(path).astype(np.float16))


if __name__ == "__main__":
    main()
