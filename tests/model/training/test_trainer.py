"""The training loop on tiny towers: learning, resuming, cancelling, early stopping and the summary."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from model.config import TrainingConfig
from model.data.images import read_picture
from model.data.pairs import Pair
from model.encoders import hub, lora
from model.encoders.hub_encoder import HubEncoder, HubTower
from model.encoders.preprocess import Preprocess
from model.errors import AdapterMismatchError, TrainingCancelledError
from model.evaluation.compare import encode_pairs
from model.outcome import TrainedAdapter
from model.presets import list_starter_revisions
from model.starter import encoder
from model.starter.sentence_encoder import FEATURES
from model.starter.text_map import SIZE, TextMap
from model.training.starter_towers import StarterModels, StarterTowers, TorchLowerLayers
from model.training.towers import HubTowers
from model.training.train import LoadTowers, train_towers
from model.training.training_run import TrainingRun
from tests.support.model import tiny_models
from tests.support.model.colour_encoder import LengthEncoder
from tests.support.model.training_watcher import COUNT, ProcessKilledError, TrainingWatcher, make_config

pytestmark = pytest.mark.filterwarnings(tiny_models.PEFT_WARNING)

PREPROCESS = Preprocess(
    tiny_models.SIDE, (tiny_models.SIDE, tiny_models.SIDE), "bicubic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
)
CPU = torch.device("cpu")


def encode_words(texts: Sequence[str]) -> torch.Tensor:
    """Encode a text as the sum of a random vector per word."""
    words = [[torch.Generator().manual_seed(int.from_bytes(w.encode()[-7:])) for w in text.split()] for text in texts]
    return torch.stack(
        [torch.stack([torch.randn(FEATURES, generator=random) for random in some]).sum(0) for some in words]
    )


def make_starter_towers(config: TrainingConfig, folder: Path) -> StarterTowers:
    """Make a tiny starter: three layers, of which the configuration adapts some."""
    torch.manual_seed(0)
    vision = CLIPVisionConfig.from_dict({**tiny_models.VISION, "num_hidden_layers": 3, "projection_dim": SIZE})
    tower = CLIPVisionModelWithProjection(vision).eval()
    tower.name_or_path = "tiny/tower@1"
    models = StarterModels(
        tower=tower,
        preprocess=PREPROCESS,
        build_lower_layers=partial(TorchLowerLayers, device=CPU),
        sentences=encode_words,
        text_map=TextMap(16, config.map_dropout),
    )
    return StarterTowers(models, config, None, folder / "cache")


def load_hub_towers(root: Path, name: str, config: TrainingConfig, base_adapter: Path | None = None) -> LoadTowers:
    return lambda: HubTowers(hub.read_model(root / name, f"tiny/{name}@1"), config, base_adapter)


def fit_towers(
    towers: Mapping[str, LoadTowers],
    config: TrainingConfig,
    pairs: Sequence[Pair],
    folder: Path,
    watcher: TrainingWatcher | None = None,
) -> TrainedAdapter:
    watcher = watcher or TrainingWatcher()
    run = TrainingRun(
        config=config,
        pairs=pairs,
        preset=list_starter_revisions()[0],
        device="cpu",
        folder=folder,
        on_progress=watcher.on_progress,
        is_cancelled=watcher.is_cancelled,
    )
    return train_towers(run, towers)


def fit_starter(
    config: TrainingConfig, pairs: Sequence[Pair], folder: Path, watcher: TrainingWatcher | None = None
) -> TrainedAdapter:
    return fit_towers({"frame": lambda: make_starter_towers(config, folder)}, config, pairs, folder, watcher)


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    frame = load_file(folder / "adapter" / "frame" / lora.WEIGHTS_FILE)
    return {**frame, **load_file(folder / "adapter" / encoder.MAP_FILE)}


def test_starter_training_memorizes_pairs_and_keeps_best_step(pairs: list[Pair], tmp_path: Path) -> None:
    """The adapter and the map learn sixteen pairs, and the loss falls."""
    trained = fit_starter(make_config(), pairs, tmp_path)
    outcome = trained.outcomes["frame"]
    assert outcome.validation[0][1] < 0.5
    assert max(figure for _, figure in outcome.validation) > 0.9
    assert outcome.losses[-1][1] < outcome.losses[0][1] / 2
    assert dict(outcome.validation)[outcome.best_step] == max(figure for _, figure in outcome.validation)
    weights = read_weights(tmp_path)
    assert all(tensor.abs().max() > 0 for name, tensor in weights.items() if "lora_B" in name)
    assert trained.adapter == tmp_path / "adapter"


def test_killed_run_resumes_bit_identically(pairs: list[Pair], tmp_path: Path) -> None:
    """After a kill between checkpoints, adapter and curves equal those of an uninterrupted run."""
    config = make_config(steps=12, check_every=4)
    whole = fit_starter(config, pairs, tmp_path / "whole")
    with pytest.raises(ProcessKilledError):
        fit_starter(config, pairs, tmp_path / "killed", TrainingWatcher(kill_at=6))
    watcher = TrainingWatcher()
    resumed = fit_starter(config, pairs, tmp_path / "killed", watcher)
    assert watcher.first_step == 5
    assert resumed.outcomes == whole.outcomes
    one, other = read_weights(tmp_path / "whole"), read_weights(tmp_path / "killed")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_checkpoint_of_another_config_is_ignored(pairs: list[Pair], tmp_path: Path) -> None:
    with pytest.raises(ProcessKilledError):
        fit_starter(make_config(check_every=2), pairs, tmp_path, TrainingWatcher(kill_at=3))
    watcher = TrainingWatcher()
    fit_starter(make_config(check_every=2, steps=4), pairs, tmp_path, watcher)
    assert watcher.first_step == 1


def test_cancelled_run_stops_at_next_checkpoint(pairs: list[Pair], tmp_path: Path) -> None:
    """Cancelled at step 5, the run ends at step 8 with a checkpoint and without an adapter."""
    watcher = TrainingWatcher(cancel_at=5)
    with pytest.raises(TrainingCancelledError, match="step 8 of 30"):
        fit_starter(make_config(check_every=4), pairs, tmp_path, watcher)
    assert watcher.steps[-1].step == 8
    assert (tmp_path / "frame" / "checkpoint.pt").exists()
    assert not (tmp_path / "adapter").exists()


def test_summary_contains_counts_but_no_user_data(pairs: list[Pair], tmp_path: Path) -> None:
    """`adapter.json` has the configuration, models, counts and curves; no text, source, user or path of a pair."""
    of_user = [replace(pair, user_id="someone") for pair in pairs]
    fit_starter(make_config(steps=2), of_user, tmp_path)
    written = (tmp_path / "adapter" / "adapter.json").read_text()
    summary = json.loads(written)
    assert not any(word in written for word in ("secret", "source 1", "someone", str(tmp_path), ".png"))
    assert summary["data"]["pairs"] == {"train": COUNT, "validation": COUNT}
    assert summary["data"]["people"] == 1
    assert summary["models"] == {"frame": "tiny/tower@1"}
    assert summary["run"]["seed"] == 0
    assert len(summary["curves"]["frame"]["losses"]) == 2


def test_chunk_size_does_not_change_losses(pairs: list[Pair], tmp_path: Path) -> None:
    """Without dropout, chunks of 2 and of 8 give the same losses up to rounding."""
    config = make_config(steps=3, map_dropout=0.0, lora={**make_config().lora.model_dump(), "dropout": 0.0})
    losses = []
    for chunk in (2, 8):
        trained = fit_starter(config.model_copy(update={"chunk": chunk}), pairs, tmp_path / str(chunk))
        losses.append(np.array([loss for _, loss in trained.outcomes["frame"].losses]))
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-2)


def test_training_without_improvement_stops_early(pairs: list[Pair], tmp_path: Path) -> None:
    """If no validation is better than the first, the run ends after its patience with the initial weights."""
    config = make_config(rate=1e-12, map_rate=1e-12, weight_decay=0.0, check_every=2, patience=2)
    outcome = fit_starter(config, pairs, tmp_path).outcomes["frame"]
    assert outcome.steps == 4
    assert outcome.best_step == 0


@pytest.mark.parametrize("has_validation", [True, False])
def test_diverging_run_ends_with_the_last_good_weights(pairs: list[Pair], tmp_path: Path, has_validation: bool) -> None:
    """The loss becomes NaN; the run says at which step, and keeps the best weights from before."""
    used = pairs if has_validation else pairs[:COUNT]
    config = make_config(rate=1e20, map_rate=1e30, warm_up=0.0, steps=20, check_every=1, patience=20)
    outcome = fit_starter(config, used, tmp_path).outcomes["frame"]
    assert outcome.diverged_at is not None
    assert outcome.best_step < outcome.diverged_at < 20
    assert len(outcome.losses) == outcome.diverged_at - 1
    assert all(tensor.isfinite().all() for tensor in read_weights(tmp_path).values())


def test_cached_lower_and_upper_layers_equal_whole_tower(pairs: list[Pair], tmp_path: Path) -> None:
    towers = make_starter_towers(make_config(), tmp_path)
    clips = [pair.pictures for pair in pairs[:3]]
    towers.prepare(["a"], clips, lambda *_: None)
    pictures = [read_picture(clip[0]) for clip in clips]
    with torch.inference_mode():
        towers.module.eval()
        _, frames = towers.module(
            torch.zeros(1, FEATURES), towers.make_clip_inputs(np.arange(3), np.zeros(3, np.int64))
        )
        whole = towers.module.tower(pixel_values=PREPROCESS(pictures)).image_embeds
        expected = towers.module.text_map.encode_pictures(torch.nn.functional.normalize(whole, dim=1))
    torch.testing.assert_close(frames[:, 0], expected, atol=2e-3, rtol=0)


def test_text_map_of_adapter_is_served(tmp_path: Path) -> None:
    """An adapter's map is used, changes the generation's name, and is refused if it is damaged."""
    [preset, *_] = list_starter_revisions()
    assert (
        encoder.find_text_map(preset, tmp_path, tmp_path)
        == encoder.find_text_map(preset, None, tmp_path)
        == preset.text_map
    )
    without_map = encoder.compute_starter_generation(preset, tmp_path)
    TextMap(16).save(tmp_path / encoder.MAP_FILE)
    assert encoder.find_text_map(preset, tmp_path, tmp_path) == tmp_path / encoder.MAP_FILE
    assert encoder.compute_starter_generation(preset, tmp_path) != without_map
    (tmp_path / encoder.MAP_FILE).write_bytes(b"not a map")
    with pytest.raises(AdapterMismatchError, match="contains no text map"):
        TextMap.read(tmp_path / encoder.MAP_FILE)


def test_lora_targets_without_matching_layer_are_refused(root: Path) -> None:
    config = make_config(lora={**make_config().lora.model_dump(), "targets": ["no_such_layer"]})
    with pytest.raises(AdapterMismatchError, match="tiny/clip@1 has no layers named no_such_layer"):
        load_hub_towers(root, "clip", config)()


@pytest.mark.parametrize("family", ["clip", "siglip", "siglip2", "chinese", "metaclip2"])
def test_hub_training_adapts_both_towers(root: Path, pairs: list[Pair], tmp_path: Path, family: str) -> None:
    """The loss falls, text and vision layers change, and the adapter can be merged."""
    config = make_config(steps=12, rate=1e-2)
    trained = fit_towers({"frame": load_hub_towers(root, family, config)}, config, pairs, tmp_path)
    losses = trained.outcomes["frame"].losses
    assert losses[-1][1] < losses[0][1]
    adapted = lora.merge_adapter(
        hub.read_model(root / family, f"tiny/{family}@1").model, tmp_path / "adapter" / "frame"
    )
    weights = load_file(tmp_path / "adapter" / "frame" / lora.WEIGHTS_FILE)
    changed = [name for name, tensor in weights.items() if tensor.abs().max() > 0]
    assert any("text_model" in name for name in changed)
    assert any("vision_model" in name for name in changed)
    assert type(adapted).__name__.endswith("Model")


@pytest.mark.parametrize("loss", ["info_nce", "sampled_nce", "mil_nce"])
def test_motion_training_uses_only_clips(root: Path, tmp_path: Path, loss: str) -> None:
    """X-CLIP is trained on pairs with clips, with every loss and hard negatives; photographs are skipped."""
    clips = [
        Pair(
            f"thing {i}",
            tuple(root / f"{i}-{frame}.png" for frame in range(3)),
            f"video {i}",
            fixed_split="train",
            hard_negatives=((root / f"{COUNT}-0.png", root / f"{COUNT}-1.png"),),
        )
        for i in range(6)
    ]
    photograph = Pair("alone", (root / "7-0.png",), "photograph", fixed_split="train")
    config = make_config(steps=3, batch=4, chunk=2, frames=2, loss=loss)
    towers = {"frame": load_hub_towers(root, "clip", config), "motion": load_hub_towers(root, "xclip", config)}
    trained = fit_towers(towers, config, [*clips, photograph], tmp_path)
    assert set(trained.outcomes) == {"frame", "motion"}
    assert all(np.isfinite(value) for outcome in trained.outcomes.values() for _, value in outcome.losses)
    lora.merge_adapter(hub.read_model(root / "xclip", "tiny/xclip@1").model, tmp_path / "adapter" / "motion")


def test_training_continues_from_base_adapter(root: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """The first validation equals the base adapter's best; an adapter of another model is refused."""
    config = make_config(steps=12, rate=1e-2)

    def validate(name: str, base_adapter: Path | None, folder: Path) -> list[tuple[int, float]]:
        towers = {"frame": load_hub_towers(root, name, config, base_adapter)}
        return fit_towers(towers, config, pairs, folder).outcomes["frame"].validation

    first = validate("clip", None, tmp_path / "first")
    base_adapter = tmp_path / "first" / "adapter" / "frame"
    second = validate("clip", base_adapter, tmp_path / "second")
    assert second[0][1] == pytest.approx(max(figure for _, figure in first))
    with pytest.raises(AdapterMismatchError, match="made for tiny/clip@1, not tiny/siglip@1"):
        validate("siglip", base_adapter, tmp_path / "third")


