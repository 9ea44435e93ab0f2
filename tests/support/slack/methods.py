"""The Web API methods that the app calls. Each answers as Slack does, and refuses what Slack refuses."""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.slack.blockkit import BlockKitValidator, pings

BOT_TOKEN, APP_TOKEN, SIGNING_SECRET = "xoxb-1-good", "xapp-1-good", "shhh"
CLIENT_ID, CLIENT_SECRET = "1.2", "client-secret"
TEAM, BOT = "T0000001", "U0000BOT"
TRIGGER_LIFETIME_S = 3.0
SCOPES = (
    "app_mentions:read,channels:history,channels:read,chat:write,chat:write.public,commands,files:read,"
    "files:write,groups:history,groups:read,im:history,im:read,mpim:read,reactions:write,users:read"
)


@dataclass(frozen=True)
class ApiCall:
    """A call of a Web API method."""

    method: str
    args: Mapping[str, Any]
    token: str
    answer: Mapping[str, Any]
    at: float = field(default_factory=time.monotonic)


@dataclass
class ShownMessage:
    """A message as users see it.

    `shown_to` is the user who alone sees it, empty for a whole channel; `edits` counts its changes.
    """

    channel: str
    ts: str
    payload: Mapping[str, Any]
    shown_to: str = ""
    edits: int = 0
    team: str = TEAM

    @property
    def text(self) -> str:
        """Everything that can be read, in order."""
        return "\n".join([*_texts(self.payload.get("blocks") or ()), self.payload.get("text") or ""])

    def buttons(self, label: str) -> list[Mapping[str, Any]]:
        """Return the buttons whose label contains `label`."""
        blocks = [block for block in self.payload["blocks"] if block["type"] == "actions"]
        elements = [each for block in blocks for each in block["elements"]]
        return [each for each in elements if label in each["text"]["text"]]

    @property
    def files(self) -> list[str]:
        """The file ids of its pictures."""
        blocks = self.payload.get("blocks") or ()
        images = [block.get("accessory", block) for block in blocks]
        return [image["slack_file"]["id"] for image in images if "slack_file" in image]


@dataclass
class ResponseUrl:
    """The response URL of one interaction."""

    channel: str
    user: str
    at: float
    message: ShownMessage | None = None
    """The message with the button; None for a command, whose message cannot be replaced."""
    uses: int = 0


@dataclass
class UploadedFile:
    """A file that the app uploaded."""

    content: bytes = b""
    alt: str = ""
    complete: bool = False
    looks: int = 0
    """How often files.info still reports that it is not processed."""


