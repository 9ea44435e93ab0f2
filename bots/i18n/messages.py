"""Every sentence that users read, in English. gettext's catalogues in `bots/i18n/locale` translate them.

The English sentence is the key of a translation. `python -m bots.i18n.update_catalogs` adds new sentences to the
catalogues and removes old ones.
"""

from enum import StrEnum

from worker.protocol.error_codes import ErrorCode

ERROR_MESSAGES: dict[ErrorCode, str] = {
    ErrorCode.NOT_A_LINK: "That is not a link I can open. Send one that starts with http:// or https://.",
    ErrorCode.SCHEME_REFUSED: "Only links that start with http:// or https:// can be added. Send one of those.",
    ErrorCode.ADDRESS_REFUSED: (
        "That link leads to a private address or an unusual port, so it was not opened. "
        "Send a public link, or ask your Reelseek administrator to allow that network."
    ),
    ErrorCode.PLAYLIST_REFUSED: (
        "That is a playlist or a channel, not a single video. Send its videos one by one, "
        "or ask your Reelseek administrator to add them all with `reelseek crawl`."
    ),
    ErrorCode.FETCH_FAILED: (
        "The site did not deliver that video. Check that the link plays in a browser, then send it again."
    ),
    ErrorCode.NOT_FOUND: "There is no video at that link. Check the link, then send it again.",
    ErrorCode.NO_VIDEO: "No video was found on that page. Send the link of the video itself.",
    ErrorCode.TOO_LONG: "That video is longer than allowed here. Send a shorter one.",
    ErrorCode.TOO_LARGE: "That video is larger than allowed here. Send a smaller one.",
    ErrorCode.LIVE_STREAM: "That is a live stream. Send the link again when the recording is available.",
    ErrorCode.BLOCKED: "The site does not let Reelseek download that video. Send the same video from another site.",
    ErrorCode.PRIVATE: "That video is private. Make it public, or send another link.",
    ErrorCode.UNREACHABLE: "The site cannot be reached right now. Try again in a few minutes.",
    ErrorCode.TIMED_OUT: "That took too long and was stopped. Try again later.",
    ErrorCode.CORRUPT: "That file is damaged or is not a video. Send one that plays.",
    ErrorCode.EMPTY_FILE: "That file is empty. Send one that plays.",
    ErrorCode.NO_PICTURES: "That file has sound but no pictures. Send a video.",
    ErrorCode.TOO_MANY_PIXELS: "The pictures of that video are larger than allowed here. Send a smaller version.",
    ErrorCode.EMPTY_QUERY: "There is nothing to search for. Describe in a few words what happens in the moment.",
    ErrorCode.QUERY_TOO_LONG: "That search is too long. Use 10,000 characters or fewer.",
    ErrorCode.NOT_IN_LIBRARY: "That video is not in the library. Send its link to add it first.",
    ErrorCode.NOT_A_PICTURE: "That picture cannot be read. Send a JPEG, PNG, WebP or GIF of at most 8 MB.",
    ErrorCode.NOT_YOURS: "Someone else added that video. Ask them or an admin to remove it.",
    ErrorCode.ADMINS_ONLY: "Only admins can do that. Ask one of them.",
    ErrorCode.SUBMITTERS_ONLY: "Only admins can add videos here. Ask one of them to add it.",
    ErrorCode.TOO_FEW_PAIRS: (
        "There is too little to train on yet. Add videos with titles or subtitles, and vote on search results."
    ),
    ErrorCode.TRAINING_ELSEWHERE: "Training for another space is running. Try again later.",
    ErrorCode.NO_OTHER_MODEL: "There is no earlier model. Train one with `/retrain`.",
    ErrorCode.TOO_MANY: "You're sending requests too quickly. Try again in a minute.",
    ErrorCode.MODEL_MISSING: "A model file is missing. Your Reelseek administrator can fix it: `reelseek doctor`.",
    ErrorCode.MODEL_MISMATCH: (
        "The library was made with another preset. Your Reelseek administrator can fix it: `reelseek doctor`."
    ),
    ErrorCode.STORE_NEWER: "The library was written by a newer Reelseek. Update Reelseek, then start it again.",
    ErrorCode.STORE_UNAVAILABLE: "The library cannot be reached right now. Try again in a minute.",
    ErrorCode.QUEUE_UNAVAILABLE: "Reelseek cannot be reached right now. Try again in a minute.",
    ErrorCode.NO_WORKER: (
        "No worker is available right now. Try again in a minute, or tell your Reelseek administrator."
    ),
    ErrorCode.BUSY: "Reelseek has too many requests right now. Try again in a minute.",
    ErrorCode.FORGED: (
        "That was refused: the parts of Reelseek use different signing keys. Tell your Reelseek administrator."
    ),
    ErrorCode.IN_USE: "Reelseek is running here. Stop it, then try again.",
    ErrorCode.NOT_EMPTY: (
        "A backup needs an empty folder, and a restore needs an empty library, so that nothing is overwritten. "
        "Use a new one."
    ),
    ErrorCode.NOT_WRITTEN: "The backup could not be written. Choose a writable folder with enough space.",
    ErrorCode.BACKUP_DAMAGED: "That backup is damaged or incomplete, so nothing was restored. Use another one.",
    ErrorCode.BACKUP_UNFIT: (
        "That backup was made with another preset, another kind of store or a newer Reelseek, so nothing was restored. "
        "Set Reelseek up as it was then, and try again."
    ),
    ErrorCode.INTERNAL: "Something went wrong, and the cause was logged. Try again. If it fails again, report it.",
}


