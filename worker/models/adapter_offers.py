"""Adapters that were trained in a shell and are offered to an installation, with the pairs that judge them.

`reelseek train` keeps the held-out pairs next to the adapter. The command line packs both into blobs, so that the
train worker, which may be another machine, can judge the adapter as it judges its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer.blobs import BlobStore
from worker.models.loading import ModelChoice

if TYPE_CHECKING:
    from model.data.pairs import Pair
    from model.outcome import TrainedAdapter

ADAPTER: Final = "adapter"
SUMMARY_FILE: Final = "adapter.json"
"""In an adapter's folder, written by its training."""
PAIRS_FILE: Final = "held_out.json"
"""In the folder of a training run, and in an offer: the pairs that judge the adapter."""
MAX_DISTRACTORS: Final = 500
"""Pictures of other pairs, which make the search harder. `model.evaluation.promotion` takes no more."""


@dataclass(frozen=True)
class AdapterOffer:
    """An offered adapter in a local folder."""

    adapter: Path
    preset: str
    base: str | None
    """The generation of its base model without the adapter. None: an earlier version trained it."""
    pairs: Sequence[Pair]

    @property
    def choice(self) -> ModelChoice:
        return ModelChoice(self.preset, self.base, self.adapter)

    @property
    def trained(self) -> TrainedAdapter:
        """The adapter as the result of a training run. It has no curves: they are in the report of that run."""
        from model.outcome import TrainedAdapter

        return TrainedAdapter(self.adapter, {})


class NotAnAdapterError(Exception):
    """A folder contains no adapter of `reelseek train`."""


def write_held_out_pairs(folder: Path, pairs: Sequence[Pair]) -> None:
    """Write the held-out pairs of a training run, and some of its other pictures, as a list into its folder."""
    held_out = [pair for pair in pairs if pair.split == "test"]
    others = [pair for pair in pairs if pair.split != "test"][:MAX_DISTRACTORS]
    rows = [_to_row(pair, [str(file.resolve()) for file in pair.pictures]) for pair in (*held_out, *others)]
    (folder / PAIRS_FILE).write_text(json.dumps(rows), encoding="utf-8")


def read_preset_name(adapter: Path) -> str:
    """Return the preset that an adapter was trained for. Raises `NotAnAdapterError`."""
    return str(_read_summary(adapter)["preset"])


def put_offer(blobs: BlobStore, prefix: str, adapter: Path) -> None:
    """Store an adapter and its held-out pairs below a prefix. Raises `NotAnAdapterError`, `OSError`."""
    read_preset_name(adapter)
    blobs.put_folder(f"{prefix}{ADAPTER}/", adapter)
    file, rows = adapter.parent / PAIRS_FILE, []
    for number, row in enumerate(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else ()):
        names = [f"{number}-{i}{Path(picture).suffix}" for i, picture in enumerate(row["pictures"])]
        for name, picture in zip(names, row["pictures"], strict=True):
            blobs.put(f"{prefix}pictures/{name}", Path(picture).read_bytes())
        rows.append({**row, "pictures": names})
    blobs.put(f"{prefix}{PAIRS_FILE}", json.dumps(rows).encode())


def get_offer(blobs: BlobStore, prefix: str, folder: Path) -> AdapterOffer:
    """Download an offer into a folder that may have it already. Raises `NotAnAdapterError`."""
    blobs.get_folder(prefix, folder)
    summary = _read_summary(folder / ADAPTER)
    pairs = tuple(_read_pairs(folder))
    return AdapterOffer(folder / ADAPTER, str(summary["preset"]), summary.get("generation"), pairs)


def _read_pairs(folder: Path) -> Iterator[Pair]:
    from model.data.pairs import Pair

    for row in json.loads((folder / PAIRS_FILE).read_text(encoding="utf-8")):
        pictures = tuple(folder / "pictures" / name for name in row["pictures"])
        yield Pair(row["text"], pictures, row["source"], kind=row["kind"], fixed_split=row["split"])


def _to_row(pair: Pair, pictures: Sequence[str]) -> dict[str, Any]:
    return {"text": pair.text, "pictures": pictures, "source": pair.source, "kind": pair.kind, "split": pair.split}


def _read_summary(adapter: Path) -> dict[str, Any]:
    try:
        summary = json.loads((adapter / SUMMARY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotAnAdapterError(f"{adapter} contains no adapter of `reelseek train`") from error
    if not isinstance(summary, dict) or "preset" not in summary:
        raise NotAnAdapterError(f"{adapter / SUMMARY_FILE} does not name the preset of the adapter")
    return summary
