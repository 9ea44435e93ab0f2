"""Links and files of a Discord message: those that its author wrote, uploaded or forwarded."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import discord
from discord.components import Component

from bots.chat.links import find_links
from bots.chat.uploads import is_video_file

Post: TypeAlias = discord.Message | discord.MessageSnapshot

_POST_OF_APP: Final = "rich"
"""The type of the embeds that apps post. Discord's previews of links have others, for most sites."""


def find_message_links(message: discord.Message) -> list[str]:
    """Return the links and the addresses of uploaded videos in a message and in what it forwards, without repeats."""
    return list(dict.fromkeys(link for post in _list_posts(message) for link in _find_post_links(post)))


def find_attachments(message: discord.Message) -> list[discord.Attachment]:
    """Return the files of a message and of what it forwards."""
    return [attachment for post in _list_posts(message) for attachment in post.attachments]


def _list_posts(message: discord.Message) -> tuple[Post, ...]:
    return (message, *message.message_snapshots)


def _find_post_links(post: Post) -> list[str]:
    links = find_links(post.content)
    links += [each.url for each in post.attachments if is_video_file(each.filename, each.content_type)]
    # The post of an app may consist of embeds and buttons. In that of a person, embeds are previews of its links.
    return links or [link for part in _app_texts(post) for link in find_links(part)]


def _app_texts(post: Post) -> Iterator[str]:
    """Yield the addresses and texts in the embeds and components of a post."""
    for embed in post.embeds:
        if embed.type == _POST_OF_APP:
            yield embed.url or ""
            yield embed.description or ""
            yield from (field.value or "" for field in embed.fields)
    for component in post.components:
        yield from _component_texts(component)


def _component_texts(component: Component) -> Iterator[str]:
    yield getattr(component, "url", None) or ""
    yield getattr(component, "content", None) or ""
    children: list[Any] = getattr(component, "children", None) or []
    for child in children:
        yield from _component_texts(child)
