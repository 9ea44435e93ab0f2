"""All commands. A new one needs a function and an entry here; every frontend offers it."""

from typing import Final

from bots.commands import crawling, library, models, search, settings, training
from bots.commands.client import Client
from bots.commands.definition import (
    IN_CHATS,
    INTERNAL,
    Command,
    Completion,
    Parameter,
    ParameterType,
    Surface,
)
from bots.commands.replies import Help, HelpLine, Replies
from bots.i18n.messages import Msg
from bots.i18n.translate import translate
from worker.protocol.base import Caller

VISION_COST: Final = 5
"""A call that asks the model server counts as this many requests, like one with a picture."""
_CHAT_ONLY: Final = frozenset({Surface.CHAT})
_NAMED_OPTIONS: Final = frozenset({Surface.CHAT, Surface.COMMAND_LINE})
_TYPED_ONLY: Final = frozenset({Surface.TYPED})
_COMMAND_LINE_ONLY: Final = frozenset({Surface.COMMAND_LINE})


def list_commands(surface: Surface) -> tuple[Command, ...]:
    """Return the commands that users of a surface can call by name."""
    return tuple(command for command in COMMANDS.values() if surface in command.surfaces)


async def show_help(client: Client, caller: Caller) -> Replies:
    """List the commands that the caller may use."""
    shown = [command for command in list_commands(Surface.TYPED) if caller.is_admin or not command.is_admin]
    yield Help(
        tuple(HelpLine(command.name, command.usage, translate(command.help)) for command in shown if command.help)
    )


