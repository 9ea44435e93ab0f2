"""Pair files are read or refused with a sentence; pairs that teach nothing are dropped; splits never move."""

import base64
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data import cleaning
from model.data.cleaning import clean, dhash, says_something
from model.data.pairs import Pair, read_pairs, split
from model.errors import PairsUnreadable
from tests.support import tiny_models


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path, "a.png", 1)


def save(folder: Path, name: str, seed: int) -> Path:
    Image.fromarray(tiny_models.picture(seed)).save(folder / name)
    return folder / name


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_tsv_with_base64(tmp_path: Path, picture: Path) -> None:
    """EasyNLP's form: pictures are written out, and several texts of one picture have one source."""
    encoded = base64.b64encode(picture.read_bytes()).decode()
    other = base64.b64encode(save(tmp_path, "b.png", 2).read_bytes()).decode()
    file = write(tmp_path, "pairs.tsv", f"一只狗\t{encoded}\na dog\t{encoded}\na cat\t{other}\n")
    pairs = read_pairs(file, tmp_path / "work")
    assert [pair.text for pair in pairs] == ["一只狗", "a dog", "a cat"]
    assert pairs[0].source == pairs[1].source != pairs[2].source
    assert pairs[0].pictures[0].read_bytes() == picture.read_bytes()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.tsv", 'text\tfile\tsource\tkind\tperson\tsplit\nsay "hi"\ta.png\tvideo 1\ttitle\tann\tdev\n'),
        ("p.csv", 'file,text,source,kind,person,split\na.png,"say ""hi""",video 1,title,ann,dev\n'),
        (
            "p.jsonl",
            '{"text": "say \\"hi\\"", "file": "a.png", "source": "video 1", "kind": "title", "person": "ann",'
            ' "split": "dev"}\n\n',
        ),
    ],
)
def test_tables(tmp_path: Path, picture: Path, name: str, text: str) -> None:
    """The same pair out of TSV, CSV and JSONL, with all that may stand in it; files are beside the table."""
    expected = Pair('say "hi"', (picture,), "video 1", "title", "ann", stated="validation")
    assert read_pairs(write(tmp_path, name, text), tmp_path) == [expected]
    assert expected.split == "validation"


def test_a_clip_is_a_list(tmp_path: Path, picture: Path) -> None:
    """In JSONL `file` may name a clip's pictures in order; the source is the first unless stated."""
    second = save(tmp_path, "b.png", 2)
    file = write(tmp_path, "p.jsonl", json.dumps({"text": "a dog", "file": ["a.png", "b.png"]}))
    assert read_pairs(file, tmp_path) == [Pair("a dog", (picture, second), "a.png")]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("p.tsv", "a dog\tno base64!\n", "line 1: expected a text, a tab and a picture in base64"),
        ("p.tsv", "a dog\n", "line 1: expected a text"),
        ("p.csv", "a,b\nc,d\n", "needs a heading"),
        ("p.csv", "text,file\n,a.png\n", "line 2: a pair needs `text` and `file`"),
        ("p.csv", "text,file,kind\na dog,a.png,poem\n", "line 2: `kind` is one of title"),
        ("p.csv", "text,file,split\na dog,a.png,later\n", "line 2: `split` is one of train"),
        ("p.csv", "text,file\na dog,gone.png\n", "gone.png is neither a picture nor a video"),
        ("p.csv", "text,file\na dog,p.csv\n", "p.csv is neither a picture nor a video"),
        ("p.jsonl", '{"text": "a dog", "file": ["a.png", "p.jsonl"]}\n', "p.jsonl is no picture"),
        ("p.jsonl", "[1]\n", "line 1: expected an object"),
        ("p.jsonl", "{\n", "line 1: "),
        ("p.jsonl", '{"text": "a dog", "file": [1]}\n', "line 1: a pair needs"),
        ("p.jsonl", "", "holds no pairs"),
        ("none.csv", "", "cannot be read"),
    ],
)
def test_what_is_refused(tmp_path: Path, picture: Path, name: str, text: str, sentence: str) -> None:
    """A file that does not say what it should is refused, with the line."""
    file = tmp_path / name if name == "none.csv" else write(tmp_path, name, text)
    with pytest.raises(PairsUnreadable, match=sentence):
        read_pairs(file, tmp_path / "work")