class Msg(StrEnum):
    """All other sentences, labels and names."""

    # web chat
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
    WELCOME = "Describe in your own words, in any language, what happens in it. Or paste links to add videos."
    WELCOME_EMPTY = "The library is empty. Paste the link of a video into the box. You can search it in about a minute."
    STARTING = "Just a moment"
    STARTING_HINT = "Reelseek is starting. If this page does not change, start it with: reelseek up"
    PLAY = "Play"
    OPEN = "Open"
    CLOSE = "Close"
    MORE_LIKE_THIS = "More like this"
    SHOW_MORE = "Show more"
    FILTER = "Filter by title"
    SEARCH_INSIDE = "Search inside"
    FORGET = "Remove"
    FORGET_SURE = "Remove this video from the library?"
    # all frontends
    TAGLINE = "Find the moment."
    NO_HITS = "Nothing found. Try other words, or add more videos by sending their links."
    NO_HITS_INSIDE = "Nothing found in this video. Try other words, or search the whole library."
    WEAK = "No good match. The closest moments:"
    NO_MORE = "No more results. Try another search."
    EMPTY_LIBRARY = "The library is empty. Send a link to add a video."
    NO_VIDEO_MATCHES = "No videos match. Try fewer words."
    UNKNOWN_COMMAND = "There is no command “{name}”. Type /help for a list."
    USAGE = "Type it like this: /{name} {usage}"
    WHICH_LINK = "Which video? Send the link that the library shows."
    WHICH_LINKS = "Which video? Send its link."
    INDEXED = "Added “{title}”."
    ALREADY = "“{title}” is already in the library."
    WORDS_ONLY = "Added “{title}”, but only by its title and description. {reason}"
    FORGOTTEN_ONE = "Removed: {link}"
    FORGOTTEN = "Removed {count} videos."
    STATUS = "{videos}, {moments}. Model: {preset}. {waiting}"
    NOTHING_WAITING = "Nothing is waiting."
    WAITING = "Waiting: {count}."
    LOOKS = "looks like it"
    MOVES = "moves like it"
    WORDS = "the words “{snippet}”"
    WORDS_FIT = "its words match"
    ADDED_BY = "added by {who}"
    ADDED_BY_ON = "added by {who}, {date}"
    MORE_INSIDE = "{count} more inside"
    CONSOLE_HELLO = (
        "Describe what happens in the moment, or paste links to add videos. /help lists commands, Ctrl-D quits."
    )
    REFERENCE = "Reference {correlation_id}"
    IN_USE = (
        "Another reelseek command is using the library. Wait until it ends, or start `reelseek up`: "
        "other commands can run while it does."
    )
    BAD_SETTING = "The setting {name} is not valid: {why}"
    SOME_OF = "the newest {shown} of {total}"
    # command line: help
    ABOUT = "Find the moment: add videos by their links, then describe what happens in them."
    COMMANDS_TITLE = "Commands"
    ARGUMENTS_TITLE = "Arguments"
    OPTIONS_TITLE = "Options"
    CLI_HELP_HELP = "Show this help."
    JSON_HELP = "Answer in JSON."
    UP_HELP = "Start everything: the worker, sample videos on the first start, and the web chat."
    BACKUP_HELP = "Save everything that cannot be made again in a new folder. Stop `reelseek up` first."
    RESTORE_HELP = "Restore a backup into an empty library. Stop Reelseek first."
    WORKER_HELP = "Run a worker for an installation with Redis."
    WORKER_QUEUES_HELP = "The queues to work on, separated by commas."
    WEB_HELP = "Run the web chat."
    DISCORD_HELP = "Run the Discord bot."
    DISCORD_INVITE_HELP = "Print the link that adds the bot to a server."
    SLACK_HELP = "Run the Slack app."
    CONSOLE_HELP = "Chat in this terminal."
    DOCTOR_HELP = "Check the installation and show how to fix problems."
    EVALUATE_HELP = "Measure how well texts find their pictures, and compare an adapter with its base model."
    EXTRACT_HELP = "Write feature vectors of texts or pictures to a file."
    TRAIN_HELP = "Train an adapter on pairs and test whether it is better. After Ctrl-C, the same command continues."
    PRETRAIN_HELP = "Train the text map of the starter preset again from its run file."
    PRESET_HELP = "The preset to use instead of the one in the settings."
    ADAPTER_HELP = "Folder of an adapter."
    PAIRS_HELP = "TSV, CSV or JSONL with the columns `file` and `text`."
    EXTRACT_OUT_HELP = "The .tsv or .parquet file to write."
    EXTRACT_TEXT_HELP = "File with one text per line."
    EXTRACT_IMAGES_HELP = "File with one picture per line, relative to the folder of that file."
    TRAIN_OUT_HELP = "Folder for checkpoints, the adapter and the report."
    TRAIN_RUN_HELP = "Run file with the training settings."
    PRETRAIN_RUN_HELP = "Run file of the training."
    PRETRAIN_DATA_HELP = "Folder of pictures and captions to use instead of the one in the run file."
    # command line: messages
    BAD_DATA_DIR = "The folder {folder} cannot be used: {why}. Set REELSEEK_DATA_DIR to another one."
    UNKNOWN_QUEUE = "There is no queue {name}. The queues are: {all}."
    WORKER_NEEDS_REDIS = "A worker needs Redis: set REELSEEK_REDIS_URL. Without Redis, use `reelseek up`."
    NOT_INSTALLED = "This command needs more packages. Install them with: pip install 'reelseek[{extra}]'"
    UP_IS_EMBEDDED = (
        "`reelseek up` is for a single machine without Redis. "
        "With REELSEEK_REDIS_URL set, start `reelseek worker` and `reelseek web`."
    )
    UP_HELLO = "Reelseek · preset {preset} · data in {data}"
    UP_SAMPLES = "First start: adding {count} sample videos."
    UP_EXAMPLES = "Three example searches:"
    UP_READY = "Ready. Web chat: {address}"
    WEB_READY = "Web chat: {address}\nCtrl-C stops."
    WEB_FAILED = "The web chat stopped: {why}."
    PORT_TAKEN = "Health and metrics cannot be served on {why}. Set REELSEEK_METRICS_PORT to another port."
    UNKNOWN_PRESET = "There is no preset {name}. The presets are: {all}."
    TEXT_OR_IMAGES = "Give either --text or --images."
    SAVED = "Saved: {file}"
    RESTORED = "Restored: {videos}, {moments}. You can start Reelseek now."
    BAD_RUN = "The run file is not valid: {why}"
    MODEL_FILES_MISSING = "Model files are missing: {why}"
    ADAPTER_UNUSABLE = "The adapter cannot be used: {why}"
    PAIRS_UNUSABLE = "The pairs cannot be used: {why}"
    FILE_UNUSABLE = "A file cannot be used: {why}"
    NOTHING_HELD_OUT = (
        "{file} has too few pictures or videos: some are for training, and others must be held out for the test. "
        "Add more, or mark them as `train` and `test` in a column `split`."
    )
    TRAIN_STOPPED = "Stopped. Run the same command to continue from the last checkpoint."
    ADAPTER_BETTER = (
        "The adapter is better: mean reciprocal rank {before} before, {after} after ({low} to {high}), "
        "and no worse on the general set."
    )
    ADAPTER_NOT_BETTER = (
        "The adapter is not significantly better: mean reciprocal rank {before} before, {after} after "
        "({low} to {high})."
    )
    ADAPTER_WORSE_BACK = (
        "The adapter is worse from picture to text: mean reciprocal rank {before} before, {after} after "
        "({low} to {high})."
    )
    ADAPTER_FORGOT = (
        "The adapter forgets too much general knowledge: mean reciprocal rank on the general set {before} before, "
        "{after} after ({low} to {high})."
    )
    ADAPTER_TOO_FEW = (
        "The held-out pairs come from only {sources} pictures or videos. That is too few to tell whether the adapter "
        "is better."
    )
    # command line: tables and progress
    COLUMN_TITLE = "Title"
    COLUMN_MOMENTS = "Moments"
    COLUMN_LENGTH = "Length"
    COLUMN_STATE = "State"
    COLUMN_LINK = "Link"
    COLUMN_MEDIAN_RANK = "median rank"
    COLUMN_MEAN_RANK = "mean rank"
    COLUMN_QUERIES = "queries"
    COLUMN_CANDIDATES = "candidates"
    COLUMN_ALIGNMENT = "alignment"
    COLUMN_UNIFORMITY = "uniformity"
    COLUMN_SINGULAR_VALUE = "largest singular value"
    COLUMN_MEASURE = "measure"
    COLUMN_BASE = "base"
    COLUMN_ADAPTER = "adapter"
    COLUMN_DIFFERENCE = "difference"
    TEXT_TO_PICTURE = "text to picture"
    PICTURE_TO_TEXT = "picture to text"
    TEXTS = "texts"
    PICTURES = "pictures"
    BASE_PICTURES = "pictures, base model"
    COMPARING = "comparing"
    VIDEOS_ONE = "{count} video"
    VIDEOS = "{count} videos"
    MOMENTS_ONE = "{count} moment"
    MOMENTS = "{count} moments"
    # doctor: names of the checks
    DATA_FOLDER = "data folder"
    SAMPLES = "samples"
    DEVICE = "device"
    BLOB_STORE = "blob store"
    DISCORD_TOKEN = "Discord token"  # noqa: S105  # the name of a check
    DISCORD_COMMANDS = "Discord commands"
    DISCORD_INTENT_NAME = "Discord intent"
    SLACK_BOT_TOKEN = "Slack bot token"  # noqa: S105  # the name of a check
    SLACK_APP_TOKEN = "Slack app token"  # noqa: S105  # the name of a check
    SLACK_SCOPES = "Slack scopes"
    # doctor: findings
    FOLDER_FREE = "{folder}, {free_gb} GB free"
    MODEL_READY = "preset {preset}, {folder}; {figures} (docs/starter-model.md)"
    MODEL_FROM_HUB = "preset {preset}, downloaded from its hub when it is first used; {figures}"
    MODEL_NOT_FOUND = "no model files in {folder}"
    FIGURES = "finds the right one of {clips} clips first, and among the first five: {languages}"
    FIGURES_LANGUAGE = "{language} {first} and {among_five}"
    NOT_MEASURED = "not measured yet (`reelseek evaluate` does that)"
    SAMPLES_FOUND = "{count} clips"
    SAMPLES_NOT_FOUND = "no clips"
    DEVICE_CPU = "CPU, {threads} threads"
    YOUTUBE_READY = "yt-dlp runs YouTube's scripts with {runtime}"
    YOUTUBE_NO_RUNTIME = "no JavaScript runtime for YouTube's scripts"
    REDIS_DURABLE = "version {version}, append-only file on"
    REDIS_NOT_DURABLE = "version {version}, append-only file off"
    QDRANT_READY = "{collections} collections at {url}"
    NOT_INSTALLED_HERE = "not installed on this machine"
    DISCORD_ACCOUNT = "{name}; invite link: {link}"
    MISSING = "missing: {names}"
    COMMANDS_LISTED = "{count} commands"
    INTENT_ON = "Message Content Intent is on"
    INTENT_OFF = "Message Content Intent is off"
    SLACK_ACCOUNT = "{user} in {team}"
    SCOPES_ALL = "all"
    SOCKET_MODE_WORKS = "Socket Mode connects"
    NO_ANSWER = "no answer"
    # doctor: advice
    FIX_DATA_FOLDER = "Set REELSEEK_DATA_DIR to a writable folder on a disk with enough space."
    FIX_BY_COMMAND = "Run `{command}`."
    FIX_DEVICE = "Set REELSEEK_DEVICE=auto, or install a CUDA build of torch and its driver."
    FIX_BLOB_STORE = "Correct REELSEEK_BLOBS_URL. S3 also needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    FIX_YOUTUBE = "Run `pip install deno`."
    FIX_REDIS = "Start Redis, or correct REELSEEK_REDIS_URL (redis://:password@host:6379/0)."
    FIX_REDIS_DURABILITY = "Start Redis with `--appendonly yes`, so that queued links survive a restart."
    FIX_QDRANT = "Start Qdrant, or correct REELSEEK_QDRANT_URL and REELSEEK_QDRANT_API_KEY."
    FIX_DISCORD_CONNECTION = "Check the connection to discord.com."
    FIX_DISCORD_TOKEN = "Set REELSEEK_DISCORD_TOKEN. docs/discord.md shows where to find it."  # noqa: S105  # a sentence
    FIX_DISCORD_COMMANDS = "Start `reelseek discord` once: it registers its commands with Discord."
    FIX_SLACK_CONNECTION = "Check the connection to slack.com."
    FIX_SLACK_BOT_TOKEN = "Set REELSEEK_SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) under OAuth & Permissions."  # noqa: S105
    FIX_SLACK_APP_TOKEN = (
        "Set REELSEEK_SLACK_APP_TOKEN to an App-Level Token (xapp-…) with connections:write, under Basic Information."  # noqa: S105
    )
    FIX_SLACK_SCOPES = (
        "At api.slack.com/apps, choose the app, paste slack-manifest.yaml into App Manifest, then choose "
        "Reinstall to Workspace."
    )
    # help of the commands
    FIND_HELP = "Find moments by your words."
    MORE_HELP = "Show the next page of results."
    INDEX_HELP = "Add videos by their links."
    CRAWL_HELP = "Add the videos of a playlist, a channel or a feed."
    LIBRARY_HELP = "List the videos that you can search."
    FORGET_HELP = "Remove videos from the library."
    STATUS_HELP = "Show how many videos are in the library and how many are waiting."
    PRIVACY_HELP = "Show what Reelseek stores, and who can find it."
    HELP_HELP = "List the commands."
    SETTINGS_HELP = "Show or change the settings of this space."
    RETRAIN_HELP = "Train the search on this space's videos and votes."
    MODEL_HELP = "Show the models, or go back to the previous one."
    # names of chat commands and their options: short, lower case, no spaces
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
    # help of the options
    WORDS_HELP = "What happens in the moment. Separate several searches with commas."
    CLI_WORDS_HELP = "What happens in the moment."
    PICTURE_HELP = "A picture that the moment looks like."
    LIKE_HELP = "More like this, in words."
    UNLIKE_HELP = "Less like this, in words."
    IN_HELP = "Search only inside this video. Type part of its title."
    CLI_IN_HELP = "Search only inside this video."
    LIMIT_HELP = "How many moments to show."
    LINK_HELP = "The link of a video, or several links."
    CLI_LINKS_HELP = "Links of videos, or video files on this computer."
    CRAWL_LINK_HELP = "Link of a playlist, a channel or a feed."
    CRAWL_MOST_HELP = "The maximum number of videos to add."
    LIBRARY_WORDS_HELP = "Only videos that match these words."
    LIBRARY_MINE_HELP = "Only videos that you added."
    FORGET_LINK_HELP = "The link that the library shows."
    FORGET_MINE_HELP = "Everything you added."
    RETRAIN_ACTION_HELP = "Preview, start or cancel."
    MODEL_ACTION_HELP = "Show the models (status) or go back to the previous one (rollback)."
    CLI_MODEL_ACTION_HELP = "list (the default), rollback, or promote with a NAME."
    MODEL_NAME_HELP = "The model to promote."
    SETTING_NAME_HELP = "The setting to change."
    SETTING_VALUE_HELP = "The new value. For watched channels, the channels."
    INDEX_MESSAGE = "Index the links in this message"
    # cards in a chat
    FOUND = "Results for “{query}”"
    FOUND_LIKE = "Results for your picture"
    FOUND_SIMILAR = "Similar moments"
    NEXT = "Next"
    PREVIOUS = "Back"
    GOOD = "Good match"
    BAD = "Wrong match"
    SHARE = "Share"
    SHARED = "{who} shared a result for “{query}”"
    THANKS = "Thanks, noted."
    TOO_OLD = "These results have expired. Search again."
    MY_VIDEOS = "Added by you"
    ANSWER_WHERE = "Where to answer"
    # limits
    WAIT = "You're sending requests too quickly. Try again in {seconds} seconds."
    # privacy
    PRIVACY = (
        "Reelseek stores the links that were submitted here, pictures and speech of those videos, who submitted them, "
        "and which results were voted on, shared or opened for which search. Only this space can find them. A link "
        "from a private channel can be found only in that channel, unless an admin opens private channels with "
        "`settings private_channels open`. {training} "
        "Remove what you added with `forget mine`. If Reelseek is removed, everything of this space is deleted after "
        "{days} days."
    )
    PRIVACY_SEARCHES = "Results are kept for {days} days so that their buttons work."
    PRIVACY_VOTES = "Votes and their searches are deleted after {days} days."
    PRIVACY_FRAMES = "{days} days after a video was last submitted, only one picture per moment is kept."
    PRIVACY_TRAINING = "Training uses this space's own videos and votes, and improves only this space's searches."
    PRIVACY_TRAINING_ALL = (
        "Training uses the videos and votes of all spaces of this installation, and improves the searches of all."
    )
    # settings
    WATCHED = "Channels whose links are added automatically"
    SUBMITTERS = "Who can add videos"
    LANGUAGE = "Language of what everyone reads"
    ANSWERS = "Whether answers are private at first"
    PRIVATE_CHANNELS = "Whether links from private channels can be found in the whole space"
    SETTING_CHANGED = "Setting changed."
    SETTING_UNKNOWN = "There is no setting “{name}”. The settings are: {all}."
    SETTING_REFUSED = "“{name}” can be: {all}."
    CHANNEL_REFUSED = "“{name}” is not a channel. Type # and choose the channel from the list."
    # retrain
    MATERIAL = "There are {pairs} pairs of {videos} to train on ({kinds})."
    MATERIAL_MISSING = (
        "There are {pairs} pairs to train on, and {missing} more are needed. "
        "Add videos with titles or subtitles, and vote on search results."
    )
    RETRAIN_ASK = "Start training? Search keeps working, and changes only if the new model is better."
    RETRAIN_GO = "Train"
    RETRAIN_BEGUN = "Training started."
    RETRAIN_RUNS = "Training is already running."
    RETRAIN_NONE = "No training is running."
    RETRAIN_ENDS = "Training will stop at its next checkpoint."
    GATHERING = "collecting pairs"
    TRAINING = "training"
    EVALUATING = "comparing with the current model"
    REEMBEDDING = "re-indexing the library"
    SWITCHING = "switching"
    LOSS = "loss {loss}"
    LEFT = "{time} left"
    PROMOTED = (
        "The new model is better and in use now: {before} before, {after} after ({questions} held-out questions)."
    )
    NOT_BETTER = (
        "The new model is not better ({before} before, {after} after, {questions} held-out questions). Nothing changed."
    )
    FORGETS = "The new model forgets too much general knowledge ({before} before, {after} after). Nothing changed."
    CANCELLED = "Training was stopped. Nothing changed."
    MODEL_LINE = "{name}, {date}"
    MODEL_LIVE = "in use"
    MODEL_FIGURES = "{before} before, {after} after, of {questions} questions"
    MODEL_PLAIN = "base model"
    ROLLED_BACK = "Now using {name}."
    # who may ask in Slack
    OUTSIDE = "Only people of this workspace can use Reelseek here."
    UNSURE = "Slack cannot confirm right now that you belong to this workspace. Try again in a moment."
    # starting a bot
    CHAT_NEEDS_REDIS = (
        "A chat bot needs Redis: set REELSEEK_REDIS_URL, for example by starting everything with `docker compose up`."
    )
    DISCORD_NEEDS_TOKEN = (
        "Discord's token is missing: set REELSEEK_DISCORD_TOKEN. "  # noqa: S105  # a sentence about a token
        "docs/discord.md says where to find it."
    )
    DISCORD_REFUSED = "Discord does not accept the token. Check REELSEEK_DISCORD_TOKEN (see docs/discord.md)."
    DISCORD_UNREACHABLE = "Discord cannot be reached. Check the connection, then start again."
    DISCORD_INTENT = (
        "To read links in watched channels, the administrator of this bot must switch on “Message Content Intent” at "
        "https://discord.com/developers/applications. Then choose the channels again."
    )
    SLACK_NEEDS_TOKENS = (
        "Slack's tokens are missing: set REELSEEK_SLACK_BOT_TOKEN and REELSEEK_SLACK_APP_TOKEN. "
        "docs/slack.md says where to find them."
    )
    SLACK_REFUSED = (
        "Slack does not accept a token ({why}). Check REELSEEK_SLACK_BOT_TOKEN (xoxb-…) and REELSEEK_SLACK_APP_TOKEN "
        "(xapp-…)."
    )
    SLACK_UNREACHABLE = "Slack cannot be reached. Check the connection, then start again."
    # states and stages of a video
    QUEUED = "waiting"
    FETCHING = "downloading"
    DECODING = "reading the pictures"
    EMBEDDING = "analysing the moments"
    STORING = "saving"
    IN_WORK = "in progress"
    READY = "ready"
    ONLY_WORDS = "words only"
    FAILED = "failed"