def test_validation_figure_equals_evaluation(root: Path, tmp_path: Path) -> None:
    """Before any step, the validation figure is the mean reciprocal rank of `model.evaluation.compare`.

    A title, in any case, belongs to several moments of its video, any of which is right. A clip is the normalized mean
    of its frames.
    """
    validation = [
        Pair(f"{name} {i if kind == 'chapter' else i // 4}", clip, f"video {i // 4}", fixed_split="validation")
        for i in range(COUNT)
        for clip in [tuple(root / f"{i}-{frame if i % 2 else 0}.png" for frame in range(3))]  # some do not move
        for kind in (("title", "chapter") if i < 2 else ("title",))
        for name in [kind.upper() if i % 2 else kind]
    ]
    training = [replace(pair, fixed_split="train") for pair in validation]
    config = make_config(steps=1, check_every=1, frames=3, chunk=1)
    towers = {"frame": load_hub_towers(root, "clip", config)}
    trained = fit_towers(towers, config, [*training, *validation], tmp_path)
    tower = HubTower(hub.read_model(root / "clip", "tiny/clip@1"), CPU, torch.float32)
    evaluated = encode_pairs(validation, HubEncoder("tiny", tower, None, LengthEncoder())).report().text_to_image
    assert evaluated.queries == 6
    assert trained.outcomes["frame"].validation[0][1] == pytest.approx(evaluated.mrr, abs=0.01)


def test_checkpoint_of_another_model_is_ignored(root: Path, pairs: list[Pair], tmp_path: Path) -> None:
    """After a change of preset, the same folder starts from step one."""
    config = make_config(check_every=2, steps=4)

    def first_step(name: str, watcher: TrainingWatcher) -> int:
        with suppress(ProcessKilledError):
            fit_towers({"frame": load_hub_towers(root, name, config)}, config, pairs, tmp_path, watcher)
        return watcher.first_step

    assert first_step("clip", TrainingWatcher(kill_at=3)) == 1
    assert first_step("clip", TrainingWatcher(kill_at=3)) == 3
    assert first_step("siglip", TrainingWatcher()) == 1
