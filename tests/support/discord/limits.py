"""Discord's documented limits of messages, choices and commands. Each check returns the violations."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

EPHEMERAL, COMPONENTS_V2 = 1 << 6, 1 << 15
MESSAGE_FLAGS = EPHEMERAL | COMPONENTS_V2 | 1 << 2

ROW, BUTTON, STRING_SELECT, CHANNEL_SELECT, SECTION, TEXT, THUMBNAIL, GALLERY = 1, 2, 3, 8, 9, 10, 11, 12
FIELDS: Mapping[int, set[str]] = {
    ROW: {"type", "id", "components"},
    BUTTON: {"type", "id", "style", "label", "emoji", "custom_id", "url", "disabled"},
    STRING_SELECT: {
        "type", "id", "custom_id", "options", "placeholder", "min_values", "max_values", "disabled", "required",
    },
    CHANNEL_SELECT: {
        "type", "id", "custom_id", "channel_types", "placeholder", "default_values", "min_values", "max_values",
        "disabled", "required",
    },
    SECTION: {"type", "id", "components", "accessory"},
    TEXT: {"type", "id", "content"},
    THUMBNAIL: {"type", "id", "media", "description", "spoiler"},
    GALLERY: {"type", "id", "items"},
}  # fmt: skip
MESSAGE_FIELDS = {
    "content", "components", "flags", "allowed_mentions", "attachments", "tts", "nonce", "enforce_nonce",
    "message_reference",
}  # fmt: skip
COMMAND_NAME = re.compile(r"^[-_'\w]{1,32}$")


def walk_components(components: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every component, also nested ones."""
    for component in components:
        yield component
        yield from walk_components(component.get("components", ()))
        if "accessory" in component:
            yield component["accessory"]


def check_message(body: Mapping[str, Any], files: Mapping[str, bytes]) -> list[str]:
    """Check a message that is sent or edited."""
    violations = [f"unknown field {name}" for name in body.keys() - MESSAGE_FIELDS]
    flags, components = body.get("flags") or 0, body.get("components") or []
    if flags & ~MESSAGE_FLAGS:
        violations.append(f"flags {flags}")
    if len(body.get("content") or "") > 2000:
        violations.append("content over 2000")
    mentions = body.get("allowed_mentions")
    if mentions is None or mentions.get("parse") != [] or mentions.get("users") or mentions.get("roles"):
        violations.append(f"can notify: {mentions}")
    if flags & COMPONENTS_V2:
        violations += _layout(components)
        if body.get("content"):
            violations.append("content together with components V2")
    elif components:
        violations.append("components V2 without their flag")
    elif not body.get("content") and not files:
        violations.append("empty message")
    return violations + _files(body, components, files)


def _layout(components: Sequence[Mapping[str, Any]]) -> list[str]:
    every = list(walk_components(components))
    violations = [] if 1 <= len(every) <= 40 else [f"{len(every)} components"]
    chars = sum(len(each["content"]) for each in every if each["type"] == TEXT)
    if chars > 4000:
        violations.append(f"{chars} characters of text")
    ids = [each["custom_id"] for each in every if "custom_id" in each]
    if len(ids) != len(set(ids)):
        violations.append("the same custom_id twice")
    at_the_top = [each["type"] for each in components if each["type"] not in (ROW, SECTION, TEXT, GALLERY)]
    violations += [f"component {kind} at the top" for kind in at_the_top]
    for each in every:
        violations += [
            f"unknown field {name} of component {each['type']}" for name in each.keys() - FIELDS[each["type"]]
        ]
        violations += _component(each)
    return violations


def _component(each: Mapping[str, Any]) -> Iterator[str]:
    if len(each.get("custom_id", "x")) not in range(1, 101):
        yield f"custom_id {each['custom_id']}"
    match each["type"]:
        case 1:
            kinds = [inner["type"] for inner in each["components"]]
            if not (kinds in ([3], [8]) or (set(kinds) == {2} and len(kinds) <= 5)):
                yield f"row of {kinds}"
        case 2:
            if len(each.get("label") or "") > 80 or not (each.get("label") or each.get("emoji")):
                yield f"label {each.get('label')}"
            if ("url" in each) == ("custom_id" in each):
                yield "a button needs a URL or an id"
        case 3:
            values = [option["value"] for option in each["options"]]
            if not 1 <= len(values) <= 25 or len(set(values)) != len(values):
                yield f"options {values}"
            if any(not 1 <= len(option[part]) <= 100 for option in each["options"] for part in ("value", "label")):
                yield "length of an option"
        case 9:
            if not 1 <= len(each["components"]) <= 3 or any(inner["type"] != TEXT for inner in each["components"]):
                yield "section"
            if each["accessory"]["type"] not in (THUMBNAIL, BUTTON):
                yield "accessory"
        case 10:
            if not each["content"]:
                yield "empty text"
        case 11:
            if len(each.get("description") or "") > 1024:
                yield "description"


def _files(body: Mapping[str, Any], components: Any, files: Mapping[str, bytes]) -> list[str]:
    named = [each["filename"] for each in body.get("attachments") or []]
    violations = [] if len(named) <= 10 else ["over 10 files"]
    for each in walk_components(components):
        media = [each["media"]] if "media" in each else [item["media"] for item in each.get("items", ())]
        urls = [one["url"] for one in media]
        violations += [f"no file for {url}" for url in urls if url not in {f"attachment://{name}" for name in named}]
    if any(len(each.get("description") or "") > 1024 for each in body.get("attachments") or []):
        violations.append("description of a file")
    if len(files) != len(named):
        violations.append(f"{len(files)} files for {named}")
    return violations


def check_choices(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Check the choices of an autocompletion."""
    violations = [] if len(found) <= 25 else [f"{len(found)} choices"]
    return violations + [
        f"choice {each}" for each in found if not (1 <= len(each["name"]) <= 100 and 1 <= len(each["value"]) <= 100)
    ]


def check_commands(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Check the list of an application's commands."""
    violations: list[str] = []
    for command in listed:
        if command["type"] == 1:
            violations += _find_named(command)
            for option in command.get("options", ()):
                violations += _find_named(option)
                if len(option.get("choices", ())) > 25:
                    violations.append("choices")
            required = [option.get("required", False) for option in command.get("options", ())]
            if required != sorted(required, reverse=True):
                violations.append(f"{command['name']}: required options come first")
            violations += _unique(command.get("options", ()))
    return violations + _unique([command for command in listed if command["type"] == 1])


def _find_named(each: Mapping[str, Any]) -> Iterator[str]:
    for name in (each["name"], *(each.get("name_localizations") or {}).values()):
        if not COMMAND_NAME.match(name) or name != name.lower():
            yield f"name {name}"
    for text in (each["description"], *(each.get("description_localizations") or {}).values()):
        if not 1 <= len(text) <= 100:
            yield f"description {text}"


def _unique(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    locales = {locale for each in listed for locale in each.get("name_localizations") or {}}
    violations = []
    for locale in ("", *locales):
        names = [(each.get("name_localizations") or {}).get(locale, each["name"]) for each in listed]
        if len(set(names)) != len(names):
            violations.append(f"the same name twice in {locale or 'English'}: {names}")
    return violations