@dataclass
class FakeWebApi:
    """The state of a workspace, and the methods on it."""

    tokens: dict[str, str] = field(default_factory=lambda: {BOT_TOKEN: TEAM})
    """Workspaces by their valid tokens."""
    codes: dict[str, str] = field(default_factory=lambda: {"good": BOT_TOKEN})
    """Tokens by OAuth codes."""
    org: str = ""
    """The organization of Enterprise Grid that the workspace is part of, if any."""
    scopes: str = SCOPES
    looks: int = 1
    """How often files.info reports each new file as not processed."""
    address: str = ""
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    """Channels that the bot has not joined and may not post in."""
    shown: list[ShownMessage] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    """Decides when triggers and response URLs expire."""
    triggers: dict[str, float] = field(default_factory=dict)
    """When each unused trigger was made."""
    views: list[Mapping[str, Any]] = field(default_factory=list)
    """Windows that were opened, each in its newest state."""
    homes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    reactions: list[tuple[str, str, str]] = field(default_factory=list)
    files: dict[str, UploadedFile] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._kit = BlockKitValidator(
            lambda id: id in self.files and self.files[id].complete and not self.files[id].looks
        )

    def id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids):08}"

    def trigger(self) -> str:
        """Make a trigger, with which the app may open one window."""
        id = self.id("trigger")
        self.triggers[id] = self.clock()
        return id

    @property
    def posted(self) -> list[ShownMessage]:
        """The messages that a whole channel sees."""
        return [shown for shown in self.shown if not shown.shown_to]

    def _check_admission(self, method: str, token: str) -> bool:
        match method:
            case "apps.connections.open":
                return token == APP_TOKEN
            case "oauth.v2.access":
                return token == aiohttp.encode_basic_auth(CLIENT_ID, CLIENT_SECRET)
        return token in self.tokens

    def _refuse(self, problems: list[str], error: str) -> dict[str, Any]:
        self.refused += problems
        return {"ok": False, "error": error, "errors": problems}

    def _auth_test(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "ok": True,
            "team_id": args["_team"],
            "team": "Test",
            "user_id": BOT,
            "user": "reelseek",
            "bot_id": "B1",
        } | ({"enterprise_id": self.org} if self.org else {})

    def _apps_connections_open(self, args: Mapping[str, Any]) -> dict[str, Any]:
        return {"ok": True, "url": f"{self.address.replace('http', 'ws', 1)}/link"}

    def _users_info(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if args["user"] not in self.users:
            return {"ok": False, "error": "user_not_found"}
        return {"ok": True, "user": {"id": args["user"], "team_id": args["_team"]} | self.users[args["user"]]}

    def _conversations_info(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if args["channel"] not in self.channels:
            return {"ok": False, "error": "channel_not_found"}
        return {"ok": True, "channel": {"id": args["channel"]} | self.channels[args["channel"]]}

    def _chat_postMessage(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        if wrong := self._message(args):
            return self._refuse(wrong, "invalid_blocks")
        if args["channel"] in self.closed:
            return {"ok": False, "error": "not_in_channel"}
        channel = args["channel"].replace("U", "D", 1) if args["channel"].startswith("U") else args["channel"]
        shown = ShownMessage(channel, self._stamp(), args, team=args["_team"])
        self.shown.append(shown)
        return {"ok": True, "channel": channel, "ts": shown.ts, "message": {}}

    def _chat_postEphemeral(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        if wrong := self._message(args):
            return self._refuse(wrong, "invalid_blocks")
        if args["channel"] in self.closed:
            return {"ok": False, "error": "channel_not_found"}
        self.shown.append(ShownMessage(args["channel"], self._stamp(), args, shown_to=args["user"]))
        return {"ok": True, "message_ts": self.shown[-1].ts}

    def _chat_update(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if wrong := self._message(args):
            return self._refuse(wrong, "invalid_blocks")
        for shown in self.posted:
            if (shown.channel, shown.ts) == (args["channel"], args["ts"]):
                shown.payload, shown.edits = args, shown.edits + 1
                return {"ok": True, "channel": shown.channel, "ts": shown.ts, "text": ""}
        return {"ok": False, "error": "message_not_found"}

    def _views_open(self, args: Mapping[str, Any]) -> dict[str, Any]:
        made_at = self.triggers.pop(args["trigger_id"], None)
        if made_at is None or self.clock() - made_at > TRIGGER_LIFETIME_S:
            return {"ok": False, "error": "exchanged_trigger_id" if made_at is None else "expired_trigger_id"}
        if wrong := self._kit.view(args["view"]):
            return self._refuse(wrong, "invalid_arguments")
        self.views.append(args["view"])
        return {"ok": True, "view": {"id": f"V{len(self.views)}"}}

    def _views_update(self, args: Mapping[str, Any]) -> dict[str, Any]:
        number = int(args["view_id"].removeprefix("V")) - 1
        if wrong := self._kit.view(args["view"]):
            return self._refuse(wrong, "invalid_arguments")
        self.views[number] = args["view"]
        return {"ok": True, "view": {"id": args["view_id"]}}

    def _views_publish(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if wrong := self._kit.view(args["view"]):
            return self._refuse(wrong, "invalid_arguments")
        self.homes[args["user_id"]] = args["view"]
        return {"ok": True, "view": {"id": "V2"}}

    def _reactions_add(self, args: Mapping[str, Any]) -> dict[str, Any]:
        mark = (args["channel"], args["timestamp"], args["name"])
        if mark in self.reactions:
            return {"ok": False, "error": "already_reacted"}
        self.reactions.append(mark)
        return {"ok": True}

    def _files_getUploadURLExternal(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        id = self.id("F")
        self.files[id] = UploadedFile(alt=args.get("alt_txt", ""), looks=self.looks)
        return {"ok": True, "file_id": id, "upload_url": f"{self.address}/upload/{id}"}

    def _files_completeUploadExternal(self, args: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        for each in args["files"]:
            file = self.files[each["id"]]
            if not file.content.startswith(b"\xff\xd8"):
                return self._refuse([f"file {each['id']} is not a picture"], "invalid_arguments")
            file.complete = True
        return {"ok": True, "files": [{"id": each["id"], "title": each.get("title")} for each in args["files"]]}

    def _files_info(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if args["file"] not in self.files:
            return {"ok": False, "error": "file_not_found"}
        file, type = self.files[args["file"]], "image/jpeg"
        if file.looks:
            file.looks -= 1
            type = ""
        address = f"{self.address}/download/{args['file']}"
        described = {"id": args["file"], "mimetype": type, "size": len(file.content), "url_private": address}
        return {"ok": True, "file": described}

    def _oauth_v2_access(self, args: Mapping[str, Any]) -> dict[str, Any]:
        if args.get("code") not in self.codes:
            return {"ok": False, "error": "invalid_code"}
        token = self.codes[args["code"]]
        return {
            "ok": True,
            "app_id": "A1",
            "access_token": token,
            "token_type": "bot",
            "scope": self.scopes,
            "bot_user_id": BOT,
            "team": {"id": self.tokens[token], "name": "Test"},
            "enterprise": None,
            "authed_user": {"id": "U0000ANN"},
            "is_enterprise_install": False,
        }

    def _message(self, args: Mapping[str, Any]) -> list[str]:
        wrong = list(pings(args.get("text") or "", "text"))
        if len(args.get("text") or "") > 40_000:
            wrong.append("text: msg_too_long")
        if not args.get("text") and not args.get("blocks"):
            wrong.append("no_text")
        if args.get("blocks"):
            wrong += self._kit.message(args["blocks"])
        return wrong

    def _stamp(self) -> str:
        return f"{1_700_000_000 + next(self._ids)}.000100"


def _texts(blocks: Any) -> list[str]:
    if isinstance(blocks, Mapping):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return own + [text for name, value in blocks.items() if name != "text" or not own for text in _texts(value)]
    return [text for each in blocks for text in _texts(each)] if isinstance(blocks, list | tuple) else []
