"""Reading and cleaning pairs, and their splits."""

import base64
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data import cleaning
from model.data.cleaning import clean_pairs, compute_dhash, is_informative
from model.data.pairs import Pair, assign_split, read_pairs
from model.errors import PairsUnreadableError
from tests.support.model import tiny_models


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save_picture(tmp_path, "a.png", 1)


def save_picture(folder: Path, name: str, seed: int) -> Path:
    Image.fromarray(tiny_models.picture(seed)).save(folder / name)
    return folder / name


def write_file(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_easynlp_tsv_is_read(tmp_path: Path, picture: Path) -> None:
    """Pictures are written to files, and several texts of one picture share a source."""
    encoded = base64.b64encode(picture.read_bytes()).decode()
    other = base64.b64encode(save_picture(tmp_path, "b.png", 2).read_bytes()).decode()
    file = write_file(tmp_path, "pairs.tsv", f"一只狗\t{encoded}\na dog\t{encoded}\na cat\t{other}\n")
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
            (
                '{"text": "say \\"hi\\"", "file": "a.png", "source": "video 1", "kind": "title", "person": "ann",'
                ' "split": "dev"}\n\n'
            ),
        ),
    ],
)
def test_pair_is_equal_in_tsv_csv_and_jsonl(tmp_path: Path, picture: Path, name: str, text: str) -> None:
    """All optional columns are read. Files are relative to the table."""
    expected = Pair('say "hi"', (picture,), "video 1", "title", "ann", fixed_split="validation")
    assert read_pairs(write_file(tmp_path, name, text), tmp_path) == [expected]
    assert expected.split == "validation"


def test_jsonl_list_of_files_is_a_clip(tmp_path: Path, picture: Path) -> None:
    """The source is the first file if it is not given."""
    second = save_picture(tmp_path, "b.png", 2)
    file = write_file(tmp_path, "p.jsonl", json.dumps({"text": "a dog", "file": ["a.png", "b.png"]}))
    assert read_pairs(file, tmp_path) == [Pair("a dog", (picture, second), "a.png")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.tsv", "a dog\tno base64!\n", "line 1: expected a text, a tab and a picture in base64"),
        ("p.tsv", "a dog\n", "line 1: expected a text"),
        ("p.csv", "a,b\nc,d\n", "needs a heading"),
        ("p.csv", "text,file\n,a.png\n", "line 2: a pair needs `text` and `file`"),
        ("p.csv", "text,file,kind\na dog,a.png,poem\n", "line 2: `kind` must be one of title"),
        ("p.csv", "text,file,split\na dog,a.png,later\n", "line 2: `split` must be one of train"),
        ("p.csv", "text,file\na dog,gone.png\n", "gone.png is neither a picture nor a video"),
        ("p.csv", "text,file\na dog,p.csv\n", "p.csv is neither a picture nor a video"),
        ("p.jsonl", '{"text": "a dog", "file": ["a.png", "p.jsonl"]}\n', "p.jsonl is not a picture"),
        ("p.jsonl", "[1]\n", "line 1: expected an object"),
        ("p.jsonl", "{\n", "line 1: "),
        ("p.jsonl", '{"text": "a dog", "file": [1]}\n', "line 1: a pair needs"),
        ("p.jsonl", "", "contains no pairs"),
        ("none.csv", "", "cannot be read"),
    ],
)
def test_invalid_pair_file_is_refused(tmp_path: Path, picture: Path, name: str, text: str, message: str) -> None:
    """The message contains the line."""
    file = tmp_path / name if name == "none.csv" else write_file(tmp_path, name, text)
    with pytest.raises(PairsUnreadableError, match=message):
        read_pairs(file, tmp_path / "work")


def test_splits_are_stable_and_about_80_10_10() -> None:
    """The split of a source is the same on every machine and in every version."""
    places = [assign_split(f"source {i}") for i in range(5_000)]
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
        "12:30",
        "a",
        "",
    ],
)
def test_file_name_placeholder_and_link_are_not_informative(text: str) -> None:
    """File names, placeholders, links and calls to subscribe are not informative."""
    assert not is_informative(text)


@pytest.mark.parametrize(
    "text",
    [
        "a dog in the snow",
        "Cat",
        "猫",
        "눈 위의 개",
        "clip of a man juggling",
        "test driving a car",
        "photo of 3 dogs",
        "🍌🍌",
    ],
)
def test_short_text_is_informative(text: str) -> None:
    assert is_informative(text)


def make_pairs(tmp_path: Path, count: int) -> list[Pair]:
    return [
        Pair(f"thing number {i}", (save_picture(tmp_path, f"{i}.png", i),), f"video {i}", fixed_split="train")
        for i in range(count)
    ]


def test_duplicates_are_merged(tmp_path: Path, picture: Path) -> None:
    """Their hard negatives are combined."""
    first, second = make_pairs(tmp_path, 2)
    one = replace(first, hard_negatives=((picture,),))
    other = replace(first, text="Thing  number 0.", hard_negatives=(second.pictures,))
    cleaned = clean_pairs([one, other, second])
    assert cleaned.dropped["duplicate"] == 1
    assert cleaned.pairs[0].hard_negatives == ((picture,), second.pictures)


def test_near_identical_pictures_of_one_text_are_dropped(tmp_path: Path) -> None:
    """A frame saved again, smaller and paler, is dropped. Another picture is kept."""
    pair, other = make_pairs(tmp_path, 2)
    again = tmp_path / "again.jpg"
    with Image.open(pair.pictures[0]) as image:
        image.convert("RGB").resize((60, 45)).point(lambda value: value * 0.9).save(again)
    same, different = replace(pair, pictures=(again,)), replace(pair, pictures=other.pictures)
    cleaned = clean_pairs([pair, same, different])
    assert cleaned.pairs == (pair, different)
    assert cleaned.dropped["near_identical"] == 1
    assert (compute_dhash(pair.pictures[0]) ^ compute_dhash(other.pictures[0])).bit_count() > 10


