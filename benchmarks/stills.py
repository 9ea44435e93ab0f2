"""Convert photographs with captions into a folder of clips for `benchmarks/retrain.py`.

    python -m benchmarks.stills FLICKR8K FOLDER

Writes a clip of 2 s for each of the first COUNT pictures of the dev split that have captions in English and Chinese.
The first English caption is its title; the next two, and the first Chinese one, are its queries.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import av

from model.data.images import read_picture
from model.pretraining.pretrain_data import read_captions

COUNT = 300
PIXELS, RATE, PICTURES = 176, 4, 8


def write_clip(picture: Path, to: Path) -> None:
    with av.open(str(to), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = PIXELS, PIXELS, "yuv420p"
        pixels = read_picture(picture)
        for _ in range(PICTURES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flickr8k", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    dev = read_captions(arguments.flickr8k, "dev")
    captions: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for text, language, number in zip(dev.texts, dev.languages, dev.pictures, strict=True):
        captions[dev.files[number]][language].append(text)
    titles, queries = ["file\tdescription"], ["file\ten\ten2\tzh"]
    for file in [file for file in dev.files if len(captions[file]["en"]) > 2 and captions[file]["zh"]][:COUNT]:
        name = f"{Path(file).stem}.mp4"
        write_clip(arguments.flickr8k / file, arguments.folder / name)
        title, *queries_en = captions[file]["en"][:3]
        titles.append(f"{name}\t{title}")
        queries.append("\t".join([name, *queries_en, captions[file]["zh"][0]]))
    for table, lines in (("manifest.tsv", titles), ("queries.tsv", queries)):
        (arguments.folder / table).write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(f"{len(titles) - 1} clips")


if __name__ == "__main__":
    main()
