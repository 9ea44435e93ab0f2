"""Keys of the blobs that belong to a model: its adapter, and the report of its retrain.

A space's own models lie below `spaces/<space>/`, so that they can be deleted with the space.
"""

from indexer.generation_id import GenerationId, space_slug


def space_prefix(space: str | None) -> str:
    """Return the prefix of a space's own models, or of the installation's (None), which is empty."""
    return f"spaces/{space_slug(space)}/" if space else ""


def adapter_prefix(generation: GenerationId) -> str:
    """Return the prefix of the files of a generation's adapter."""
    return f"{space_prefix(generation.space)}adapters/{generation.name}/"


def report_prefix(generation: GenerationId) -> str:
    """Return the prefix of the files of the report on a generation's retrain."""
    return f"{space_prefix(generation.space)}reports/{generation.name}/"


def report_picture_key(generation: GenerationId) -> str:
    """Return the key of the picture in the report on a generation's retrain."""
    # matplotlib takes long to import.
    from model.evaluation.report import PICTURE_FILE

    return f"{report_prefix(generation)}{PICTURE_FILE}"
