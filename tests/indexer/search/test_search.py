"""What a question finds, and why."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.errors import GenerationMismatchError
from indexer.search.search import HitReason, MomentHit, Page, find
from indexer.store.library import Library
from indexer.vectors.edge import EdgeVectorStore
from indexer.vectors.vector_store import VectorStore
from tests.support.indexer_fakes import SIZE, FakeEncoder, a_video, moment_id, opened, share, submit, video_id

A, B = "discord:1", "slack:2"
ENCODER = FakeEncoder()


@pytest.fixture
def edge_library(store_folder: Path) -> Iterator[Library]:
    """Enough where a test is about ranking alone."""
    points = EdgeVectorStore(store_folder)
    yield opened(points)
    points.close()


def names(hits: tuple[MomentHit, ...]) -> list[str]:
    return [hit.link.rpartition("/")[2] for hit in hits]


def kinds(hit: MomentHit) -> list[str]:
    return [why.kind for why in hit.why]


def test_a_hit_tells_all_that_a_card_shows(library: Library) -> None:
    """The moment's place, the video's facts, who shared it here, why it was found, and how many more there are."""
    video = share(library, A, "goal", "crowd cheering", "ball net", title="Derby: the ball, the net")
    (hit,) = find(library, ENCODER, A, ["ball net"]).hits
    assert hit == MomentHit(
        moment_id=moment_id(video, 1),
        video_id=video.id,
        link=video.link,
        title="Derby: the ball, the net",
        start_s=5.0,
        end_s=10.0,
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
    assert sorted(hit.why, key=lambda why: why.kind) == [
        HitReason("looks"),
        HitReason("motion"),
        HitReason("words", "Derby: the ball, the net"),
    ]


def test_each_video_is_one_hit_with_its_best_moment(library: Library) -> None:
    """Videos come in order of their best moment, whatever else they show."""
    share(library, A, "one", "cat", "dog", "cat", title="")
    share(library, A, "two", "dog and something else", title="")
    share(library, A, "three", "tree", title="")
    page = find(library, ENCODER, A, ["dog"])
    assert names(page.hits)[0] == "one"
    assert sorted(names(page.hits)) == ["one", "three", "two"]
    assert (page.hits[0].start_s, page.hits[0].more) == (5.0, 2)
    assert page.next_offset is None


def test_pages_follow_each_other(edge_library: Library) -> None:
    """Every video is on exactly one page, in the order of one long page."""
    for n in range(12):
        share(edge_library, A, f"video{n}", f"dog {n}", title=f"t{n}")
    whole = find(edge_library, ENCODER, A, ["dog"], limit=50)
    paged: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = find(edge_library, ENCODER, A, ["dog"], limit=5, offset=offset)
        paged += names(page.hits)
        offset = page.next_offset
    assert paged == names(whole.hits)
    assert len(set(paged)) == 12


def test_one_long_video_does_not_fill_the_page(edge_library: Library) -> None:
    """Where one video holds all the first places, the lists are taken deeper until others come."""
    share(edge_library, A, "long", *["dog"] * 1000, title="")
    for n in range(4):
        share(edge_library, A, f"short{n}", "tree", title="")
    page = find(edge_library, ENCODER, A, ["dog"], limit=5)
    assert names(page.hits)[0] == "long"
    assert len(page.hits) == 5


def test_inside_one_video_its_moments_are_the_hits(library: Library) -> None:
    """Asked within a video, each moment is a hit of its own, and other videos are none."""
    share(library, A, "one", "cat", "dog", "tree", title="")
    share(library, A, "two", "dog", title="")
    page = find(library, ENCODER, A, ["dog"], video_id=video_id("one"))
    assert (page.hits[0].start_s, page.hits[0].more) == (5.0, 0)
    assert len(page.hits) == 3
    assert set(names(page.hits)) == {"one"}


def test_any_of_several_texts_may_match(edge_library: Library) -> None:
    """What answers one of them well comes before what answers none."""
    for name in ("tree", "river", *(f"thing{number}" for number in range(20))):
        share(edge_library, A, name, name, title="")
    page = find(edge_library, ENCODER, A, ["tree", "river"], limit=2)
    assert sorted(names(page.hits)) == ["river", "tree"]


# ---- words ----


def test_one_word_in_common_does_not_drown_the_looks(edge_library: Library) -> None:
    """For "a man on a bike" a bike rider comes before all videos with "man" in their titles."""
    share(edge_library, A, "rider", "man bike", title="Sunday")
    for n in range(8):
        share(edge_library, A, f"man{n}", f"kitchen {n}", title=f"A man and his kitchen, part {n}")
    page = find(edge_library, ENCODER, A, ["a man on a bike"])
    assert names(page.hits)[0] == "rider"
    assert "words" not in {why.kind for hit in page.hits for why in hit.why}


def test_the_rare_word_of_a_question_counts(edge_library: Library) -> None:
    """A title that has the telling word is found by it, though it lacks the common one."""
    for n in range(8):
        share(edge_library, A, f"man{n}", f"kitchen {n}", title=f"A man and his kitchen, part {n}")
    share(edge_library, A, "unicycle", "nothing like it", title="Unicycle championship")
    page = find(edge_library, ENCODER, A, ["man unicycle"], limit=3)
    (hit,) = (hit for hit in page.hits if names((hit,)) == ["unicycle"])
    assert HitReason("words", "Unicycle championship") in hit.why


def test_a_score_tells_what_stands_out(library: Library) -> None:
    """What the question shows is likely meant; the nearest to a question that nothing answers is not."""
    for n in range(60):
        share(library, A, f"video{n}", f"thing{n}", title="")
    likely, unlikely = (find(library, ENCODER, A, [text]).hits[0].score for text in ("thing7", "unicorn"))
    assert likely > 0.5 > unlikely


def test_a_place_far_down_is_no_reason(edge_library: Library) -> None:
    """What was found by its words alone does not claim to look like the question."""
    for n in range(80):
        share(edge_library, A, f"look{n}", f"zebra parade {n}", title="")
    share(edge_library, A, "told", "tree", title="Zebra parade")
    hits = find(edge_library, ENCODER, A, ["zebra parade"], limit=3).hits
    assert {names((hit,))[0]: kinds(hit) for hit in hits}["told"] == ["words"]


def test_stop_words_find_nothing(edge_library: Library) -> None:
    """A title of stop words alone is no reason."""
    share(edge_library, A, "the", "tree", title="The one and the other of a video")
    (hit,) = find(edge_library, ENCODER, A, ["the video of a dog"]).hits
    assert "words" not in kinds(hit)


def test_a_video_without_pictures_is_found_by_its_words(library: Library) -> None:
    """By a title in Korean, too; and only if the words match."""
    share(library, A, "blocked", "", title="우리 강아지가 눈밭에서", pictures=False)
    share(library, A, "other", "tree", title="A tree")
    hits = {names((hit,))[0]: hit for hit in find(library, ENCODER, A, ["강아지"]).hits}
    assert (kinds(hits["blocked"]), hits["blocked"].thumbnail) == (["words"], None)
    assert hits["blocked"].score > 0.5 > hits["other"].score
    assert names(find(library, ENCODER, A, ["고양이"]).hits) == ["other"]


# ---- examples ----


def test_more_like_a_moment_finds_its_like_elsewhere(library: Library) -> None:
    """The nearest moments of other videos come first; the video of the example is left out."""
    video = share(library, A, "one", "dog snow", "dog snow again", title="")
    share(library, A, "two", "dog snow night", title="")
    share(library, A, "three", "tree", title="")
    page = find(library, ENCODER, A, like=[f"moment:{moment_id(video, 0)}"])
    assert names(page.hits) == ["two", "three"]


def test_examples_in_words_move_the_question(edge_library: Library) -> None:
    """What is like the one and unlike the other example comes first."""
    for text in ("dog snow", "dog beach", "tree"):
        share(edge_library, A, text, text, title="")
    for like, unlike, first in ((["snow"], ["beach"], "dog snow"), (["beach"], ["snow"], "dog beach")):
        assert names(find(edge_library, ENCODER, A, ["dog"], like, unlike).hits)[0] == first
    assert names(find(edge_library, ENCODER, A, like=["tree"]).hits)[0] == "tree"


def test_less_like_a_moment_pushes_it_away(edge_library: Library) -> None:
    """A counter-example is left out, and what resembles it falls behind."""
    beach = share(edge_library, A, "one", "dog beach", title="")
    share(edge_library, A, "two", "dog beach", title="")
    share(edge_library, A, "three", "dog snow", title="")
    page = find(edge_library, ENCODER, A, ["dog"], unlike=[f"moment:{moment_id(beach, 0)}"])
    assert names(page.hits) == ["three", "two"]


@pytest.mark.parametrize("example", ["moment:", "moment:x", f"moment:{video_id('unknown')}"])
def test_an_unknown_example_is_no_example(edge_library: Library, example: str) -> None:
    """A moment that is gone, or never was, asks for nothing."""
    share(edge_library, A, "one", "dog")
    assert find(edge_library, ENCODER, A, like=[example]).hits == ()
    assert find(edge_library, ENCODER, A, unlike=["dog"]).hits == ()
    assert names(find(edge_library, ENCODER, A, ["dog"], like=[example]).hits) == ["one"]


# ---- walls ----


def test_a_question_stays_in_its_space(library: Library) -> None:
    """Neither by question nor by example nor by video is anything of another space found."""
    video = share(library, A, "secret", "dog", title="dog")
    share(library, B, "own", "tree", title="tree")
    example = f"moment:{moment_id(video, 0)}"
    assert names(find(library, ENCODER, B, ["dog"]).hits) == ["own"]
    assert find(library, ENCODER, B, ["dog"], video_id=video.id).hits == ()
    assert find(library, ENCODER, B, like=[example]).hits == ()
    assert find(library, ENCODER, B, ["dog"]) == find(library, ENCODER, B, ["dog"], unlike=[example])


def test_each_space_sees_its_own_submitter(library: Library) -> None:
    """Of a video that two spaces share, each is told who shared it there."""
    share(library, A, "goal", "dog")
    submit(library, B, "goal", user_id="bob", minute=9)
    submitters = [find(library, ENCODER, space, ["dog"]).hits[0].submitter for space in (A, B)]
    assert submitters == ["ann", "bob"]


# ---- generations ----


def test_an_empty_library_answers_with_nothing(points: VectorStore) -> None:
    """Before the first video is stored, a question is answered all the same."""
    assert find(Library(points), ENCODER, A, ["dog"]).hits == ()


def test_vectors_of_two_generations_never_meet(library: Library) -> None:
    """Each encoder searches its own vectors; one whose turn has not come, or is over, is told so."""
    share(library, A, "goal", "dog")
    library.open("next", SIZE, None)
    with pytest.raises(GenerationMismatchError):
        find(library, FakeEncoder("next", motion_size=None), A, ["dog"])
    library.switch("next")
    assert find(library, ENCODER, A, ["dog"]).hits
    assert find(library, FakeEncoder("next", motion_size=None), A, ["dog"]).hits == ()
    library.open("third", SIZE, None)
    library.switch("third")
    with pytest.raises(GenerationMismatchError):
        find(library, ENCODER, A, ["dog"])


def test_the_same_question_has_the_same_answer(edge_library: Library) -> None:
    """Equal moments come in an order that does not change."""
    for n in range(20):
        share(edge_library, A, f"twin{n}", "dog", title="dog")
    first = find(edge_library, ENCODER, A, ["dog"], limit=20)
    assert first == find(edge_library, ENCODER, A, ["dog"], limit=20)
    assert [hit.moment_id for hit in first.hits] == sorted(moment_id(a_video(f"twin{n}"), 0) for n in range(20))


def test_what_is_not_there_is_told_as_weak(edge_library: Library) -> None:
    """Hits of which none stands out from the library are marked; one that is meant is not."""
    for n in range(40):
        share(edge_library, A, f"thing{n}", f"thing{n}", title="")
    assert not find(edge_library, ENCODER, A, ["thing7"]).weak
    hits = find(edge_library, ENCODER, A, ["thing7"]).hits
    assert Page(tuple(replace(hit, score=0.1) for hit in hits), None).weak
    assert not Page((), None).weak