def test_splits_are_fixed_and_about_80_10_10() -> None:
    """A source's split is the same on every machine and in every version."""
    places = [split(f"source {i}") for i in range(5_000)]
    shares = [places.count(name) / len(places) for name in ("train", "validation", "test")]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)
    assert places[:8] == ["train", "train", "train", "train", "train", "train", "train", "train"]


@pytest.mark.parametrize(
    "text",
    [
        "IMG_2034",
        "VID_20240101_123456",
        "DSC0001.JPG",
        "my_holiday.mp4",
        "Untitled",
        "untitled project (3)",
        "Screen Recording 2024-05-01 at 10.30.22",
        "https://example.com/x",
        "Follow me on https://example.com @me #fun",
        "Don't forget to like and subscribe!",
        "구독과 좋아요 부탁드려요",
        "记得点赞订阅",
        "...",
        "🍌🍌",
        "12:30",
        "a",
        "",
    ],
)
def test_texts_that_say_nothing(text: str) -> None:
    """File names, placeholders, links and calls to subscribe speak of no picture."""
    assert not says_something(text)


@pytest.mark.parametrize(
    "text",
    ["a dog in the snow", "Cat", "猫", "눈 위의 개", "clip of a man juggling", "test driving a car", "photo of 3 dogs"],
)
def test_texts_that_say_something(text: str) -> None:
    """Short or plain words about a picture stay."""
    assert says_something(text)


def some(tmp_path: Path, count: int) -> list[Pair]:
    return [
        Pair(f"thing number {i}", (save(tmp_path, f"{i}.png", i),), f"video {i}", stated="train") for i in range(count)
    ]


def test_duplicates_are_one_pair(tmp_path: Path, picture: Path) -> None:
    """The same words of the same pictures count once; what was voted down for them is kept together."""
    first, second = some(tmp_path, 2)
    one = replace(first, against=((picture,),))
    other = replace(first, text="Thing  number 0.", against=(second.pictures,))
    cleaned = clean([one, other, second])
    assert cleaned.dropped["duplicate"] == 1
    assert cleaned.pairs[0].against == ((picture,), second.pictures)


def test_near_identical_frames_are_one(tmp_path: Path) -> None:
    """The same frame saved again, smaller and paler, says nothing new to the same words; another picture does."""
    pair, other = some(tmp_path, 2)
    again = tmp_path / "again.jpg"
    with Image.open(pair.pictures[0]) as image:
        image.convert("RGB").resize((60, 45)).point(lambda value: value * 0.9).save(again)
    same, different = replace(pair, pictures=(again,)), replace(pair, pictures=other.pictures)
    cleaned = clean([pair, same, different])
    assert cleaned.pairs == (pair, different)
    assert cleaned.dropped["near_identical"] == 1
    assert (dhash(pair.pictures[0]) ^ dhash(other.pictures[0])).bit_count() > 10


def test_a_footer_is_boilerplate(tmp_path: Path) -> None:
    """A sentence of the descriptions of three videos is dropped; the same words as captions are people's own."""
    pairs = some(tmp_path, 4)
    footers = [replace(pair, text="My camera and gear list", kind="description") for pair in pairs[:3]]
    captions = [replace(pair, text="a dog runs") for pair in pairs[:3]]
    cleaned = clean([*footers, *captions, replace(pairs[3], kind="description")])
    assert cleaned.dropped["boilerplate"] == 3
    assert len(cleaned.pairs) == 4


def test_a_held_out_picture_does_not_teach(tmp_path: Path) -> None:
    """A video that was posted twice, once in each split, is only held out."""
    pair, other = some(tmp_path, 2)
    posted_again = replace(pair, text="the same in other words", source="copy", stated="test")
    cleaned = clean([pair, posted_again, other])
    assert cleaned.pairs == (posted_again, other)
    assert cleaned.dropped["other_split"] == 1


