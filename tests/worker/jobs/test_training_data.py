"""What a retrain learns from, over the store in process and a model that is taught quickly."""

from collections.abc import Callable

import pytest

from indexer.types import Moment
from model.data.pairs import split
from tests.support.indexer_fakes import a_video, moment_id
from tests.support.toy_model import SIZE, Student, Teacher, numbered
from tests.worker.handlers.test_spaces import call
from tests.worker.jobs.test_retrain import (
    ADMIN,
    ANN,
    VIDEOS,
    ask,
    library_folder,
    loader,
    open_parts,
    picture_of,
    services,
    share,
    teacher,
    work,
)
from worker.handlers.spaces import RequestRefusedError
from worker.protocol.error_codes import ErrorCode
from worker.protocol.messages import PreviewRetrain, RecordVote, RetrainFinished
from worker.services import Services

__all__ = ["library_folder", "loader", "open_parts", "parts", "teacher"]


def test_titles_votes_and_what_was_voted_down_teach(services: Services, teacher: Teacher) -> None:
    """A question that was answered well is a pair; what was bad for the same question stands against it."""
    taught = [video for number in range(VIDEOS) if split((video := a_video(f"number {number}")).id) == "train"]
    up, down = (moment_id(video, 0) for video in taught[:2])
    call(services, RecordVote(caller=ANN, queries=("the third",), moment_id=up, kind="up"))
    call(services, RecordVote(caller=ADMIN, queries=("the third",), moment_id=down, kind="down"))
    ask(services)
    work(services)
    [pairs] = teacher.taught
    [voted] = [pair for pair in pairs if pair.kind == "vote"]
    assert (voted.text, voted.user_id, len(voted.against)) == ("the third", "ann", 1)
    assert {pair.kind for pair in pairs} == {"title", "vote"}


def test_a_picture_that_cannot_be_read_ends_nothing(services: Services, teacher: Teacher) -> None:
    """Nothing is learnt from what a power cut left of it, and its video stays in the library."""
    broken = a_video("number 42")
    services.blobs.put(f"videos/{broken.id}/0.jpg", numbered(42)[:400])
    ask(services)
    learned = work(services)
    assert isinstance(learned, RetrainFinished)
    assert learned.outcome == "promoted"
    assert broken.title not in {pair.text for pair in teacher.taught[0]}
    assert services.library.missing(services.library.generation() or "") == []


def test_too_little_says_how_much_is_missing(open_parts: Callable[[], Services]) -> None:
    """A few videos teach nothing that could be proved."""
    services = open_parts()
    services.library.open("base", SIZE, None)
    for number in range(12):
        share(services, number)
    material = call(services, PreviewRetrain(caller=ADMIN))
    assert (material.pairs, material.videos, material.kinds) == (12, 12, {"title": 12})
    assert material.missing >= 88
    with pytest.raises(RequestRefusedError) as refused:
        ask(services)
    assert refused.value.code is ErrorCode.TOO_FEW_PAIRS


def test_texts_that_say_nothing_are_not_counted(services: Services) -> None:
    """Who is asked whether to train is told of what would be trained on."""
    before = call(services, PreviewRetrain(caller=ADMIN)).pairs
    for words in ("IMG_0001.mp4", "the third"):
        found = moment_id(a_video("number 3"), 0)
        call(services, RecordVote(caller=ANN, queries=(words,), moment_id=found, kind="up"))
    assert call(services, PreviewRetrain(caller=ADMIN)).pairs == before + 1


def test_what_another_retrain_gathered_is_not_touched_but_deleted(
    services: Services, open_parts: Callable[[], Services], teacher: Teacher
) -> None:
    """A trainer that died, and whose retrain another machine ended, teaches nobody else with what it had gathered."""

    class Killed(BaseException):
        pass

    def kill(step: int) -> None:
        raise Killed

    teacher.stops = kill
    ask(services)
    with pytest.raises(Killed):
        work(services)
    folder = services.settings.data_dir / "work" / "retrain"
    assert list(folder.iterdir())
    services.generations.end_retraining()
    teacher.stops = lambda step: None
    again = open_parts()
    share(again, 111)
    ask(again)
    work(again)
    assert "number 111" in {pair.text for pair in teacher.taught[-1]}
    assert list(folder.iterdir()) == []


def test_a_long_video_s_title_goes_with_some_of_its_moments(services: Services) -> None:
    """With eight at most, from all along it."""
    video, [vector] = a_video("number 3"), Student().frames([picture_of(3)])
    key = f"videos/{video.id}/0.jpg"
    moments = [
        Moment(moment_id(video, i), video.id, 5.0 * i, 5.0 * i + 5, key, video.title, vector, frames=(key,))
        for i in range(15)
    ]
    assert services.library.put_moments(video, moments, "base")
    assert call(services, PreviewRetrain(caller=ADMIN)).kinds == {"title": VIDEOS - 1 + 8}
