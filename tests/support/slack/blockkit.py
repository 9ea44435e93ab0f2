"""Slack's limits of blocks and views, after its published reference of Block Kit."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Thing = Mapping[str, Any]
FILE_ID = re.compile(r"F[A-Z0-9]{8,}")
STYLES = {"bold", "italic", "strike", "code", "underline"}


class BlockKitValidator:
    """Checks blocks and returns the violations. `files` tells which of Slack's files can be shown."""

    def __init__(self, files: Callable[[str], bool]) -> None:
        self._files = files

    def message(self, blocks: Sequence[Thing]) -> list[str]:
        return list(
            self._blocks(blocks, 50, {"section", "context", "actions", "header", "divider", "image", "rich_text"})
        )

    def view(self, view: Thing) -> list[str]:
        return list(self._view(view))

    def _view(self, view: Thing) -> Iterator[str]:
        kinds = {"section", "context", "actions", "header", "divider", "image", "rich_text", "input"}
        match view.get("type"):
            case "modal":
                yield from fields(
                    view, "view", {"type", "title", "blocks"}, {"close", "submit", "callback_id", "private_metadata"}
                )
                for name in ("title", "submit", "close"):
                    if name in view:
                        yield from self._text(view[name], f"view/{name}", 24, only_plain=True)
                inputs = any(block.get("type") == "input" for block in view.get("blocks", ()))
                if inputs and "submit" not in view:
                    yield "view: inputs need a submit"
            case "home":
                yield from fields(view, "view", {"type", "blocks"}, {"callback_id", "private_metadata"})
            case other:
                yield f"view: no type {other}"
        yield from self._blocks(view.get("blocks", ()), 100, kinds)

    def _blocks(self, blocks: Sequence[Thing], most: int, kinds: set[str]) -> Iterator[str]:
        if not 1 <= len(blocks) <= most:
            yield f"blocks: {len(blocks)} of at most {most}"
        ids = [block["block_id"] for block in blocks if "block_id" in block]
        if len(ids) != len(set(ids)):
            yield "blocks: a block_id twice"
        for number, block in enumerate(blocks):
            where, kind = f"blocks/{number}", block.get("type")
            if kind not in kinds:
                yield f"{where}: no type {kind} here"
                continue
            yield from short(block, where, "block_id", 255)
            yield from getattr(self, f"_{kind}")(block, where)

    def _section(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type"}, {"text", "block_id", "fields", "accessory", "expand"})
        if "text" not in block and "fields" not in block:
            yield f"{where}: neither text nor fields"
        if "text" in block:
            yield from self._text(block["text"], where, 3000)
        if "accessory" in block:
            yield from self._element(block["accessory"], f"{where}/accessory")

    def _header(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type", "text"}, {"block_id"})
        yield from self._text(block["text"], where, 150, only_plain=True)

    def _divider(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type"}, {"block_id"})

    def _context(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type", "elements"}, {"block_id"})
        if not 1 <= len(block["elements"]) <= 10:
            yield f"{where}: {len(block['elements'])} elements"
        for each in block["elements"]:
            if each.get("type") == "image":
                yield from self._image(each, where)
            else:
                yield from self._text(each, where, 2000)

    def _actions(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type", "elements"}, {"block_id"})
        if not 1 <= len(block["elements"]) <= 25:
            yield f"{where}: {len(block['elements'])} elements"
        ids = [each.get("action_id") for each in block["elements"]]
        if len(ids) != len(set(ids)):
            yield f"{where}: an action_id twice"
        for each in block["elements"]:
            yield from self._element(each, where)

    def _input(self, block: Thing, where: str) -> Iterator[str]:
        known = {"type", "label", "element"}
        yield from fields(block, where, known, {"block_id", "hint", "optional", "dispatch_action"})
        yield from self._text(block["label"], where, 2000, only_plain=True)
        yield from self._element(block["element"], where)

    def _image(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type", "alt_text"}, {"block_id", "image_url", "slack_file", "title"})
        yield from short(block, where, "alt_text", 2000, least=1)
        if ("image_url" in block) == ("slack_file" in block):
            yield f"{where}: either image_url or slack_file"
        if "slack_file" in block:
            file = block["slack_file"]
            if set(file) != {"id"} or not FILE_ID.fullmatch(file["id"]):
                yield f"{where}/slack_file: {file}"
            elif not self._files(file["id"]):
                yield f"invalid slack file [json-pointer:/{where}/slack_file]"

    def _rich_text(self, block: Thing, where: str) -> Iterator[str]:
        yield from fields(block, where, {"type", "elements"}, {"block_id"})
        for section in block["elements"]:
            yield from fields(section, where, {"type", "elements"}, {"indent", "style", "border"})
            if section["type"] not in ("rich_text_section", "rich_text_list", "rich_text_quote"):
                yield f"{where}: no {section['type']}"
            for run in section["elements"]:
                yield from self._run(run, where)

    def _run(self, run: Thing, where: str) -> Iterator[str]:
        match run.get("type"):
            case "text":
                yield from fields(run, where, {"type", "text"}, {"style"})
                yield from short(run, where, "text", 3000, least=1)
            case "link":
                yield from fields(run, where, {"type", "url"}, {"text", "style", "unsafe"})
                yield from short(run, where, "url", 3000, least=1)
            case "channel":
                yield from fields(run, where, {"type", "channel_id"}, {"style"})
            case "date":
                yield from fields(run, where, {"type", "timestamp", "format"}, {"url", "fallback", "style"})
                if not isinstance(run["timestamp"], int) or not re.search(r"\{\w+\}", run["format"]):
                    yield f"{where}: date {run}"
            case other:
                yield f"{where}: no run {other}"
        if not set(run.get("style", {})) <= STYLES:
            yield f"{where}: style {run['style']}"

    def _element(self, each: Thing, where: str) -> Iterator[str]:
        yield from short(each, where, "action_id", 255)
        for name in ("placeholder",):
            if name in each:
                yield from self._text(each[name], where, 150, only_plain=True)
        match each.get("type"):
            case "image":
                yield from self._image(each, where)
            case "button":
                known = {"action_id", "value", "url", "style", "confirm", "accessibility_label"}
                yield from fields(each, where, {"type", "text"}, known)
                yield from self._text(each["text"], where, 75, only_plain=True)
                yield from short(each, where, "value", 2000)
                yield from short(each, where, "url", 3000)
                if each.get("style", "primary") not in ("primary", "danger"):
                    yield f"{where}: style {each['style']}"
            case "plain_text_input":
                known = {"action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder"}
                yield from fields(each, where, {"type"}, known | {"dispatch_action_config", "focus_on_load"})
            case "file_input":
                yield from fields(each, where, {"type"}, {"action_id", "filetypes", "max_files"})
                if not 1 <= each.get("max_files", 10) <= 10:
                    yield f"{where}: {each['max_files']} files"
            case "external_select":
                known = {"action_id", "initial_option", "min_query_length", "confirm", "focus_on_load", "placeholder"}
                yield from fields(each, where, {"type"}, known)
            case "static_select":
                known = {"action_id", "initial_option", "confirm", "focus_on_load", "placeholder"}
                yield from fields(each, where, {"type", "options"}, known)
                for option in each.get("options", ()):
                    yield from fields(option, where, {"text", "value"}, {"description"})
                    yield from self._text(option.get("text", {}), where, 75, only_plain=True)
                    yield from short(option, where, "value", 150, least=1)
            case "conversations_select":
                known = {"action_id", "initial_conversation", "default_to_current_conversation", "confirm", "filter"}
                more = {"response_url_enabled", "focus_on_load", "placeholder"}
                yield from fields(each, where, {"type"}, known | more)
            case other:
                yield f"{where}: no element {other}"

    def _text(self, text: Thing, where: str, most: int, only_plain: bool = False) -> Iterator[str]:
        kind = text.get("type")
        yield from fields(text, where, {"type", "text"}, {"emoji"} if kind == "plain_text" else {"verbatim"})
        if kind not in (("plain_text",) if only_plain else ("plain_text", "mrkdwn")):
            yield f"{where}: text of type {kind}"
        yield from short(text, where, "text", most, least=1)
        if kind == "mrkdwn":
            yield from pings(text["text"], where)


def check_options(given: Sequence[Thing]) -> list[str]:
    """Check the options of an external select."""
    return list(_options(given))


def _options(given: Sequence[Thing]) -> Iterator[str]:
    if len(given) > 100:
        yield f"options: {len(given)}"
    for each in given:
        yield from fields(each, "option", {"text", "value"}, {"description"})
        yield from short(each["text"], "option", "text", 75, least=1)
        yield from short(each, "option", "value", 150, least=1)


def pings(text: str, where: str) -> Iterator[str]:
    """Return the mentions in a text that would notify someone. Ours must have none."""
    if re.search(r"<[!@]", text):
        yield f"{where}: pings"


def fields(thing: Thing, where: str, needed: set[str], more: set[str]) -> Iterator[str]:
    for name in needed - set(thing):
        yield f"{where}: no {name}"
    for name in set(thing) - needed - more:
        yield f"{where}: unknown field {name}"


def short(thing: Thing, where: str, name: str, most: int, least: int = 0) -> Iterator[str]:
    if name in thing and not least <= len(thing[name]) <= most:
        yield f"{where}: {name} of {len(thing[name])} characters, {least} to {most} are allowed"
