"""Handler that lists the presets."""

from pathlib import Path

from model.errors import ModelError
from model.evaluation.published import list_figures
from model.local_files import find_fetched_model, measure_weights
from model.preset_files import find_preset, list_preset_names
from model.presets import LocalModel, ModelSource, Preset
from worker.protocol.models import ListPresets, PresetList, PresetSummary
from worker.settings import Settings


def list_presets(settings: Settings, request: ListPresets) -> PresetList:
    """List the presets, Reelseek's first. A file with a mistake is listed with the mistake."""
    names = list_preset_names(settings.presets_folder)
    allowed = set(names if request.by_operator else settings.chat_presets)
    return PresetList(presets=tuple(_describe(settings, name, name in allowed) for name in names))


def _describe(settings: Settings, name: str, is_allowed: bool) -> PresetSummary:
    from model.packages import default_artifacts_dir
    from model.starter.artifacts import find_tower

    artifacts_dir = settings.parts_dir or default_artifacts_dir()
    try:
        preset = find_preset(name, settings.presets_folder)
    except ModelError as error:
        return PresetSummary(name=name, problem=str(error), is_allowed=False)
    summary = PresetSummary(
        name=name,
        languages=preset.languages,
        licence=preset.licence,
        figures=tuple(list_figures(name)),
        is_allowed=is_allowed,
    )
    if not isinstance(preset, Preset):
        try:
            weights = [*find_tower(artifacts_dir).glob("*.safetensors"), preset.text_map]
        except ModelError:
            return summary
        return summary.model_copy(update={"is_here": True, "bytes": sum(file.stat().st_size for file in weights)})
    folders = [_find_folder(model, artifacts_dir) for model in preset.models]
    sizes = [_measure(model, folder) for model, folder in zip(preset.models, folders, strict=True)]
    return summary.model_copy(
        update={
            "models": tuple(str(each.folder) if isinstance(each, LocalModel) else each.repo for each in preset.models),
            "is_here": None not in folders,
            "bytes": None if None in sizes else sum(size or 0 for size in sizes),
        }
    )


def _find_folder(model: ModelSource, artifacts_dir: Path) -> Path | None:
    return model.folder if isinstance(model, LocalModel) else find_fetched_model(model, artifacts_dir)


def _measure(model: ModelSource, folder: Path | None) -> int | None:
    """Return the size of a model's weights in bytes, or None if it is not known."""
    if folder is not None:
        return measure_weights(folder)
    return None if isinstance(model, LocalModel) else model.download_bytes
