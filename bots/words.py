"""Every sentence a person may read, and how times are written.

All of them go through `say`: that is where gettext can sit one day.
"""

from datetime import datetime
from enum import StrEnum

from worker.codes import Code

SENTENCES: dict[Code, str] = {
    Code.NOT_A_LINK: "That is not a link I can open. Send one that starts with http:// or https://.",
    Code.SCHEME_REFUSED: "Only links that start with http:// or https:// can be added. Send one of those.",
    Code.ADDRESS_REFUSED: (
        "That link leads to a private address, so it was not opened. "
        "Send a public link, or ask whoever runs Reelseek to allow that network."
    ),
    Code.PLAYLIST_REFUSED: (
        "That is a playlist or a channel, not one video. Send its videos one by one, "
        "or ask whoever runs Reelseek to add them all with `reelseek crawl`."
    ),
    Code.FETCH_FAILED: (
        "The site did not hand over that video. Check that the link plays in a browser, then send it again."
    ),
    Code.NOT_FOUND: "There is no video at that link. Check the link, then send it again.",
    Code.NO_VIDEO: "No video was found on that page. Send the link of the video itself.",
    Code.TOO_LONG: "That video is longer than allowed here. Send a shorter one.",
    Code.TOO_LARGE: "That video is larger than allowed here. Send a smaller one.",
    Code.LIVE_STREAM: "That is a live stream. Send the link again when the recording is out.",
    Code.BLOCKED: "The site refuses to hand that video to Reelseek. Send the same video from another site.",
    Code.PRIVATE: "That video is private. Make it public, or send another link.",
    Code.UNREACHABLE: "The site cannot be reached right now. Try again in a few minutes.",
    Code.TIMED_OUT: "That took too long and was stopped. Try again later.",
    Code.CORRUPT: "That file is damaged or is not a video. Send one that plays.",
    Code.EMPTY_FILE: "That file is empty. Send one that plays.",
    Code.NO_PICTURES: "That file holds sound but no pictures. Send a video.",
    Code.TOO_MANY_PIXELS: "The pictures of that video are larger than allowed here. Send a smaller version.",
    Code.EMPTY_QUERY: "There was nothing to look for. Say in a few words what happens in the moment.",
    Code.QUERY_TOO_LONG: "That is too much text to look for. Use 10,000 characters or fewer.",
    Code.NOT_IN_LIBRARY: "That video is not in the library. Add it first by sending its link.",
    Code.MODEL_MISSING: "A part that reads videos is missing. Whoever runs Reelseek can mend it: `reelseek doctor`.",
    Code.MODEL_MISMATCH: (
        "The library was made with another preset. Whoever runs Reelseek can set it back: `reelseek doctor`."
    ),
    Code.STORE_UNAVAILABLE: "The library cannot be reached right now. Try again in a minute.",
    Code.QUEUE_UNAVAILABLE: "Reelseek cannot be reached right now. Try again in a minute.",
    Code.NO_WORKER: "Nobody is at work to do that. Try again in a minute, or ask whoever runs Reelseek.",
    Code.BUSY: "There is a lot to do right now. Try again in a minute.",
    Code.INTERNAL: "Something went wrong on our side, and it was written down. Try again; if it stays, report it.",
}


