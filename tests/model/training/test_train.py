"""The real loop on tiny towers: it learns, goes on after a kill, stops when asked, and tells no text."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from model.config import TrainingConfig, read_run
from model.data.pairs import Pair
from model.encoders import hub, lora
from model.encoders.clip import HubEncoder, HubTower
from model.encoders.preprocess import Preprocess
from model.errors import AdapterMismatch, Cancelled
from model.evaluation.compare import encode
from model.outcome import Step
from model.starter import encoder
from model.starter.sentence_encoder import FEATURES
from model.starter.text_map import SIZE, TextMap
from model.training import starter_towers as upper_layers
from model.training.starter_towers import StarterTowers, TorchLayers
from model.training.towers import HubTowers
from model.training.train import Loading, train_towers
from tests.support import tiny_models

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNS)

PREPROCESS = Preprocess(
    tiny_models.SIDE, (tiny_models.SIDE, tiny_models.SIDE), "bicubic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
)
COUNT = 16


class Killed(Exception):
    """As if the process had ended here."""


@dataclass
class Watcher:
    """Hears of every step; kills the run or asks it to stop after one."""

    kill_at: int = 10**9
    stop_at: int = 10**9
    steps: list[Step] = field(default_factory=list)

    def progress(self, step: Step) -> None:
        self.steps.append(step)
        if step.stage == "training" and step.step == self.kill_at:
            raise Killed

    def stopping(self) -> bool:
        return self.steps[-1].stage == "training" and self.steps[-1].step >= self.stop_at


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and pictures."""
    root = tmp_path_factory.mktemp("training")
    for name, save in tiny_models.FAMILIES.items():
        save(root / name)
    for i in range(COUNT + 2):
        for frame in range(3):
            Image.fromarray(tiny_models.picture(100 * frame + i)).save(root / f"{i}-{frame}.png")
    return root


@pytest.fixture(scope="module")
def pairs(root: Path) -> list[Pair]:
    """The same to teach and to look at: what is promised here is that they are learnt."""
    some = [Pair(f"secret thing {i}", (root / f"{i}-0.png",), f"source {i}", stated="train") for i in range(COUNT)]
    return [*some, *(replace(pair, stated="validation") for pair in some)]


def small(**changes: object) -> TrainingConfig:
    """The shipped run, for 16 pictures."""
    stated = read_run()
    run = {
        "steps": 30,
        "batch": 8,
        "chunk": 4,
        "check_every": 10,
        "patience": 9,
        "rate": 1e-2,
        "map_rate": 1e-2,
        "texts": 1,
    }
    return TrainingConfig.model_validate({**stated.model_dump(), **run, "map_dropout": 0.1, **changes})


def sentences(texts: list[str]) -> torch.Tensor:
    """Of each word some numbers of its own."""
    words = [[torch.Generator().manual_seed(int.from_bytes(w.encode()[-7:])) for w in text.split()] for text in texts]
    return torch.stack([sum(torch.randn(FEATURES, generator=g) for g in some) for some in words])


@pytest.fixture
def starter_towers(root: Path) -> Callable[[TrainingConfig, Path], dict[str, Loading]]:
    """The starter's kind, tiny: three layers, of which the run adapts some."""

    def build(run: TrainingConfig, folder: Path) -> dict[str, Loading]:
        def load() -> StarterTowers:
            torch.manual_seed(0)
            vision = {**tiny_models._VISION, "num_hidden_layers": 3, "projection_dim": SIZE}
            tower = CLIPVisionModelWithProjection(CLIPVisionConfig(**vision)).eval()
            tower.name_or_path = "tiny/tower@1"
            text_map = TextMap(16, run.map_dropout)
            lower = partial(TorchLayers, device=torch.device("cpu"))
            return StarterTowers(tower, PREPROCESS, lower, sentences, text_map, run, None, folder / "cache")

        return {"frame": load}

    return build


@pytest.fixture
def fit(starter_towers: Callable[[TrainingConfig, Path], dict[str, Loading]]) -> Callable[..., object]:
    def fit(run: TrainingConfig, pairs: list[Pair], folder: Path, watcher: Watcher) -> object:
        loading = starter_towers(run, folder)
        return train_towers(
            run,
            pairs,
            loading,
            preset="starter",
            device="cpu",
            folder=folder,
            progress=watcher.progress,
            stopping=watcher.stopping,
        )

    return fit