def test_description_shared_by_three_videos_is_dropped(tmp_path: Path) -> None:
    """Captions with the same words are kept."""
    pairs = make_pairs(tmp_path, 4)
    footers = [replace(pair, text="My camera and gear list", kind="description") for pair in pairs[:3]]
    captions = [replace(pair, text="a dog runs") for pair in pairs[:3]]
    cleaned = clean_pairs([*footers, *captions, replace(pairs[3], kind="description")])
    assert cleaned.dropped["boilerplate"] == 3
    assert len(cleaned.pairs) == 4


def test_video_in_two_splits_is_only_held_out(tmp_path: Path) -> None:
    pair, other = make_pairs(tmp_path, 2)
    posted_again = replace(pair, text="the same in other words", source="copy", fixed_split="test")
    cleaned = clean_pairs([pair, posted_again, other])
    assert cleaned.pairs == (posted_again, other)
    assert cleaned.dropped["other_split"] == 1


def reencode(file: Path) -> Path:
    """Save the picture like another site would: with a brighter corner, which changes few bits of its hash."""
    again = file.with_name(f"again-{file.stem}.jpg")
    with Image.open(file) as image:
        pixels = np.array(image.convert("RGB"))
    pixels[:10, :50] = np.minimum(255, pixels[:10, :50].astype(int) + 90)
    Image.fromarray(pixels).save(again, quality=60)
    assert 1 <= (compute_dhash(file) ^ compute_dhash(again)).bit_count() <= 4
    return again


def test_reencoded_copy_of_held_out_clip_is_dropped(tmp_path: Path) -> None:
    """One common picture is enough. Validation pairs are kept apart from test pairs, too."""
    seen, copied, cut, other = make_pairs(tmp_path, 4)
    held_out = replace(seen, pictures=(*cut.pictures, *seen.pictures, *copied.pictures), source="h", fixed_split="test")
    copy = replace(copied, pictures=(*other.pictures, reencode(copied.pictures[0])), text="in other words")
    validation = replace(copy, pictures=copy.pictures[::-1], fixed_split="validation")
    cleaned = clean_pairs([copy, held_out, validation, other])
    assert cleaned.pairs == (held_out, other)
    assert cleaned.dropped["other_split"] == 2


def test_black_frames_do_not_make_clips_copies(tmp_path: Path) -> None:
    """Two clips that are completely black are copies."""
    one, two = make_pairs(tmp_path, 2)
    black = []
    for name in ("black.png", "blacker.png"):
        Image.new("RGB", (60, 40)).save(tmp_path / name)
        black.append(tmp_path / name)
    fading = replace(one, pictures=(*one.pictures, black[0]))
    held_out = replace(two, pictures=(*two.pictures, black[1]), fixed_split="test")
    assert clean_pairs([fading, held_out]).pairs == (fading, held_out)
    nothing_else = [replace(fading, pictures=(black[0],)), replace(held_out, pictures=(black[1],))]
    assert clean_pairs(nothing_else).dropped["other_split"] == 1


def test_held_out_clips_are_removed_from_hard_negatives(tmp_path: Path) -> None:
    """Re-encoded copies are removed, too."""
    pair, owned, copied, free = make_pairs(tmp_path, 4)
    held_out = [replace(owned, fixed_split="test"), replace(copied, fixed_split="validation")]
    against = (owned.pictures, (reencode(copied.pictures[0]),), free.pictures)
    cleaned = clean_pairs([replace(pair, hard_negatives=against), *held_out, free])
    assert cleaned.pairs[0] == replace(pair, hard_negatives=(free.pictures,))
    assert len(cleaned.pairs) == 4


def test_copies_among_thousands_of_pictures_are_found_in_seconds() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**63, 12_000).tolist()
    clips = [(Path(str(i)),) for i in range(12_000)]
    known = {clip[0]: each for clip, each in zip(clips, hashes, strict=True)}
    known[clips[5_000][0]] = known[clips[11_000][0]] ^ 0b1111
    started = time.process_time()
    assert cleaning._find_copies(clips[:10_000], clips[10_000:], known) == {clips[5_000]}
    assert time.process_time() - started < 5


def test_pairs_per_video_and_user_are_limited(tmp_path: Path) -> None:
    """The kept pairs of a video are evenly spaced. A user may contribute a quarter of all pairs, or 100."""
    (pair,) = make_pairs(tmp_path, 1)
    many = [replace(pair, text=f"word {i} spoken", kind="speech") for i in range(500)]
    cleaned = clean_pairs(many)
    assert len(cleaned.pairs) == 60
    assert cleaned.pairs[0] == many[0]
    assert cleaned.pairs[-1] == many[-1]
    busy = [replace(pair, text=f"thing {i}", source=f"s{i}", user_id="ann") for i in range(300)]
    others = [replace(pair, text=f"other {i}", source=f"o{i}") for i in range(100)]
    kept = clean_pairs([*busy, *others]).pairs
    assert sum(pair.user_id == "ann" for pair in kept) == 100
    assert sum(pair.user_id is None for pair in kept) == 100


def test_cleaning_names_unreadable_picture(tmp_path: Path) -> None:
    broken = write_file(tmp_path, "broken.png", "no picture")
    with pytest.raises(PairsUnreadableError, match=r"broken\.png"):
        clean_pairs([Pair("a dog runs", (broken,), "video")])
