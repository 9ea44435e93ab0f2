"""Search: which moments a query finds, in which order and for which reasons."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.errors import GenerationMismatchError
from indexer.generation_id import GenerationId
from indexer.hits import Hit, MatchKind, MatchReason, Strength
from indexer.search.search import ResultPage
from indexer.store.stores import Stores, open_stores
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import VectorStore
from tests.support.indexer.fakes import (
    FakeEncoder,
    index_video,
    make_video,
    moment_id,
    open_library,
    search_library,
    submit_video,
    video_id,
)

A, B = "discord:1", "slack:2"
NEXT, THIRD = GenerationId("next"), GenerationId("third")
NEXT_ENCODER = FakeEncoder(str(NEXT), motion_size=None)


@pytest.fixture
def edge_library(store_folder: Path) -> Iterator[Stores]:
    """Open a library in this process, which is enough to test ranking."""
    vector_store = EdgeVectorStore(store_folder)
    yield open_library(vector_store)
    vector_store.close()


def names(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.link.rpartition("/")[2] for hit in hits]


def strengths(page: ResultPage) -> list[Strength]:
    return [hit.strength for hit in page.hits]


def kinds(hit: Hit) -> list[MatchKind]:
    return [why.kind for why in hit.why]


def test_hit_contains_all_that_a_card_shows(stores: Stores) -> None:
    """The moment, its video, its submitter in this space, the reasons, and the number of further moments."""
    video = index_video(stores, A, "goal", "crowd cheering", "ball net", title="Derby: the ball, the net")
    (hit,) = search_library(stores, A, "ball net").hits
    assert hit == Hit(
        moment_id=moment_id(video, 1),
        video_id=video.id,
        link=video.link,
        moment_link=video.link,  # an unknown site: no form of its links that starts at a second
        title="Derby: the ball, the net",
        start_s=5.0,
        end_s=10.0,
        opens_at_s=5.0,
        score=hit.score,
        why=hit.why,
        thumbnail=f"videos/{video.id}/1.jpg",
        more=1,
        duration_s=60.0,
        submitter="ann",
        submitted_at="2026-01-01T12:00:00+00:00",
        words_only=False,
    )
    assert hit.score == pytest.approx(1.0, abs=0.01)
    assert hit.why == (
        MatchReason(MatchKind.TITLE, "Derby: the ball, the net"),
        MatchReason(MatchKind.LOOKS),
        MatchReason(MatchKind.MOTION),
    )


def test_each_video_is_one_hit_with_its_best_moment(stores: Stores) -> None:
    """Videos are in the order of their best moments."""
    index_video(stores, A, "one", "cat", "dog", "cat", title="")
    index_video(stores, A, "two", "dog and something else", title="")
    index_video(stores, A, "three", "tree", title="")
    page = search_library(stores, A, "dog")
    assert names(page.hits)[0] == "one"
    assert sorted(names(page.hits)) == ["one", "three", "two"]
    assert (page.hits[0].start_s, page.hits[0].more) == (5.0, 2)
    assert page.next_offset is None


def test_pages_are_the_parts_of_one_long_page(edge_library: Stores) -> None:
    """Every video is on exactly one page."""
    for n in range(12):
        index_video(edge_library, A, f"video{n}", f"dog {n}", title=f"t{n}")
    one_page = search_library(edge_library, A, "dog", limit=50)
    paged: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = search_library(edge_library, A, "dog", limit=5, offset=offset)
        paged += names(page.hits)
        offset = page.next_offset
    assert paged == names(one_page.hits)
    assert len(set(paged)) == 12


def test_one_long_video_does_not_fill_the_page(edge_library: Stores) -> None:
    """If one video has all the first places, longer lists are read until there are others."""
    index_video(edge_library, A, "long", *["dog"] * 1000, title="")
    for n in range(4):
        index_video(edge_library, A, f"short{n}", "tree", title="")
    page = search_library(edge_library, A, "dog", limit=5)
    assert names(page.hits)[0] == "long"
    assert len(page.hits) == 5


def test_search_in_one_video_returns_its_moments(stores: Stores) -> None:
    """Each moment is a hit, and moments of other videos are not."""
    index_video(stores, A, "one", "cat", "dog", "tree", title="")
    index_video(stores, A, "two", "dog", title="")
    page = search_library(stores, A, "dog", video_id=video_id("one"))
    assert (page.hits[0].start_s, page.hits[0].more) == (5.0, 0)
    assert len(page.hits) == 3
    assert set(names(page.hits)) == {"one"}


def test_match_of_one_of_several_texts_beats_no_match(edge_library: Stores) -> None:
    """Both matches are on the first page."""
    for name in ("tree", "river", *(f"thing{number}" for number in range(20))):
        index_video(edge_library, A, name, name, title="")
    page = search_library(edge_library, A, "tree", "river", limit=2)
    assert sorted(names(page.hits)) == ["river", "tree"]


# ---- words ----


def test_one_common_word_does_not_outweigh_the_looks(edge_library: Stores) -> None:
    """For "a man on a bike" a bike rider comes before all videos with "man" in their titles."""
    index_video(edge_library, A, "rider", "man bike", title="Sunday")
    for n in range(8):
        index_video(edge_library, A, f"man{n}", f"kitchen {n}", title=f"A man and his kitchen, part {n}")
    page = search_library(edge_library, A, "a man on a bike")
    assert names(page.hits)[0] == "rider"
    assert MatchKind.TITLE not in {why.kind for hit in page.hits for why in hit.why}


def test_rare_word_of_the_query_is_matched(edge_library: Stores) -> None:
    """A title with the rare word is found by words though it lacks the common one."""
    for n in range(8):
        index_video(edge_library, A, f"man{n}", f"kitchen {n}", title=f"A man and his kitchen, part {n}")
    index_video(edge_library, A, "unicycle", "nothing like it", title="Unicycle championship")
    page = search_library(edge_library, A, "man unicycle", limit=3)
    (hit,) = (hit for hit in page.hits if names((hit,)) == ["unicycle"])
    assert MatchReason(MatchKind.TITLE, "Unicycle championship") in hit.why


def test_score_is_high_only_for_a_moment_that_stands_out(stores: Stores) -> None:
    """The nearest moment for a query that nothing matches has a low score."""
    for n in range(60):
        index_video(stores, A, f"video{n}", f"thing{n}", title="")
    likely, unlikely = (search_library(stores, A, text).hits[0].score for text in ("thing7", "unicorn"))
    assert likely > 0.5 > unlikely


def test_low_rank_by_looks_is_no_reason(edge_library: Stores) -> None:
    """A video found by its title does not claim to look like the query."""
    for n in range(80):
        index_video(edge_library, A, f"look{n}", f"zebra parade {n}", title="")
    index_video(edge_library, A, "titled", "tree", title="Zebra parade")
    hits = search_library(edge_library, A, "zebra parade", limit=3).hits
    assert {names((hit,))[0]: kinds(hit) for hit in hits}["titled"] == [MatchKind.TITLE]


def test_stop_words_are_no_match(edge_library: Stores) -> None:
    """A title of stop words gives no reason."""
    index_video(edge_library, A, "the", "tree", title="The one and the other of a video")
    (hit,) = search_library(edge_library, A, "the video of a dog").hits
    assert MatchKind.TITLE not in kinds(hit)


def test_words_only_video_is_found_by_matching_words(stores: Stores) -> None:
    """Korean titles, too, and nothing is found if the words do not match."""
    index_video(stores, A, "blocked", "", title="우리 강아지가 눈밭에서", pictures=False)
    index_video(stores, A, "other", "tree", title="A tree")
    (hit,) = search_library(stores, A, "강아지").hits
    assert (names((hit,)), kinds(hit), hit.thumbnail) == (["blocked"], [MatchKind.TITLE], None)
    assert hit.strength is Strength.STRONG
    assert names(search_library(stores, A, "고양이").hits) == ["other"]


# ---- negation ----


def test_what_a_text_does_not_want_counts_against_a_moment(edge_library: Stores) -> None:
    """It is no part of what is looked for, also after a comma or alone."""
    for name in ("dog snow", "dog grass"):
        index_video(edge_library, A, name.replace(" ", "-"), name, title="")
    encoder = FakeEncoder(logit_scale=3.0)
    assert names(search_library(edge_library, A, "dog snow", encoder=encoder).hits) == ["dog-snow", "dog-grass"]
    for texts in (("dog without snow",), ("dog, but no snow",), ("dog", "grass, no snow"), ("no snow",)):
        assert names(search_library(edge_library, A, *texts, encoder=encoder).hits) == ["dog-grass", "dog-snow"]


def test_moment_with_an_unwanted_word_is_not_found_by_its_words(edge_library: Stores) -> None:
    index_video(edge_library, A, "one", "tree", title="A party with balloons")
    index_video(edge_library, A, "two", "river", title="A party in the rain")
    for text in ("party without balloons", "balloons 없는 party"):
        hits = search_library(edge_library, A, text, encoder=FakeEncoder(logit_scale=3.0)).hits
        assert [names((hit,))[0] for hit in hits if MatchKind.TITLE in kinds(hit)] == ["two"]


# ---- examples ----


def test_words_are_found_in_other_spellings(edge_library: Stores) -> None:
    """Emoji by their names, both scripts of Chinese, accents, and Korean words with particles."""
    spellings = {
        "🐶 day": ("dog", "🐶", "강아지", "狗"),
        "my new car": ("🚗", "CAR", "ｃａｒ"),
        "貓咪在睡覺": ("猫咪", "貓咪"),
        "台湾小吃": ("臺灣",),
        "Café Olé": ("cafe", "OLE\u0301"),
        "학교 앞": ("학교에서는", "학교까지만", "학교"),
        "1,000 people": ("1,000 people",),
    }
    for title in spellings:
        index_video(edge_library, A, title, pictures=False)
    found = {
        query: [hit.title for hit in search_library(edge_library, A, query).hits]
        for queries in spellings.values()
        for query in queries
    }
    assert found == {query: [title] for title, queries in spellings.items() for query in queries}


def test_example_moment_finds_similar_moments_of_other_videos(stores: Stores) -> None:
    """The video of the example is left out."""
    video = index_video(stores, A, "one", "dog snow", "dog snow again", title="")
    index_video(stores, A, "two", "dog snow night", title="")
    index_video(stores, A, "three", "tree", title="")
    page = search_library(stores, A, like=[f"moment:{moment_id(video, 0)}"])
    assert names(page.hits) == ["two", "three"]


def test_example_texts_move_the_query(edge_library: Stores) -> None:
    """A moment similar to the example and unlike the counter-example comes first."""
    for text in ("dog snow", "dog beach", "tree"):
        index_video(edge_library, A, text, text, title="")
    for like, unlike, first in ((["snow"], ["beach"], "dog snow"), (["beach"], ["snow"], "dog beach")):
        assert names(search_library(edge_library, A, "dog", like=like, unlike=unlike).hits)[0] == first
    assert names(search_library(edge_library, A, like=["tree"]).hits)[0] == "tree"


def test_counter_example_moment_lowers_similar_moments(edge_library: Stores) -> None:
    """The counter-example itself is left out."""
    beach = index_video(edge_library, A, "one", "dog beach", title="")
    index_video(edge_library, A, "two", "dog beach", title="")
    index_video(edge_library, A, "three", "dog snow", title="")
    page = search_library(edge_library, A, "dog", unlike=[f"moment:{moment_id(beach, 0)}"])
    assert names(page.hits) == ["three", "two"]


@pytest.mark.parametrize("example", ["moment:", "moment:x", f"moment:{video_id('unknown')}"])
def test_unknown_example_moment_is_ignored(edge_library: Stores, example: str) -> None:
    """A moment that was removed, or never existed, does not change the query."""
    index_video(edge_library, A, "one", "dog")
    assert search_library(edge_library, A, like=[example]).hits == ()
    assert search_library(edge_library, A, unlike=["dog"]).hits == ()
    assert names(search_library(edge_library, A, "dog", like=[example]).hits) == ["one"]


# ---- tenancy ----


def test_search_never_finds_moments_of_another_space(stores: Stores) -> None:
    """Neither by text, by example nor in the video."""
    video = index_video(stores, A, "secret", "dog", title="dog")
    index_video(stores, B, "own", "tree", title="tree")
    example = f"moment:{moment_id(video, 0)}"
    assert names(search_library(stores, B, "dog").hits) == ["own"]
    assert search_library(stores, B, "dog", video_id=video.id).hits == ()
    assert search_library(stores, B, like=[example]).hits == ()
    assert search_library(stores, B, "dog") == search_library(stores, B, "dog", unlike=[example])


def test_each_space_sees_its_own_submitter(stores: Stores) -> None:
    """A video that two spaces have has a submitter in each."""
    index_video(stores, A, "goal", "dog")
    submit_video(stores, B, "goal", user_id="bob", minute=9)
    submitters = [search_library(stores, space, "dog").hits[0].submitter for space in (A, B)]
    assert submitters == ["ann", "bob"]


# ---- generations ----


def test_search_in_an_empty_library_finds_nothing(vector_store: VectorStore) -> None:
    """No generation exists yet."""
    assert search_library(open_stores(vector_store), A, "dog").hits == ()


def test_search_by_an_encoder_that_is_not_live_is_refused(stores: Stores) -> None:
    """The live and the previous generation can be searched, each by its own encoder."""
    index_video(stores, A, "goal", "dog")
    stores.generations.create(NEXT, NEXT_ENCODER)
    with pytest.raises(GenerationMismatchError):
        search_library(stores, A, "dog", encoder=NEXT_ENCODER)
    stores.generations.switch_to(NEXT)
    assert search_library(stores, A, "dog").hits
    assert search_library(stores, A, "dog", encoder=NEXT_ENCODER).hits == ()
    stores.generations.create(THIRD, NEXT_ENCODER)
    stores.generations.switch_to(THIRD)
    with pytest.raises(GenerationMismatchError):
        search_library(stores, A, "dog")


def test_equal_moments_have_a_stable_order(edge_library: Stores) -> None:
    """The same query has the same answer."""
    for n in range(20):
        index_video(edge_library, A, f"twin{n}", "dog", title="dog")
    first = search_library(edge_library, A, "dog", limit=20)
    assert first == search_library(edge_library, A, "dog", limit=20)
    assert [hit.moment_id for hit in first.hits] == sorted(moment_id(make_video(f"twin{n}"), 0) for n in range(20))


def test_weak_matches_follow_on_a_page_of_their_own(edge_library: Stores) -> None:
    """Strong and fair ones come first, and the page ends with them, also if a weak one ranked before a fair one."""
    for n in range(20):
        index_video(edge_library, A, f"other{n}", f"thing{n}", title="")
    for n in range(2):
        index_video(edge_library, A, f"dog{n}", "dog", title="")
    encoder = FakeEncoder(logit_scale=14.0)
    first = search_library(edge_library, A, "dog", encoder=encoder, limit=22)
    rest = search_library(edge_library, A, "dog", encoder=encoder, limit=22, offset=first.next_offset or 0)
    assert first.weaker_follow
    assert Strength.STRONG in strengths(first)
    assert Strength.WEAK not in strengths(first)
    assert (rest.weaker_follow, set(strengths(rest))) == (False, {Strength.WEAK})
    assert len(first.hits) + len(rest.hits) == 22


def test_weak_matches_are_shown_if_there_are_no_strong_ones(edge_library: Stores) -> None:
    for n in range(6):
        index_video(edge_library, A, f"other{n}", f"thing{n}", title="")
    page = search_library(edge_library, A, "dog", encoder=FakeEncoder(logit_scale=3.0))
    assert (len(page.hits), page.weaker_follow, page.is_weak) == (5, False, True)


def test_page_is_weak_if_no_hit_stands_out(edge_library: Stores) -> None:
    """A page with a good hit and an empty page are not weak."""
    for n in range(40):
        index_video(edge_library, A, f"thing{n}", f"thing{n}", title="")
    assert not search_library(edge_library, A, "thing7").is_weak
    hits = search_library(edge_library, A, "thing7").hits
    assert ResultPage(tuple(replace(hit, score=0.1) for hit in hits), None).is_weak
    assert not ResultPage((), None).is_weak
