"""Tests of compiled graphs in files, with a graph that adds one."""

import gc
from pathlib import Path

import numpy as np
import pytest

from model.encoders.openvino_runtime import openvino
from model.encoders.openvino_runtime import opset15 as ops
from model.starter.compiled_graph import CompiledGraph, load_or_compile


class Compiler:
    """Compiles the graph, and counts how often."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.calls = 0

    def load(self, folder: Path) -> CompiledGraph:
        return load_or_compile(folder, [self.source], self._compile, {"INFERENCE_NUM_THREADS": 1})

    def _compile(self) -> openvino.CompiledModel:
        self.calls += 1
        numbers = ops.parameter([2], np.float32)
        graph = openvino.Model([ops.add(numbers, ops.constant(np.float32(1)))], [numbers])
        return openvino.Core().compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": 1})


@pytest.fixture
def compiler(tmp_path: Path) -> Compiler:
    source = tmp_path / "weights"
    source.write_bytes(b"one")
    return Compiler(source)


def run(graph: CompiledGraph) -> list[float]:
    gc.collect()
    numbers: list[float] = graph.model([np.array([1, 2], np.float32)])[0].tolist()
    return numbers


def test_graph_is_compiled_once_and_read_from_its_file(compiler: Compiler, tmp_path: Path) -> None:
    assert [run(compiler.load(tmp_path / "compiled")) for _ in range(3)] == [[2, 3]] * 3
    assert compiler.calls == 1


@pytest.mark.parametrize("kept_bytes", [0, 100])
def test_graph_with_damaged_file_is_compiled_again(compiler: Compiler, tmp_path: Path, kept_bytes: int) -> None:
    compiler.load(tmp_path / "compiled")
    [file] = (tmp_path / "compiled").iterdir()
    file.write_bytes(file.read_bytes()[:kept_bytes])
    assert [run(compiler.load(tmp_path / "compiled")) for _ in range(2)] == [[2, 3]] * 2
    assert compiler.calls == 2


def test_graph_is_compiled_again_if_a_source_changes(compiler: Compiler, tmp_path: Path) -> None:
    """The former file is deleted."""
    compiler.load(tmp_path / "compiled")
    former = list((tmp_path / "compiled").iterdir())
    compiler.source.write_bytes(b"two")
    assert run(compiler.load(tmp_path / "compiled")) == [2, 3]
    assert compiler.calls == 2
    assert len(list((tmp_path / "compiled").iterdir())) == 1
    assert not former[0].exists()


def test_graph_works_if_its_folder_cannot_be_written(compiler: Compiler) -> None:
    assert [run(compiler.load(compiler.source / "compiled")) for _ in range(2)] == [[2, 3]] * 2
    assert compiler.calls == 2
