"""Generation ids and the names derived from them."""

import pytest

from indexer.generation_id import LIVE_ALIAS, GenerationId, alias_name, space_slug


@pytest.mark.parametrize(
    ("generation", "text"), [(GenerationId("next"), "next"), (GenerationId("next", "discord:1"), "next@discord.1")]
)
def test_generation_id_is_read_back_from_its_names(generation: GenerationId, text: str) -> None:
    """The text and the collection's name contain no colon, which Qdrant does not allow."""
    assert str(generation) == text
    assert generation.collection_name == f"moments4_{text}"
    assert GenerationId.parse(text) == GenerationId.of_collection(generation.collection_name) == generation


def test_names_of_a_space_end_with_its_slug() -> None:
    """The installation's alias has no suffix."""
    assert space_slug("slack:T1") == "slack.T1"
    assert (alias_name(LIVE_ALIAS, None), alias_name(LIVE_ALIAS, "slack:T1")) == ("moments", "moments@slack.T1")