COMMANDS: Final[dict[str, Command]] = {
    command.name: command
    for command in (
        Command(
            "find",
            Msg.FIND_HELP,
            search.find,
            (
                Parameter(
                    "words",
                    Msg.WORDS_HELP,
                    is_required=True,
                    is_positional=True,
                    metavar="WORDS, MORE WORDS",
                    command_line_help=Msg.CLI_WORDS_HELP,
                    command_line_metavar="WORDS",
                ),
                Parameter("picture", Msg.PICTURE_HELP, ParameterType.PICTURE, metavar="FILE", surfaces=_NAMED_OPTIONS),
                Parameter("clip", Msg.CLIP_HELP, ParameterType.CLIP, metavar="FILE", surfaces=_NAMED_OPTIONS),
                Parameter("like", Msg.LIKE_HELP, metavar="WORDS", surfaces=_NAMED_OPTIONS),
                Parameter("unlike", Msg.UNLIKE_HELP, metavar="WORDS", surfaces=_NAMED_OPTIONS),
                Parameter(
                    "in_link",
                    Msg.IN_HELP,
                    ParameterType.LINK,
                    label="in",
                    completion=Completion.VIDEO,
                    metavar="LINK",
                    command_line_help=Msg.CLI_IN_HELP,
                ),
                Parameter("only", Msg.ONLY_HELP, choices=search.ONLY),
                Parameter("limit", Msg.LIMIT_HELP, ParameterType.PAGE_SIZE, default=5, minimum=1, maximum=50),
                Parameter("weaker", Msg.WEAKER_HELP, ParameterType.FLAG, surfaces=_COMMAND_LINE_ONLY),
            ),
            is_public=True,
            command_line_args={"split_on_commas": False},
        ),
        Command("more", Msg.MORE_HELP, search.continue_search, surfaces=_TYPED_ONLY, takes_search=True),
        Command(
            "index",
            Msg.INDEX_HELP,
            library.index,
            (
                Parameter(
                    "links",
                    Msg.LINK_HELP,
                    ParameterType.LINK,
                    label="link",
                    is_required=True,
                    is_positional=True,
                    is_list=True,
                    command_line_help=Msg.CLI_LINKS_HELP,
                ),
                Parameter("file", Msg.FILE_HELP, ParameterType.VIDEO_FILE, surfaces=_CHAT_ONLY),
            ),
            admins_may_do_more=True,
            is_public=True,
            takes_timestamp=True,
            command_line_args={"local_files": True},
        ),
        Command(
            "enrich",
            Msg.ENRICH_HELP,
            library.enrich,
            (
                Parameter(
                    "links",
                    Msg.ENRICH_LINK_HELP,
                    ParameterType.LINK,
                    label="link",
                    is_required=True,
                    is_positional=True,
                    is_list=True,
                ),
                Parameter("is_all", Msg.ENRICH_ALL_HELP, ParameterType.FLAG, label="all"),
            ),
            surfaces=_COMMAND_LINE_ONLY,
            is_admin=True,
        ),
        Command(
            "crawl",
            Msg.CRAWL_HELP,
            crawling.crawl,
            (
                Parameter(
                    "link",
                    Msg.CRAWL_LINK_HELP,
                    ParameterType.LIST,
                    is_required=True,
                    is_positional=True,
                    command_line_help=Msg.CLI_CRAWL_LINK_HELP,
                ),
                Parameter(
                    "max_links",
                    Msg.CRAWL_MOST_HELP,
                    ParameterType.NUMBER,
                    label="most",
                    default=50,
                    minimum=1,
                    maximum=500,
                    is_positional=True,
                    metavar="[MOST]",
                    is_command_line_option=True,
                ),
            ),
            is_admin=True,
            is_public=True,
            takes_timestamp=True,
            command_line_args={"shows_links": True},
        ),
        Command(
            "follow",
            Msg.FOLLOW_HELP,
            crawling.follow,
            (Parameter("link", Msg.FOLLOW_LINK_HELP, ParameterType.LINK, is_positional=True),),
            is_admin=True,
        ),
        Command(
            "unfollow",
            Msg.UNFOLLOW_HELP,
            crawling.unfollow,
            (Parameter("link", Msg.UNFOLLOW_LINK_HELP, ParameterType.LINK, is_required=True, is_positional=True),),
            is_admin=True,
        ),
        Command(
            "library",
            Msg.LIBRARY_HELP,
            library.list_library,
            (
                Parameter("search", Msg.LIBRARY_WORDS_HELP, label="words", is_positional=True, surfaces=IN_CHATS),
                Parameter("only_own", Msg.LIBRARY_MINE_HELP, ParameterType.FLAG, label="mine", surfaces=IN_CHATS),
            ),
            is_public=True,
            command_line_args={"limit": None},
        ),
        Command(
            "describe",
            Msg.DESCRIBE_HELP,
            search.describe,
            (
                Parameter(
                    "link",
                    Msg.DESCRIBE_LINK_HELP,
                    ParameterType.LINK,
                    is_required=True,
                    is_positional=True,
                    completion=Completion.VIDEO,
                ),
                Parameter("at", Msg.DESCRIBE_AT_HELP, is_positional=True, metavar="[AT]"),
            ),
            is_public=True,
            cost=VISION_COST,
        ),
        Command(
            "ask",
            Msg.ASK_HELP,
            search.ask,
            (Parameter("question", Msg.QUESTION_HELP, is_required=True, is_positional=True),),
            is_public=True,
            cost=VISION_COST,
        ),
        Command(
            "topics",
            Msg.TOPICS_HELP,
            library.show_topics,
            (Parameter("topic", Msg.TOPIC_NUMBER_HELP, label="number", is_positional=True),),
            is_public=True,
        ),
        Command(
            "forget",
            Msg.FORGET_HELP,
            library.forget,
            (
                Parameter("link", Msg.FORGET_LINK_HELP, ParameterType.LINK, is_required=True, is_positional=True),
                Parameter("only_own", Msg.FORGET_MINE_HELP, ParameterType.FLAG, label="mine"),
            ),
            admins_may_do_more=True,
            takes_timestamp=True,
        ),
        Command("status", Msg.STATUS_HELP, library.show_status, is_public=True),
        Command("privacy", Msg.PRIVACY_HELP, settings.show_privacy, surfaces=IN_CHATS),
        Command(
            "settings",
            Msg.SETTINGS_HELP,
            settings.show_or_change_settings,
            (
                Parameter("name", Msg.SETTING_NAME_HELP, is_positional=True, choices=settings.OPTIONS),
                Parameter("value", Msg.SETTING_VALUE_HELP, is_positional=True, completion=Completion.SETTING_VALUE),
            ),
            surfaces=IN_CHATS,
            is_admin=True,
        ),
        Command(
            "retrain",
            Msg.RETRAIN_HELP,
            training.retrain,
            (
                Parameter(
                    "action",
                    Msg.RETRAIN_ACTION_HELP,
                    is_positional=True,
                    choices=dict.fromkeys(("preview", "start", "cancel")),
                ),
            ),
            is_admin=True,
            not_repeatable=True,
        ),
        Command(
            "model",
            Msg.MODEL_HELP,
            models.manage_models,
            (
                Parameter(
                    "action",
                    Msg.MODEL_ACTION_HELP,
                    is_positional=True,
                    choices=dict.fromkeys(("status", "list", "use", "rollback", "cancel")),
                    command_line_help=Msg.CLI_MODEL_ACTION_HELP,
                    command_line_metavar="[status|list|use|rollback|promote|cancel]",
                ),
                Parameter(
                    "to",
                    Msg.MODEL_NAME_HELP,
                    label="name",
                    is_positional=True,
                    command_line_help=Msg.CLI_MODEL_NAME_HELP,
                    command_line_metavar="[PRESET|ADAPTER|FOLDER]",
                ),
                Parameter(
                    "is_forced",
                    Msg.MODEL_FORCE_HELP,
                    ParameterType.FLAG,
                    label="force",
                    surfaces=_COMMAND_LINE_ONLY,
                ),
            ),
            is_admin=True,
            not_repeatable=True,
            command_line_args={"by_operator": True},
        ),
        Command("help", Msg.HELP_HELP, show_help, surfaces=IN_CHATS, admins_may_do_more=True),
        Command("press", None, search.press, surfaces=INTERNAL, takes_results=True),
        Command(
            "watch",
            None,
            library.sync_watched_message,
            surfaces=INTERNAL,
            takes_timestamp=True,
            has_no_recipient=lambda args: not args["links"],
        ),
        Command(
            "leave",
            None,
            settings.record_bot_removal,
            surfaces=INTERNAL,
            takes_timestamp=True,
            has_no_recipient=lambda args: True,
        ),
    )
}
"""All commands by name, internal ones too. `list_commands` tells which a user can call."""
