"""Every sentence a person may read, in English: the key of `bots/i18n/locale`, gettext's catalogues of the other languages.

`python -m bots.i18n.update_catalogs` brings those up to date.
"""

from enum import StrEnum

from worker.protocol.error_codes import ErrorCode

ERROR_MESSAGES: dict[ErrorCode, str] = {
    ErrorCode.NOT_A_LINK: "That is not a link I can open. Send one that starts with http:// or https://.",
    ErrorCode.SCHEME_REFUSED: "Only links that start with http:// or https:// can be added. Send one of those.",
    ErrorCode.ADDRESS_REFUSED: (
        "That link leads to a private address, or to a port that no web site uses, so it was not opened. "
        "Send a public link, or ask whoever runs Reelseek to allow that network."
    ),
    ErrorCode.PLAYLIST_REFUSED: (
        "That is a playlist or a channel, not one video. Send its videos one by one, "
        "or ask whoever runs Reelseek to add them all with `reelseek crawl`."
    ),
    ErrorCode.FETCH_FAILED: (
        "The site did not hand over that video. Check that the link plays in a browser, then send it again."
    ),
    ErrorCode.NOT_FOUND: "There is no video at that link. Check the link, then send it again.",
    ErrorCode.NO_VIDEO: "No video was found on that page. Send the link of the video itself.",
    ErrorCode.TOO_LONG: "That video is longer than allowed here. Send a shorter one.",
    ErrorCode.TOO_LARGE: "That video is larger than allowed here. Send a smaller one.",
    ErrorCode.LIVE_STREAM: "That is a live stream. Send the link again when the recording is out.",
    ErrorCode.BLOCKED: "The site refuses to hand that video to Reelseek. Send the same video from another site.",
    ErrorCode.PRIVATE: "That video is private. Make it public, or send another link.",
    ErrorCode.UNREACHABLE: "The site cannot be reached right now. Try again in a few minutes.",
    ErrorCode.TIMED_OUT: "That took too long and was stopped. Try again later.",
    ErrorCode.CORRUPT: "That file is damaged or is not a video. Send one that plays.",
    ErrorCode.EMPTY_FILE: "That file is empty. Send one that plays.",
    ErrorCode.NO_PICTURES: "That file holds sound but no pictures. Send a video.",
    ErrorCode.TOO_MANY_PIXELS: "The pictures of that video are larger than allowed here. Send a smaller version.",
    ErrorCode.EMPTY_QUERY: "There was nothing to look for. Say in a few words what happens in the moment.",
    ErrorCode.QUERY_TOO_LONG: "That is too much text to look for. Use 10,000 characters or fewer.",
    ErrorCode.NOT_IN_LIBRARY: "That video is not in the library. Add it first by sending its link.",
    ErrorCode.NOT_A_PICTURE: "That picture cannot be read. Send a JPEG, PNG, WebP or GIF of at most 8 MB.",
    ErrorCode.NOT_YOURS: "Somebody else added that video. Ask them, or an admin, to take it out.",
    ErrorCode.ADMINS_ONLY: "Only admins may do that. Ask one of them.",
    ErrorCode.SUBMITTERS_ONLY: "Only admins may add videos here. Ask one of them to add it.",
    ErrorCode.TOO_FEW_PAIRS: (
        "There is too little to learn from yet. Add videos with titles or subtitles, and vote on what is found."
    ),
    ErrorCode.TRAINING_ELSEWHERE: "Another space's training is running, and there is one at a time. Try again later.",
    ErrorCode.NO_OTHER_MODEL: "There is no other model to go back to. Make one with `/retrain`.",
    ErrorCode.TOO_MANY: "That was a lot in a short time. Try again in a minute.",
    ErrorCode.MODEL_MISSING: "A part that reads videos is missing. Whoever runs Reelseek can mend it: `reelseek doctor`.",
    ErrorCode.MODEL_MISMATCH: (
        "The library was made with another preset. Whoever runs Reelseek can set it back: `reelseek doctor`."
    ),
    ErrorCode.STORE_NEWER: "The library was written by a newer Reelseek than this one. Update Reelseek, then start again.",
    ErrorCode.STORE_UNAVAILABLE: "The library cannot be reached right now. Try again in a minute.",
    ErrorCode.QUEUE_UNAVAILABLE: "Reelseek cannot be reached right now. Try again in a minute.",
    ErrorCode.NO_WORKER: "Nobody is at work to do that. Try again in a minute, or ask whoever runs Reelseek.",
    ErrorCode.BUSY: "There is a lot to do right now. Try again in a minute.",
    ErrorCode.FORGED: "That was refused: the parts of Reelseek do not have the same signing key. Tell whoever runs it.",
    ErrorCode.IN_USE: "Reelseek is running here. Stop it, then try again.",
    ErrorCode.NOT_EMPTY: (
        "A backup is written into an empty folder and restored into an empty library only, so that nothing is lost. "
        "Use a new one."
    ),
    ErrorCode.NOT_WRITTEN: "The backup could not be written. Choose a folder that can be written to and has enough room.",
    ErrorCode.BACKUP_DAMAGED: "That backup is damaged or not complete, so nothing was restored. Use another one.",
    ErrorCode.BACKUP_UNFIT: (
        "That backup was made with another preset, another kind of store or a newer Reelseek, so nothing was restored. "
        "Set Reelseek up as it was then, and try again."
    ),
    ErrorCode.INTERNAL: "Something went wrong on our side, and it was written down. Try again; if it stays, report it.",
}


