"""The errors of the model package."""

import ast
from pathlib import Path

import pytest

import model
from model import errors
from model.errors import ModelError, PairsUnreadableError

WITHOUT_OWN_REASON = {"UnknownPresetError"}
"""Errors whose class writes the reason."""


def test_error_text_is_its_reason_filled_in() -> None:
    error = PairsUnreadableError("{file} contains no pairs", file="a.tsv")
    assert str(error) == "a.tsv contains no pairs"
    assert (error.reason, error.values) == ("{file} contains no pairs", {"file": "a.tsv"})


def test_error_text_without_values_is_unchanged() -> None:
    """Braces in it are no placeholders."""
    assert str(ModelError("a {brace}")) == "a {brace}"


@pytest.mark.parametrize("name", sorted({name for name in vars(errors) if name.endswith("Error")} - WITHOUT_OWN_REASON))
def test_reasons_of_model_errors_are_literals(name: str) -> None:
    """Otherwise the catalogs would lack their translations."""
    for file in Path(next(iter(model.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=called), args=args) if called == name:
                    assert args, file
                    assert isinstance(args[0], ast.Constant), f"{file}:{node.lineno}"
