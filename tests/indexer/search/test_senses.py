"""Search by what is said, shown and heard: which moments, for which reason, and at which second."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from indexer.hits import Hit, MatchKind, MatchReason, OnlyKind
from indexer.ingest.evidence import put_evidence
from indexer.senses import SoundTag
from indexer.store.stores import Stores
from indexer.types import Caption, Evidence, TimedWord
from indexer.vectors.edge import EdgeVectorStore
from tests.support.indexer.fakes import FakeEncoder, index_video, moment_ids, open_library, search_library

A = "discord:1"
LOOKS = [MatchKind.LOOKS, MatchKind.MOTION]
TIMED = Caption(
    2.0, 6.0, "we bake the bread", tuple(map(TimedWord, (2.0, 2.5, 4.0, 5.0), ("we", " bake", " the", " bread")))
)


@pytest.fixture
def library(store_folder: Path) -> Iterator[Stores]:
    """Open a library in this process with videos that look like other things than they say, show and sound like."""
    vector_store = EdgeVectorStore(store_folder)
    stores = open_library(vector_store)
    for number in range(30):
        index_video(stores, A, f"thing{number}", f"thing{number}", title="")
    yield stores
    vector_store.close()


def put(stores: Stores, name: str, **evidence: tuple[Caption | SoundTag, ...]) -> None:
    all_senses: Mapping[str, tuple[Caption | SoundTag, ...]] = {"said": (), "shown": (), "heard": (), **evidence}
    put_evidence(stores.enrichment, FakeEncoder(), {moment_ids(name)[0]: Evidence(**all_senses)})  # type: ignore[arg-type]


def find_first(stores: Stores, text: str, only: OnlyKind | None = None) -> Hit:
    return search_library(stores, A, text, only=only).hits[0]


def test_spoken_phrase_leads_to_its_second(library: Stores) -> None:
    """The reason has the words, and the link the second of the first of them."""
    index_video(library, A, "talk.mp4", "tree", title="")
    put(library, "talk.mp4", said=(Caption(0.0, 2.0, "hello everybody"), TIMED))
    hit = find_first(library, "bake bread")
    assert hit.why[0] == MatchReason(MatchKind.SAID, "we bake the bread", 2.5, 6.0)
    assert hit.moment_link == f"{hit.link}#t=2"
    assert hit.score > 0.9


def test_second_of_a_line_without_times_is_interpolated(library: Stores) -> None:
    """Half of the text takes half of the time. A line that began before the moment is shown from its start."""
    put(library, "thing3", said=(Caption(-2.0, 2.0, "bread one two"), Caption(2.0, 4.0, "one two wine end")))
    assert find_first(library, "wine", only="said").why[0].at_s == pytest.approx(2 + 2 * 8 / 16)
    assert find_first(library, "bread", only="said").why[0].at_s == 0.0


def test_meaning_finds_what_no_word_matches(library: Stores) -> None:
    """The fake encoder takes a word's cases for the same word, which BM25 does not do with compounds."""
    put(library, "thing3", shown=(Caption(1.0, 4.0, "sourdough-loaf"),))
    hit = find_first(library, "loaf sourdough rye")
    assert hit.why[0].kind is MatchKind.SHOWN
    assert hit.why[0].at_s == 1.0


def test_sound_is_found_by_its_name(library: Stores) -> None:
    """The reason names the sound that is nearest to the query, not the loudest one."""
    put(library, "thing3", heard=(SoundTag("Speech", 0.9, 0.0, 5.0), SoundTag("Barking", 0.8, 3.0, 4.0)))
    hit = find_first(library, "the sound of barking")
    assert hit.why[0] == MatchReason(MatchKind.HEARD, "Barking", 3.0, 4.0)


def test_senses_that_say_nothing_change_no_rank(library: Stores) -> None:
    """Speech, writing and sounds that the query does not mean cost nothing."""
    before = [hit.video_id for hit in search_library(library, A, "thing7", limit=30).hits]
    for number in (3, 7, 9):
        put(library, f"thing{number}", said=(TIMED,), shown=(TIMED,), heard=(SoundTag("Music", 0.9, 0.0, 5.0),))
    after = search_library(library, A, "thing7", limit=30).hits
    assert [hit.video_id for hit in after] == before
    assert [why.kind for why in after[0].why] == LOOKS


def test_phrase_that_is_said_comes_before_looks(library: Stores) -> None:
    """A video that looks like it comes second."""
    index_video(library, A, "baker", "bake bread", title="")
    put(library, "thing3", said=(TIMED,))
    hits = search_library(library, A, "bake bread").hits
    assert [hit.title for hit in hits[:2]] == ["", ""]
    assert [hit.why[0].kind for hit in hits[:2]] == [MatchKind.SAID, MatchKind.LOOKS]


@pytest.mark.parametrize(
    ("only", "names"),
    [("looks", {"baker"}), ("said", {"thing1"}), ("shown", {"thing2"}), ("heard", {"thing3"})],
)
def test_search_is_restricted_to_one_kind_of_match(library: Stores, only: OnlyKind, names: set[str]) -> None:
    """Also a title that has the words is no match then."""
    index_video(library, A, "baker", "bread", title="bread")
    line, sound = Caption(1.0, 2.0, "bread"), SoundTag("Bread", 0.9, 1.0, 2.0)
    put(library, "baker", said=(Caption(1.0, 2.0, "hello"),), shown=(Caption(1.0, 2.0, "hello"),))
    put(library, "thing1", said=(line,))
    put(library, "thing2", shown=(line,))
    put(library, "thing3", heard=(sound,))
    hits = search_library(library, A, "bread", only=only, limit=1).hits
    assert {hit.link.rpartition("/")[2] for hit in hits} == names
    assert {why.kind for why in hits[0].why} <= ({*LOOKS} if only == "looks" else {MatchKind(only)})
