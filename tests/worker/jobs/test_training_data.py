"""Training data of a retrain: which examples are collected, and which are left out."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from indexer.ingest.evidence import put_evidence
from indexer.types import Caption, Evidence, Moment
from model.data.pairs import assign_split
from tests.support.indexer.fakes import make_video, moment_id
from tests.support.model.toy_model import ToyEncoder, ToyTrainer, make_numbered_jpeg, make_numbered_picture
from tests.support.worker.callers import ADMIN, ANN
from tests.support.worker.services import handle
from tests.support.worker.toy_library import (
    BASE,
    VIDEO_COUNT,
    add_numbered_video,
    create_base_generation,
    run_retrain,
    start_retrain,
)
from worker.handlers.errors import RequestRefusedError
from worker.jobs.training_data import (
    TrainingExample,
    align_examples,
    collect_examples,
    estimate_unrelated,
    gather_examples,
    load_pairs,
    summarize,
)
from worker.protocol.error_codes import ErrorCode
from worker.protocol.models import PreviewRetrain
from worker.protocol.search import RecordVote
from worker.protocol.updates import RetrainFinished, RetrainOutcome
from worker.services import Services


class KilledError(BaseException):
    """The process is killed. Code under test does not catch it."""


def test_titles_and_votes_become_pairs(services: Services, trainer: ToyTrainer) -> None:
    """A query with a moment that was voted up is a pair; those voted down for this query are its hard negatives."""
    videos = [make_video(f"number {number}") for number in range(VIDEO_COUNT)]
    up, down = [moment_id(video, 0) for video in videos if assign_split(video.id) == "train"][:2]
    handle(services, RecordVote(caller=ANN, queries=("the third",), moment_id=up, kind="up"))
    handle(services, RecordVote(caller=ADMIN, queries=("the third",), moment_id=down, kind="down"))
    start_retrain(services)
    run_retrain(services)
    [pairs] = trainer.trained_on
    [voted] = [pair for pair in pairs if pair.kind == "vote"]
    assert (voted.text, voted.user_id, len(voted.hard_negatives)) == ("the third", "ann", 1)
    assert {pair.kind for pair in pairs} == {"title", "vote"}


def test_example_with_corrupt_picture_is_left_out(services: Services, trainer: ToyTrainer) -> None:
    """The video stays in the library."""
    broken = make_video("number 42")
    services.blobs.put(f"videos/{broken.id}/0.jpg", make_numbered_jpeg(42)[:400])
    start_retrain(services)
    outcome = run_retrain(services)
    assert isinstance(outcome, RetrainFinished)
    assert outcome.outcome is RetrainOutcome.PROMOTED
    assert broken.title not in {pair.text for pair in trainer.trained_on[0]}
    assert services.stores.reembedding.videos_missing_from(BASE) == []


def test_retrain_with_too_few_pairs_is_refused(restart_worker: Callable[[], Services]) -> None:
    """The preview says how many are missing."""
    services = restart_worker()
    create_base_generation(services)
    for number in range(12):
        add_numbered_video(services, number)
    summary = handle(services, PreviewRetrain(caller=ADMIN))
    assert (summary.pairs, summary.videos, summary.pairs_by_kind) == (12, 12, {"title": 12})
    assert summary.missing_pairs >= 88
    with pytest.raises(RequestRefusedError) as refused:
        start_retrain(services)
    assert refused.value.code is ErrorCode.TOO_FEW_PAIRS


def test_uninformative_texts_are_not_counted(services: Services) -> None:
    """The preview counts what a retrain would be trained on."""
    before = handle(services, PreviewRetrain(caller=ADMIN)).pairs
    for query in ("IMG_0001.mp4", "the third"):
        voted = moment_id(make_video("number 3"), 0)
        handle(services, RecordVote(caller=ANN, queries=(query,), moment_id=voted, kind="up"))
    assert handle(services, PreviewRetrain(caller=ADMIN)).pairs == before + 1


def test_examples_of_earlier_retrain_are_deleted_unused(
    services: Services, restart_worker: Callable[[], Services], trainer: ToyTrainer
) -> None:
    """A worker was killed, and another machine finished its retrain; the next one collects its own examples."""

    def kill(step: int) -> None:
        raise KilledError

    trainer.on_step = kill
    start_retrain(services)
    with pytest.raises(KilledError):
        run_retrain(services)
    folder = services.settings.data_dir / "work" / "retrain"
    assert list(folder.iterdir())
    services.stores.retrains.finish()
    trainer.on_step = lambda step: None
    restarted = restart_worker()
    add_numbered_video(restarted, 111)
    start_retrain(restarted)
    run_retrain(restarted)
    assert "number 111" in {pair.text for pair in trainer.trained_on[-1]}
    assert list(folder.iterdir()) == []


def test_title_is_paired_with_limited_number_of_moments(services: Services) -> None:
    """Of a long video, eight moments are taken from all parts of it."""
    video, [vector] = make_video("number 3"), ToyEncoder().encode_frames([make_numbered_picture(3)])
    key = f"videos/{video.id}/0.jpg"
    moments = [
        Moment(moment_id(video, i), video.id, 5.0 * i, 5.0 * i + 5, key, video.title, vector, frames=(key,))
        for i in range(15)
    ]
    assert services.stores.publisher.publish_moments(video, moments, BASE)
    assert handle(services, PreviewRetrain(caller=ADMIN)).pairs_by_kind == {"title": VIDEO_COUNT - 1 + 8}


def test_recognized_speech_becomes_pairs(services: Services) -> None:
    """The lines that the enrich job stores take the place of the subtitles from the index job."""
    said = (Caption(0.0, 2.0, "a third of the"), Caption(2.0, 4.0, "numbers is odd"))
    put_evidence(
        services.stores.enrichment, ToyEncoder(), {moment_id(make_video("number 3"), 0): Evidence(said, None, None)}
    )
    speech = [each for each in collect_examples(services.stores, None) if each.kind == "speech"]
    assert [each.text for each in speech] == ["a third of the numbers is odd"]


def say_numbers(services: Services, wrong: int) -> set[str]:
    """Let every video say a number, the first ones a wrong one. Returns the wrong sentences."""
    shifts = [1 if number < wrong else 0 for number in range(VIDEO_COUNT)]
    said = [f"this is number {(number + shift) % VIDEO_COUNT}" for number, shift in enumerate(shifts)]
    evidence = {
        moment_id(make_video(f"number {number}"), 0): Evidence((Caption(0.0, 2.0, text),), None, None)
        for number, text in enumerate(said)
    }
    put_evidence(services.stores.enrichment, ToyEncoder(), evidence)
    return set(said[:wrong])


def test_speech_about_something_else_is_left_out(services: Services, tmp_path: Path) -> None:
    """Not of held-out videos: they judge both models."""
    wrong = say_numbers(services, 40)
    examples = collect_examples(services.stores, None)
    encoder = ToyEncoder(knows=True)
    kept = align_examples(services.stores.moments, encoder, examples)
    assert kept == [each for each in examples if each.text not in wrong or assign_split(each.video_id) != "train"]
    assert gather_examples(services.stores, services.blobs, encoder, None, tmp_path, lambda done, total: None)
    speech = {pair.text for pair in load_pairs(tmp_path) if pair.kind == "speech" and pair.split == "train"}
    assert speech
    assert not speech & wrong


def test_preview_estimates_how_many_are_left_out(services: Services) -> None:
    """It examines a part of them. They do not count as pairs that are there."""
    say_numbers(services, 40)
    examples, encoder = collect_examples(services.stores, None), ToyEncoder(knows=True)
    exact = len(examples) - len(align_examples(services.stores.moments, encoder, examples))
    assert estimate_unrelated(services.stores.moments, encoder, examples) == pytest.approx(exact, abs=5)
    assert summarize(examples, unrelated=len(examples)).missing_pairs == 100


def test_nothing_is_left_out_if_the_model_cannot_tell(services: Services) -> None:
    say_numbers(services, 40)
    examples = collect_examples(services.stores, None)
    assert align_examples(services.stores.moments, ToyEncoder(), examples) == examples


def test_speech_is_paired_with_the_moment_that_it_is_about(services: Services) -> None:
    """People speak early or late. Titles stay with their moment."""
    say_numbers(services, 0)
    examples = collect_examples(services.stores, None)
    own = [each for each in examples if each.kind == "speech" and assign_split(each.video_id) == "train"]
    late = [_shift(each, other) for each, other in pairwise(own)]
    others = [each for each in examples if each.kind == "title"]
    aligned = align_examples(services.stores.moments, ToyEncoder(knows=True), [*late, *others])
    assert [each.pictures for each in aligned[: len(late)]] == [each.pictures for each in own[:-1]]
    assert aligned[len(late) :] == others


def _shift(example: TrainingExample, to: TrainingExample) -> TrainingExample:
    """Return the example with another moment as its own, and its own one as the moment before."""
    before = ((example.moment_id, example.pictures),)
    return replace(example, moment_id=to.moment_id, pictures=to.pictures, near=before)


def test_speech_may_be_about_the_moments_around_its_own(services: Services) -> None:
    """Of a video with three moments, the first one has one neighbour, and the second one has two."""
    video, [vector] = make_video("number 3"), ToyEncoder().encode_frames([make_numbered_picture(3)])
    key, ids = f"videos/{video.id}/0.jpg", [moment_id(video, i) for i in range(3)]
    moments = [
        Moment(id, video.id, 5.0 * i, 5.0 * i + 5, key, video.title, vector, frames=(key,)) for i, id in enumerate(ids)
    ]
    assert services.stores.publisher.publish_moments(video, moments, BASE)
    said = {id: Evidence((Caption(5.0 * i, 5.0 * i + 2, "three"),), None, None) for i, id in enumerate(ids)}
    put_evidence(services.stores.enrichment, ToyEncoder(), said)
    speech = [each for each in collect_examples(services.stores, None) if each.kind == "speech"]
    assert [[ids.index(id) for id, _ in each.bag] for each in speech] == [[0, 1], [1, 0, 2], [2, 1]]