class Text(StrEnum):
    """The sentences that are no failure of a request."""

    # the web chat
    SEARCH = "Search"
    LIBRARY = "Library"
    HELP = "Help"
    VIEWS = "Views"
    ASK = "What happens in the moment?"
    ASK_EXAMPLE = "A dog runs in snow, children dancing … or paste links"
    LIKE = "More like"
    LIKE_EXAMPLE = "winter"
    UNLIKE = "Less like"
    UNLIKE_EXAMPLE = "indoors"
    GO = "Find"
    ASKED_LIKE = "more like {what}"
    ASKED_UNLIKE = "less like {what}"
    ASKED_INSIDE = "inside “{what}”"
    ONLY_INSIDE = "Only inside “{what}”"
    WELCOME_TITLE = "Find the moment"
    WELCOME = "Say in your own words, in any language, what happens in it. Or paste links to add videos."
    WELCOME_EMPTY = "The library is empty. Paste the link of a video into the box, and search it in a minute."
    STARTING = "Just a moment"
    STARTING_HINT = "Reelseek is starting. If this stays, start it with: reelseek up"
    PLAY = "Play"
    OPEN = "Open"
    CLOSE = "Close"
    MORE_LIKE_THIS = "More like this"
    SHOW_MORE = "Show more"
    FILTER = "Filter by title"
    SEARCH_INSIDE = "Search inside"
    FORGET = "Forget"
    FORGET_SURE = "Take this video out of the library?"
    # everywhere
    TAGLINE = "Find the moment."
    NO_HITS = "Nothing found. Try other words, or add more videos by sending their links."
    NO_HITS_INSIDE = "Nothing found in this video. Try other words, or search the whole library."
    NO_MORE = "That was everything. Look for something else."
    EMPTY_LIBRARY = "The library is empty. Add a video by sending its link."
    NOTHING_ON_SHELF = "No video in the library goes by those words. Try fewer words."
    UNKNOWN_COMMAND = "There is no command “{name}”. Type /help to see what there is."
    WHICH_LINK = "Which video? Give the link that the library shows."
    WHICH_LINKS = "Which video? Give its link."
    INDEXED = "Added “{title}”."
    ALREADY = "“{title}” is in the library already."
    WORDS_ONLY = "Added “{title}”, but only by its title and description. {reason}"
    FORGOTTEN_ONE = "Forgotten: {link}"
    FORGOTTEN = "Forgotten: {count} videos."
    STATUS = "{videos} and {moments}, read by “{preset}”. {waiting}"
    NOTHING_WAITING = "Nothing is waiting."
    WAITING = "Waiting: {count}."
    LOOKS = "looks like it"
    MOVES = "moves like it"
    WORDS = "the words “{snippet}”"
    WORDS_FIT = "its words fit"
    ADDED_BY = "added by {who}"
    ADDED_BY_ON = "added by {who}, {date}"
    MORE_INSIDE = "{count} more inside"
    CONSOLE_HELLO = "Say what happens in the moment, or paste links to add videos. /help shows more, Ctrl-D leaves."
    REFERENCE = "Reference {incident}"
    NOT_RUNNING = "Reelseek is not running. Start it with `reelseek up`."
    IN_USE = "Another reelseek command is using the library. Let it finish, or work through a running `reelseek up`."
    BAD_SETTING = "The setting {name} cannot be used: {why}"
    SOME_OF = "the newest {shown} of {total}"
    # the command line
    ABOUT = "Find the moment: add videos by their links, then say in your own words what happens in them."
    BAD_DATA_DIR = "The folder {folder} cannot be used: {why}. Set REELSEEK_DATA_DIR to another one."
    UNKNOWN_QUEUE = "There is no queue {name}; there are {all}."
    WORKER_NEEDS_REDIS = "A worker needs Redis: set REELSEEK_REDIS_URL. Without it, `reelseek up` works by itself."
    UP_IS_EMBEDDED = (
        "`reelseek up` is for one machine alone. "
        "With REELSEEK_REDIS_URL set, start `reelseek worker` and `reelseek web`."
    )
    UP_HELLO = "Reelseek · preset {preset} · data in {data}"
    UP_SAMPLES = "First start: adding {count} sample videos."
    UP_EXAMPLES = "Three examples of what can be asked:"
    UP_READY = "Ready. Web chat: {address}"
    WEB_READY = "Web chat: {address}\nCtrl-C stops."
    WEB_FAILED = "The web chat did not stay up: {why}."
    # states and stages
    QUEUED = "waiting"
    FETCHING = "fetching"
    DECODING = "looking at the pictures"
    EMBEDDING = "learning what happens"
    STORING = "storing"
    IN_WORK = "in work"
    READY = "ready"
    ONLY_WORDS = "words only"
    FAILED = "failed"


def say(what: Code | Text, /, **values: object) -> str:
    """The sentence for a code or a text, its blanks filled in."""
    sentence = SENTENCES[what] if isinstance(what, Code) else str(what)
    return sentence.format(**values)


def count(number: int, one: str, many: str) -> str:
    """`1 video`, `1,204 videos`"""
    return f"{number:,} {one if number == 1 else many}"


def clock(seconds: float) -> str:
    """`1:23`, `1:02:03`"""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def span(start_s: float, end_s: float) -> str:
    """`0:12–0:18`"""
    return f"{clock(start_s)}–{clock(end_s)}"


def date(iso: str) -> str:
    """`21 Nov 2026` of an ISO time; empty for an empty one."""
    if not iso:
        return ""
    day = datetime.fromisoformat(iso)
    return f"{day.day} {day:%b %Y}"