def weights(folder: Path) -> dict[str, torch.Tensor]:
    frame = load_file(folder / "adapter" / "frame" / lora.WEIGHTS)
    return {**frame, **load_file(folder / "adapter" / encoder.MAP)}


def test_it_learns(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """Sixteen pairs are learnt by heart, by the adapter and the map; the loss falls and the best step is kept."""
    trained = fit(small(), pairs, tmp_path, Watcher())
    outcome = trained.outcomes["frame"]
    assert outcome.validation[0][1] < 0.5
    assert max(figure for _, figure in outcome.validation) > 0.9
    assert outcome.losses[-1][1] < outcome.losses[0][1] / 2
    assert dict(outcome.validation)[outcome.best_step] == max(figure for _, figure in outcome.validation)
    learnt = weights(tmp_path)
    assert all(tensor.abs().max() > 0 for name, tensor in learnt.items() if "lora_B" in name)
    assert trained.adapter == tmp_path / "adapter"


def test_a_killed_run_goes_on_as_if_nothing_happened(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """Killed between checkpoints and called again: adapter and curves are those of an unbroken run, bit by bit."""
    run = small(steps=12, check_every=4)
    whole = fit(run, pairs, tmp_path / "whole", Watcher())
    with pytest.raises(Killed):
        fit(run, pairs, tmp_path / "broken", Watcher(kill_at=6))
    again = Watcher()
    resumed = fit(run, pairs, tmp_path / "broken", again)
    assert next(step.step for step in again.steps if step.stage == "training") == 5
    assert resumed.outcomes == whole.outcomes
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_another_run_does_not_go_on_from_it(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """A checkpoint of other pairs or another plan is not taken up."""
    with pytest.raises(Killed):
        fit(small(check_every=2), pairs, tmp_path, Watcher(kill_at=3))
    again = Watcher()
    fit(small(check_every=2, steps=4), pairs, tmp_path, again)
    assert next(step.step for step in again.steps if step.stage == "training") == 1


def test_cancel_stops_at_the_next_checkpoint(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """Asked at step 5, it ends at step 8 with a checkpoint and without an adapter."""
    watcher = Watcher(stop_at=5)
    with pytest.raises(Cancelled, match="step 8 of 30"):
        fit(small(check_every=4), pairs, tmp_path, watcher)
    assert watcher.steps[-1].step == 8
    assert (tmp_path / "frame" / "checkpoint.pt").exists()
    assert not (tmp_path / "adapter").exists()


def test_the_summary_tells_no_text(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """`adapter.json` has the run, the models, counts and curves; no text, source, person or path of a pair."""
    mine = [replace(pair, user_id="someone") for pair in pairs]
    fit(small(steps=2), mine, tmp_path, Watcher())
    told = (tmp_path / "adapter" / "adapter.json").read_text()
    summary = json.loads(told)
    assert not any(word in told for word in ("secret", "source 1", "someone", str(tmp_path), ".png"))
    assert summary["data"]["pairs"] == {"train": COUNT, "validation": COUNT}
    assert summary["data"]["people"] == 1
    assert summary["models"] == {"frame": "tiny/tower@1"}
    assert summary["run"]["seed"] == 0
    assert len(summary["curves"]["frame"]["losses"]) == 2


def test_a_chunk_changes_memory_only(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """Without dropout, chunks of 2 and one of 8 give the same losses and weights, but for rounding."""
    plain = small(steps=3, map_dropout=0.0, lora={**small().lora.model_dump(), "dropout": 0.0})
    losses = []
    for chunk in (2, 8):
        trained = fit(plain.model_copy(update={"chunk": chunk}), pairs, tmp_path / str(chunk), Watcher())
        losses.append([loss for _, loss in trained.outcomes["frame"].losses])
    np.testing.assert_allclose(*losses, rtol=2e-2)


def test_it_ends_early(fit, pairs: list[Pair], tmp_path: Path) -> None:
    """Where no look is better than the beginning, it ends after the run's patience with the first weights."""
    nothing = small(rate=1e-12, map_rate=1e-12, weight_decay=0.0, check_every=2, patience=2)
    outcome = fit(nothing, pairs, tmp_path, Watcher()).outcomes["frame"]
    assert outcome.steps == 4
    assert outcome.best_step == 0


def test_the_upper_layers_are_the_tower(starter_towers, pairs: list[Pair], tmp_path: Path) -> None:
    """Kept outputs of the lower layers and the rest of the way give what the whole tower gives."""
    towers = starter_towers(small(), tmp_path)["frame"]()
    clips = [pair.pictures for pair in pairs[:3]]
    towers.prepare(["a"], clips, lambda *_: None)
    pictures = [upper_layers.read_picture(clip[0]) for clip in clips]
    with torch.inference_mode():
        towers.module.eval()
        _, frames = towers.module(torch.zeros(1, FEATURES), towers.clips(np.arange(3), np.zeros(3, np.int64)))
        whole = towers.module.tower(pixel_values=PREPROCESS(pictures)).image_embeds
        expected = towers.module.text_map.pictures(torch.nn.functional.normalize(whole, dim=1))
    torch.testing.assert_close(frames[:, 0], expected, atol=2e-3, rtol=0)


def test_an_adapters_own_map_serves(tmp_path: Path) -> None:
    """The map beside an adapter is read, is part of the generation's name, and is refused when damaged."""
    assert encoder.map_file(tmp_path) == encoder.map_file(None) == encoder.WEIGHTS
    bare = encoder.generation(tmp_path)
    TextMap(16).save(tmp_path / encoder.MAP)
    assert encoder.map_file(tmp_path) == tmp_path / encoder.MAP
    assert encoder.generation(tmp_path) != bare
    (tmp_path / encoder.MAP).write_bytes(b"no map")
    with pytest.raises(AdapterMismatch, match="holds no map"):
        TextMap.read(tmp_path / encoder.MAP)


def test_a_run_that_fits_no_layer_is_refused(root: Path) -> None:
    """Targets that the model does not have are a sentence, not a run that learns nothing."""
    run = small(lora={**small().lora.model_dump(), "targets": ["no_such_layer"]})
    with pytest.raises(AdapterMismatch, match="tiny/clip@1 has no layers named no_such_layer"):
        hub_towers(root, "clip", run)()


def hub_towers(root: Path, name: str, run: TrainingConfig, part: Path | None = None) -> Loading:
    return lambda: HubTowers(hub.read(root / name, f"tiny/{name}@1"), run, part)


@pytest.mark.parametrize("family", ["clip", "siglip", "chinese"])
def test_hub_towers_learn(root: Path, pairs: list[Pair], tmp_path: Path, family: str) -> None:
    """Both sides of a CLIP, a SigLIP and a Chinese CLIP are trained by the same loop, and the adapter merges."""
    run = small(steps=12, rate=1e-2)
    quiet = Watcher()
    trained = train_towers(
        run,
        pairs,
        {"frame": hub_towers(root, family, run)},
        preset="base",
        device="cpu",
        folder=tmp_path,
        progress=quiet.progress,
        stopping=quiet.stopping,
    )
    losses = trained.outcomes["frame"].losses
    assert losses[-1][1] < losses[0][1]
    adapted = lora.merged(hub.read(root / family, f"tiny/{family}@1").model, tmp_path / "adapter" / "frame")
    moved = [n for n, t in load_file(tmp_path / "adapter" / "frame" / lora.WEIGHTS).items() if t.abs().max() > 0]
    assert any("text_model" in name for name in moved)
    assert any("vision_model" in name for name in moved)
    assert type(adapted).__name__.endswith("Model")


@pytest.mark.parametrize("loss", ["info_nce", "sampled_nce", "mil_nce"])
def test_motion_learns_from_clips_alone(root: Path, tmp_path: Path, loss: str) -> None:
    """X-CLIP is trained on pairs that have clips, with every loss and hard negatives; photographs are left out."""
    clips = [
        Pair(
            f"thing {i}",
            tuple(root / f"{i}-{frame}.png" for frame in range(3)),
            f"video {i}",
            stated="train",
            against=((root / f"{COUNT}-0.png", root / f"{COUNT}-1.png"),),
        )
        for i in range(6)
    ]
    photograph = Pair("alone", (root / "7-0.png",), "photograph", stated="train")
    run = small(steps=3, batch=4, chunk=2, frames=2, loss=loss)
    quiet = Watcher()
    loading: Mapping[str, Loading] = {
        "frame": hub_towers(root, "clip", run),
        "motion": hub_towers(root, "xclip", run),
    }
    trained = train_towers(
        run,
        [*clips, photograph],
        loading,
        preset="base",
        device="cpu",
        folder=tmp_path,
        progress=quiet.progress,
        stopping=quiet.stopping,
    )
    assert set(trained.outcomes) == {"frame", "motion"}
    assert all(np.isfinite(value) for outcome in trained.outcomes.values() for _, value in outcome.losses)
    lora.merged(hub.read(root / "xclip", "tiny/xclip@1").model, tmp_path / "adapter" / "motion")


def test_it_goes_on_from_an_adapter(root: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """From an adapter on, it begins with what that one knows; one of another model is refused with a sentence."""
    run = small(steps=12, rate=1e-2)
    quiet = Watcher()

    def go_on(name: str, part: Path | None, folder: Path) -> list[tuple[int, float]]:
        trained = train_towers(
            run,
            pairs,
            {"frame": hub_towers(root, name, run, part)},
            preset="base",
            device="cpu",
            folder=folder,
            progress=quiet.progress,
            stopping=quiet.stopping,
        )
        return trained.outcomes["frame"].validation

    first = go_on("clip", None, tmp_path / "first")
    part = tmp_path / "first" / "adapter" / "frame"
    second = go_on("clip", part, tmp_path / "second")
    assert second[0][1] == pytest.approx(max(figure for _, figure in first))
    with pytest.raises(AdapterMismatch, match="made for tiny/clip@1, not tiny/siglip@1"):
        go_on("siglip", part, tmp_path / "third")


def test_the_best_step_is_chosen_by_the_figure_that_judges(root: Path, tmp_path: Path) -> None:
    """A title goes with several moments of its video, of which any is right, and a clip is the unit mean of its frames:
    before anything was learnt, the validation figure is the one of `model.evaluation.compare`.
    """
    looked_at = [
        Pair(f"{kind} {i if kind == 'chapter' else i // 4}", clip, f"video {i // 4}", stated="validation")
        for i in range(COUNT)
        for clip in [tuple(root / f"{i}-{frame if i % 2 else 0}.png" for frame in range(3))]  # some stand still
        for kind in (("title", "chapter") if i < 2 else ("title",))
    ]
    taught = [replace(pair, stated="train") for pair in looked_at]
    run = small(steps=1, check_every=1, frames=3, chunk=1)
    trained = train_towers(
        run,
        [*taught, *looked_at],
        {"frame": hub_towers(root, "clip", run)},
        preset="base",
        device="cpu",
        folder=tmp_path,
        progress=Watcher().progress,
        stopping=lambda: False,
    )
    tower = HubTower(hub.read(root / "clip", "tiny/clip@1"), torch.device("cpu"), torch.float32)
    judged = encode(looked_at, HubEncoder("tiny", tower, None)).report().text_to_image
    assert judged.queries == 6
    assert trained.outcomes["frame"].validation[0][1] == pytest.approx(judged.mrr, abs=0.01)


def test_other_weights_do_not_go_on_from_a_checkpoint(root: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """After a change of preset the same call begins anew, whatever lies in the folder."""
    run = small(check_every=2, steps=4)

    def first_step(name: str, watcher: Watcher) -> int:
        with suppress(Killed):
            train_towers(
                run,
                pairs,
                {"frame": hub_towers(root, name, run)},
                preset="base",
                device="cpu",
                folder=tmp_path,
                progress=watcher.progress,
                stopping=watcher.stopping,
            )
        return next(step.step for step in watcher.steps if step.stage == "training")

    assert first_step("clip", Watcher(kill_at=3)) == 1
    assert first_step("clip", Watcher(kill_at=3)) == 3
    assert first_step("siglip", Watcher()) == 1