def encoded_again(file: Path) -> Path:
    """As another site would have it: one corner a little brighter, which moves few bits."""
    again = file.with_name(f"again-{file.stem}.jpg")
    with Image.open(file) as image:
        pixels = np.array(image.convert("RGB"))
    pixels[:10, :50] = np.minimum(255, pixels[:10, :50].astype(int) + 90)
    Image.fromarray(pixels).save(again, quality=60)
    assert 1 <= (dhash(file) ^ dhash(again)).bit_count() <= 4
    return again


def test_a_held_out_clip_that_was_encoded_again_does_not_teach(tmp_path: Path) -> None:
    """Any of a clip's pictures gives it away; what chooses the best step is kept apart from what judges, too."""
    seen, copied, cut, other = some(tmp_path, 4)
    held_out = replace(seen, pictures=(*cut.pictures, *seen.pictures, *copied.pictures), source="h", stated="test")
    copy = replace(copied, pictures=(*other.pictures, encoded_again(copied.pictures[0])), text="in other words")
    looked_at = replace(copy, pictures=copy.pictures[::-1], stated="validation")
    cleaned = clean([copy, held_out, looked_at, other])
    assert cleaned.pairs == (held_out, other)
    assert cleaned.dropped["other_split"] == 2


def test_black_frames_are_no_likeness(tmp_path: Path) -> None:
    """Two videos that both fade to black are two videos; two that are nothing but black are one."""
    one, two = some(tmp_path, 2)
    black = []
    for name in ("black.png", "blacker.png"):
        Image.new("RGB", (60, 40)).save(tmp_path / name)
        black.append(tmp_path / name)
    fading = replace(one, pictures=(*one.pictures, black[0]))
    held_out = replace(two, pictures=(*two.pictures, black[1]), stated="test")
    assert clean([fading, held_out]).pairs == (fading, held_out)
    nothing_else = [replace(fading, pictures=(black[0],)), replace(held_out, pictures=(black[1],))]
    assert clean(nothing_else).dropped["other_split"] == 1


def test_a_held_out_clip_is_no_hard_negative(tmp_path: Path) -> None:
    """What was voted down teaches only where it is in no other split, under whatever name."""
    pair, owned, copied, free = some(tmp_path, 4)
    held_out = [replace(owned, stated="test"), replace(copied, stated="validation")]
    against = (owned.pictures, (encoded_again(copied.pictures[0]),), free.pictures)
    cleaned = clean([replace(pair, against=against), *held_out, free])
    assert cleaned.pairs[0] == replace(pair, against=(free.pictures,))
    assert len(cleaned.pairs) == 4


def test_many_pictures_are_held_against_each_other_quickly() -> None:
    """Thousands of them take seconds at most."""
    looks = np.random.default_rng(0).integers(0, 2**63, 12_000).tolist()
    clips = [(Path(str(i)),) for i in range(12_000)]
    known = {clip[0]: look for clip, look in zip(clips, looks, strict=True)}
    known[clips[5_000][0]] = known[clips[11_000][0]] ^ 0b1111
    started = time.process_time()
    assert cleaning._copies(clips[:10_000], clips[10_000:], known) == {clips[5_000]}
    assert time.process_time() - started < 5


def test_no_video_and_no_person_outweighs(tmp_path: Path) -> None:
    """Of a video's many pairs some are taken evenly; of a busy person's, no more than a quarter of all or 100."""
    (pair,) = some(tmp_path, 1)
    many = [replace(pair, text=f"word {i} spoken", kind="speech") for i in range(500)]
    cleaned = clean(many)
    assert len(cleaned.pairs) == 60
    assert cleaned.pairs[0] == many[0]
    assert cleaned.pairs[-1] == many[-1]
    busy = [replace(pair, text=f"thing {i}", source=f"s{i}", user_id="ann") for i in range(300)]
    others = [replace(pair, text=f"other {i}", source=f"o{i}") for i in range(100)]
    kept = clean([*busy, *others]).pairs
    assert sum(pair.user_id == "ann" for pair in kept) == 100
    assert sum(not pair.user_id for pair in kept) == 100


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    """A file that is no picture ends cleaning with a sentence."""
    broken = write(tmp_path, "broken.png", "no picture")
    with pytest.raises(PairsUnreadable, match=r"broken\.png"):
        clean([Pair("a dog runs", (broken,), "video")])