class Msg(StrEnum):
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
    WEAK = "Nothing here fits well. The nearest:"
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
    REFERENCE = "Reference {correlation_id}"
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
    PORT_TAKEN = "Health and metrics cannot be served on {why}. Set REELSEEK_METRICS_PORT to another port."
    UNKNOWN_PRESET = "There is no preset {name}; there are {all}."
    TEXT_OR_IMAGES = "Give either --text or --images."
    SAVED = "Written: {file}"
    RESTORED = "Restored: {videos} and {moments}. Start Reelseek."
    BAD_RUN = "The run file cannot be used: {why}"
    NOTHING_HELD_OUT = (
        "{file} has too few pictures or videos: some must teach and others must be held out. "
        "Add more, or say in a column `split` which are `train` and which are `test`."
    )
    TRAIN_STOPPED = "Stopped. The same command goes on from the last checkpoint."
    ADAPTER_BETTER = (
        "The adapter is better: mean reciprocal rank {before} before, {after} after ({low} to {high}), "
        "and no worse on the general set."
    )
    ADAPTER_NOT_BETTER = (
        "The adapter is not better by more than the interval: mean reciprocal rank {before} before, {after} after "
        "({low} to {high})."
    )
    ADAPTER_WORSE_BACK = (
        "The adapter is worse from picture to text: mean reciprocal rank {before} before, {after} after "
        "({low} to {high})."
    )
    ADAPTER_FORGOT = (
        "The adapter forgets too much of the rest of the world: mean reciprocal rank on the general set {before} "
        "before, {after} after ({low} to {high})."
    )
    ADAPTER_TOO_FEW = (
        "The held-out pairs are of only {sources} pictures or videos: too few to tell whether the adapter is better."
    )
    VIDEOS_ONE = "{count} video"
    VIDEOS = "{count} videos"
    MOMENTS_ONE = "{count} moment"
    MOMENTS = "{count} moments"
    # what can be asked for
    FIND_HELP = "Find the moments that fit any of the words."
    MORE_HELP = "Show the next page of what was found."
    INDEX_HELP = "Add videos by their links."
    LIBRARY_HELP = "Show the videos that can be searched."
    FORGET_HELP = "Take a video, or all you added, out of the library."
    STATUS_HELP = "Show how much is in the library and what is in work."
    PRIVACY_HELP = "Show what Reelseek keeps, and who can find it."
    HELP_HELP = "Show what there is to ask for."
    SETTINGS_HELP = "Show or change what admins decide."
    RETRAIN_HELP = "Let the search learn from these videos and votes."
    MODEL_HELP = "Show the models, or go back to the one before."
    # what chat commands and their parts are called: short, in small letters, without spaces
    NAME_FIND = "find"
    NAME_INDEX = "index"
    NAME_LIBRARY = "library"
    NAME_FORGET = "forget"
    NAME_STATUS = "status"
    NAME_PRIVACY = "privacy"
    NAME_HELP = "help"
    NAME_SETTINGS = "settings"
    NAME_RETRAIN = "retrain"
    NAME_MODEL = "model"
    NAME_WORDS = "words"
    NAME_PICTURE = "picture"
    NAME_LIKE = "like"
    NAME_UNLIKE = "unlike"
    NAME_IN = "in"
    NAME_LIMIT = "limit"
    NAME_LINK = "link"
    NAME_MINE = "mine"
    NAME_ACTION = "action"
    NAME_NAME = "name"
    NAME_VALUE = "value"
    WORDS_HELP = "What happens in the moment. Commas part several searches."
    PICTURE_HELP = "A picture that the moment looks like."
    LIKE_HELP = "More like this, in words."
    UNLIKE_HELP = "Less like this, in words."
    IN_HELP = "Only inside this video. Type some of its title."
    LIMIT_HELP = "How many moments at once."
    LINK_HELP = "The link of a video, or several."
    SHELF_WORDS_HELP = "Only videos that go by these words."
    SHELF_MINE_HELP = "Only what you added."
    FORGET_LINK_HELP = "The link that the library shows."
    FORGET_MINE_HELP = "Everything you added."
    RETRAIN_ACTION_HELP = "Look first, begin, or stop."
    MODEL_ACTION_HELP = "Show them, or go back to the one before."
    SETTING_NAME_HELP = "Which setting to change."
    SETTING_VALUE_HELP = "What it is to be; for watched channels, the channels."
    INDEX_MESSAGE = "Index the links in this message"
    # cards in a chat
    FOUND = "Found for “{query}”"
    FOUND_LIKE = "Found for your picture"
    FOUND_SIMILAR = "More like it"
    NEXT = "Next"
    PREVIOUS = "Back"
    GOOD = "Fits"
    BAD = "Does not fit"
    SHARE = "Share"
    SHARED = "{who} shares what was found for “{query}”"
    THANKS = "Thanks, noted."
    TOO_OLD = "These results are no longer kept. Search again."
    MY_VIDEOS = "Added by you"
    ANSWER_WHERE = "Where to answer"
    # limits
    WAIT = "That was a lot in a short time. Try again in {seconds} seconds."
    # privacy
    PRIVACY = (
        "Reelseek keeps the links that were submitted here, pictures and spoken words of those videos, who submitted "
        "them, and votes, shared and opened moments with the words they were for. Only this space finds them. A link "
        "from a private channel is found in that channel only, unless an admin has opened private channels by "
        "`settings rooms open`. {training} "
        "Take your own out with `forget mine`. If Reelseek is removed, everything of this space is deleted after "
        "{days} days."
    )
    PRIVACY_SEARCHES = "Results that were shown are kept for {days} days, so that their buttons work."
    PRIVACY_VOTES = "Votes and their words are deleted after {days} days."
    PRIVACY_FRAMES = "{days} days after a video was last submitted, only one picture of each of its moments stays."
    PRIVACY_TRAINING = (
        "A retrain learns from this space's own videos and votes, for this space's searches and no other's."
    )
    PRIVACY_TRAINING_ALL = (
        "A retrain learns from the videos and votes of all spaces of this installation, and all are searched with it."
    )
    # settings
    WATCHED = "Channels whose links are added by themselves"
    SUBMITTERS = "Who may add videos"
    LANGUAGE = "Language of what everybody reads"
    ANSWERS = "Whether answers are private first"
    ROOMS = "Whether links from private channels are found in the whole space"
    SETTING_CHANGED = "Changed."
    SETTING_UNKNOWN = "There is no setting “{name}”. There are: {all}."
    SETTING_REFUSED = "“{name}” can be: {all}."
    CHANNEL_REFUSED = "“{name}” is no channel here. Type # and choose the channel from the list."
    # retrain
    MATERIAL = "There are {pairs} pairs of {videos} to learn from ({kinds})."
    MATERIAL_MISSING = (
        "There are {pairs} pairs to learn from, and {missing} more are needed. "
        "Add videos with titles or subtitles, and vote on what is found."
    )
    RETRAIN_ASK = "Train on them now? Searches go on meanwhile, and change only if the new model is better."
    RETRAIN_GO = "Train"
    RETRAIN_BEGUN = "The training was begun."
    RETRAIN_RUNS = "A training runs already."
    RETRAIN_NONE = "No training runs."
    RETRAIN_ENDS = "The training ends at its next checkpoint."
    GATHERING = "gathering pairs"
    TRAINING = "training"
    EVALUATING = "comparing with the model before"
    REEMBEDDING = "looking at the library anew"
    SWITCHING = "switching"
    LOSS = "loss {loss}"
    LEFT = "{time} left"
    PROMOTED = (
        "The new model is better and in use now: {before} before, {after} after ({questions} held-out questions)."
    )
    NOT_BETTER = (
        "The new model is not better ({before} before, {after} after, {questions} held-out questions). Nothing changed."
    )
    FORGETS = (
        "The new model forgets too much of the rest of the world ({before} before, {after} after). Nothing changed."
    )
    CANCELLED = "The training was stopped. Nothing changed."
    MODEL_LINE = "{name}, {date}"
    MODEL_LIVE = "in use"
    MODEL_FIGURES = "{before} before, {after} after, of {questions} questions"
    MODEL_PLAIN = "as it came"
    ROLLED_BACK = "Back to {name}."
    OUTSIDE = "Only people of this workspace can ask here."
    UNSURE = "Slack does not say right now whether you are of this workspace. Try again in a moment."
    # starting a bot
    CHAT_NEEDS_REDIS = (
        "A chat frontend needs Redis: set REELSEEK_REDIS_URL, for example by starting everything with "
        "`docker compose up`."
    )
    DISCORD_NEEDS_TOKEN = (
        "Discord's token is missing: set REELSEEK_DISCORD_TOKEN. "  # noqa: S105  # a sentence about a token
        "docs/discord.md says where to find it."
    )
    DISCORD_REFUSED = "Discord does not accept the token. Check REELSEEK_DISCORD_TOKEN; docs/discord.md says how."
    DISCORD_UNREACHABLE = "Discord cannot be reached. Check the connection, then start again."
    DISCORD_INTENT = (
        "To read links in watched channels, whoever runs this bot must switch on “Message Content Intent” for it at "
        "https://discord.com/developers/applications, and then choose the channels again."
    )
    SLACK_NEEDS_TOKENS = (
        "Slack's tokens are missing: set REELSEEK_SLACK_BOT_TOKEN and REELSEEK_SLACK_APP_TOKEN. "
        "docs/slack.md says where they are found."
    )
    SLACK_REFUSED = (
        "Slack does not accept a token ({why}). Check REELSEEK_SLACK_BOT_TOKEN (xoxb-…) and REELSEEK_SLACK_APP_TOKEN "
        "(xapp-…)."
    )
    SLACK_UNREACHABLE = "Slack cannot be reached. Check the connection, then start again."
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
