"""Compiled graphs of OpenVINO, kept in files.

Building the graph of the picture tower from its weights and compiling it takes 4 s of CPU time and 1 GB of memory. The
compiled form is mapped into memory in a fifth of a second.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from model.atomic_write import write_atomically
from model.encoders.openvino_runtime import openvino

log = structlog.get_logger()


@dataclass(frozen=True)
class CompiledGraph:
    """A graph that can be run."""

    model: openvino.CompiledModel
    file: openvino.Tensor | None = None
    """The mapped file, which the model reads its weights from: it must live as long as the model."""


def load_or_compile(
    folder: Path, sources: Sequence[Path], compile_model: Callable[[], openvino.CompiledModel], config: dict[str, Any]
) -> CompiledGraph:
    """Return the graph that `compile_model` returns, from its file in `folder` if there is one.

    The file counts for the content of `sources` (all that the graph is made from), this version of OpenVINO and this
    kind of processor. A missing or damaged file is written again, if the folder can be written. Raises what
    `compile_model` raises.
    """
    core = openvino.Core()
    file = folder / _name_file(core, sources)
    if file.exists():
        try:
            return _map(core, file, config)
        except (OSError, ValueError, RuntimeError) as error:
            log.warning("compiled_graph.unreadable", file=str(file), error=str(error))
    compiled = compile_model()
    try:
        _save(compiled, file)
    except OSError as error:
        log.info("compiled_graph.not_kept", file=str(file), error=str(error))
        return CompiledGraph(compiled)
    # In place of the graph that was compiled, which takes four times the memory.
    return _map(core, file, config)


def _name_file(core: openvino.Core, sources: Sequence[Path]) -> str:
    processor = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    digest = hashlib.sha256(f"{openvino.get_version()} {processor}".encode())
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    return f"{digest.hexdigest()[:24]}.blob"


def _map(core: openvino.Core, file: Path, config: dict[str, Any]) -> CompiledGraph:
    # Copy-on-write, because OpenVINO takes no array that cannot be written.
    tensor = openvino.Tensor(np.memmap(file, np.uint8, "c"), shared_memory=True)
    return CompiledGraph(core.import_model(tensor, "CPU", config), tensor)


def _save(compiled: openvino.CompiledModel, file: Path) -> None:
    """Write a file, and delete those of other versions. Raises `OSError`."""
    with write_atomically(file) as partial:
        partial.write_bytes(compiled.export_model().getbuffer())
    for other in set(file.parent.glob("*.blob")) - {file}:
        other.unlink(missing_ok=True)
