"""Sentences that users of every frontend read, in English. gettext's catalogues in `bots/i18n/locale` translate them.

The English sentence is the key of a translation. `python -m bots.i18n.update_catalogs` adds new sentences to the
catalogues and removes old ones. `bots.i18n.cli_messages` has the sentences of the command line.
"""

from enum import StrEnum

from worker.protocol.error_codes import ErrorCode

ERROR_MESSAGES: dict[ErrorCode, str] = {
    ErrorCode.NOT_A_LINK: "That doesn't look like a link. Send one that starts with http:// or https://.",
    ErrorCode.SCHEME_REFUSED: "Only http:// and https:// links can be added. Send one of those.",
    ErrorCode.ADDRESS_REFUSED: (
        "That link points to a private address or an unusual port, so Reelseek didn't open it. Send a public link, "
        "or ask your Reelseek administrator to allow that network."
    ),
    ErrorCode.FAKE_ADDRESS: (
        "This network answers with placeholder addresses instead of the site's own, as “fake-IP” proxies do, so "
        "Reelseek didn't open the link. Your Reelseek administrator can allow them with REELSEEK_ALLOW_NETWORKS."
    ),
    ErrorCode.PLAYLIST_REFUSED: (
        "That's a playlist or a channel, not a single video. Send the videos one by one, or ask an admin to add them "
        "all with the command `crawl`."
    ),
    ErrorCode.FETCH_FAILED: "Couldn't download that video. Check that the link plays in a browser, then send it again.",
    ErrorCode.NOT_FOUND: "There's no video at that link. Check the link and send it again.",
    ErrorCode.SLACK_FILE: (
        "Reelseek can't open that Slack file. Upload it in a channel of this workspace, or ask your Reelseek "
        "administrator to set the Slack bot token for the workers, too."
    ),
    ErrorCode.DISCORD_FILE: (
        "The address of that Discord upload has expired. Send it again, or ask your Reelseek administrator to set the "
        "Discord token for the workers, too."
    ),
    ErrorCode.NO_VIDEO: "No video was found on that page. Send a link to the video itself.",
    ErrorCode.TOO_LONG: "That video is too long to add here. Send a shorter one.",
    ErrorCode.TOO_LARGE: "That video file is too large to add here. Send a smaller one.",
    ErrorCode.LIVE_STREAM: "That's a live stream. Send the link again once the recording is available.",
    ErrorCode.BLOCKED: "That site doesn't let Reelseek download the video. Try the same video from another site.",
    ErrorCode.PRIVATE: "That video is private. Make it public, or send another link.",
    ErrorCode.UNREACHABLE: "Can't reach that site right now. Try again in a few minutes.",
    ErrorCode.TIMED_OUT: "That took too long and was stopped. Try again later.",
    ErrorCode.CORRUPT: "That file is damaged or isn't a video. Send one that plays.",
    ErrorCode.EMPTY_FILE: "That file is empty. Send one that plays.",
    ErrorCode.NO_PICTURES: "That file has sound but no picture. Send a video.",
    ErrorCode.TOO_MANY_PIXELS: "That video's resolution is too high. Send a version with a lower one.",
    ErrorCode.EMPTY_QUERY: "There's nothing to search for. Describe the moment in a few words.",
    ErrorCode.QUERY_TOO_LONG: "That search is too long. Use 10,000 characters or fewer.",
    ErrorCode.NOT_IN_LIBRARY: "That video isn't in the library. Send its link to add it first.",
    ErrorCode.NOT_A_PICTURE: "That picture can't be read. Send a JPEG, PNG, WebP or GIF of up to 8 MB.",
    ErrorCode.NOT_YOURS: "Someone else added that video. Ask them or an admin to remove it.",
    ErrorCode.ADMINS_ONLY: "Only admins can do that. Ask an admin for help.",
    ErrorCode.SUBMITTERS_ONLY: "Only admins can add videos here. Ask an admin to add it.",
    ErrorCode.TOO_FEW_PAIRS: (
        "There isn't enough to train on yet. Add videos with titles or subtitles, and vote on search results."
    ),
    ErrorCode.TRAINING_ELSEWHERE: "Another training or switch of models is running right now. Try again later.",
    ErrorCode.UNKNOWN_PRESET: "There's no model with that name. `/model list` shows all.",
    ErrorCode.PRESET_NOT_ALLOWED: (
        "The administrator of Reelseek hasn't allowed that model here. `/model list` shows which ones you can use."
    ),
    ErrorCode.NO_OTHER_MODEL: "There's no earlier model to go back to. Train a new one with `/retrain`.",
    ErrorCode.TOO_MANY: "You're sending requests too quickly. Try again in a minute.",
    ErrorCode.CRAWL_STOPPED: "Adding the videos of that list was stopped. Those that were added stay.",
    ErrorCode.NOT_A_LIST: "That isn't a channel, playlist or feed that can be followed. Send the link of one.",
    ErrorCode.NOT_FOLLOWED: "That isn't followed here. Type the command `follow` to see what is.",
    ErrorCode.TOO_MANY_LISTS: "Too many channels and playlists are followed here. Unfollow one first.",
    ErrorCode.MODEL_MISSING: "A model file is missing. Ask your Reelseek administrator to run `reelseek doctor`.",
    ErrorCode.MODEL_MISMATCH: (
        "The library was built with another preset. Ask your Reelseek administrator to run `reelseek doctor`."
    ),
    ErrorCode.PRESET_UNUSABLE: (
        "The file of that model has a mistake. Ask your Reelseek administrator to run `reelseek model list`."
    ),
    ErrorCode.WEIGHTS_CHANGED: (
        "The model files that the library was built with are missing or have changed. Ask your Reelseek administrator "
        "to run `reelseek doctor`."
    ),
    ErrorCode.STORE_NEWER: (
        "The library was written by a newer version of Reelseek. Update Reelseek and start it again."
    ),
    ErrorCode.DISK_FULL: (
        "The disk of the library is full. Ask your Reelseek administrator to free at least 100 MB, then try again."
    ),
    ErrorCode.STORE_UNAVAILABLE: "Can't reach the library right now. Try again in a minute.",
    ErrorCode.QUEUE_UNAVAILABLE: "Can't reach Reelseek right now. Try again in a minute.",
    ErrorCode.NO_WORKER: (
        "No worker is available right now. Try again in a minute, or tell your Reelseek administrator."
    ),
    ErrorCode.BUSY: "Too many requests are running right now. Try again in a minute.",
    ErrorCode.FORGED: (
        "The request was refused because parts of Reelseek use different signing keys. Tell your Reelseek "
        "administrator."
    ),
    ErrorCode.IN_USE: "Reelseek is running and uses this library. Stop it, then try again.",
    ErrorCode.NOT_EMPTY: (
        "A backup needs an empty folder and a restore needs an empty library, so that nothing is overwritten. Choose "
        "an empty one."
    ),
    ErrorCode.NOT_WRITTEN: "Couldn't write the backup. Choose a writable folder with enough space.",
    ErrorCode.BACKUP_DAMAGED: "That backup is damaged or incomplete, so nothing was restored. Use another one.",
    ErrorCode.BACKUP_UNFIT: (
        "That backup was made with a different preset, a different kind of store or a newer Reelseek, so nothing was "
        "restored. Set up Reelseek the same way, then try again."
    ),
    ErrorCode.INTERNAL: "Something went wrong, and the cause was logged. Try again. If it keeps happening, report it.",
}


class Msg(StrEnum):
    """Sentences, labels and names of commands."""

    # web chat
    SEARCH = "Search"
    LIBRARY = "Library"
    HELP = "Help"
    VIEWS = "Views"
    ASK = "What happens in the moment?"
    ASK_EXAMPLE = "A dog running in the snow, children dancing … or paste links"
    LIKE = "More like"
    LIKE_EXAMPLE = "winter"
    UNLIKE = "Less like"
    UNLIKE_EXAMPLE = "indoors"
    ONLY = "Search only"
    ONLY_LOOKS = "looks"
    ONLY_SAID = "what is said"
    ONLY_SHOWN = "text on the screen"
    ONLY_HEARD = "sounds"
    ASKED_ONLY = "only {what}"
    GO = "Find"
    ASKED_LIKE = "more like {what}"
    ASKED_UNLIKE = "less like {what}"
    ASKED_INSIDE = "in “{what}”"
    ONLY_INSIDE = "Only in “{what}”"
    WELCOME_TITLE = "Find the moment"
    WELCOME = "Describe it in your own words, in any language. Or paste links to add videos."
    WELCOME_EMPTY = "The library is empty. Paste a video link, and you can search the video in about a minute."
    STARTING = "Just a moment"
    STARTING_HINT = "Reelseek is starting. If this page doesn't change, run: reelseek up"
    PLAY = "Play"
    OPEN = "Open"
    CLOSE = "Close"
    MORE_LIKE_THIS = "More like this"
    SHOW_MORE = "Show more"
    FILTER = "Filter by title"
    SEARCH_INSIDE = "Search inside"
    FORGET = "Remove"
    FORGET_SURE = "Remove this video from the library?"
    SPACE = "Space"
    SPACE_HINT = "Videos from private channels aren't shown here. They can be found only in their channel."
    # all frontends
    TAGLINE = "Find the moment."
    NO_HITS = "Nothing found. Try other words, or send links to add more videos."
    NO_HITS_INSIDE = "Nothing found in this video. Try other words, or search the whole library."
    WEAK = "No good match. The closest moments:"
    NO_MORE = "No more results. Try another search."
    EMPTY_LIBRARY = "The library is empty. Send a link to add a video."
    NO_VIDEO_MATCHES = "No videos match. Try fewer words."
    UNKNOWN_COMMAND = "There's no “{name}” command. Type /help to see all commands."
    USAGE = "Type it like this: /{name} {usage}"
    WHICH_LINK = "Which video? Send its link from the library."
    WHICH_LINKS = "Which video? Send its link."
    INDEXED = "Added “{title}”."
    ALREADY = "“{title}” is already in the library."
    WORDS_ONLY = "Added “{title}” with its title and description only. {reason}"
    STILL_LISTENING = "Added; still listening…"
    LISTENING_TO_SPEECH = "Added; listening to the speech…"
    READING_TEXT = "Added; reading the text on the screen…"
    RECOGNIZING_SOUNDS = "Added; recognizing sounds…"
    SPEECH_FAILED = "Its speech couldn't be recognized: {reason}"
    TEXT_FAILED = "The text on its screen couldn't be read: {reason}"
    SOUNDS_FAILED = "Its sounds couldn't be recognized: {reason}"
    FIRST_OF_SEVERAL = "That post has several videos; this is the first."
    FORGOTTEN_ONE = "Removed: {link}"
    FORGOTTEN = "Removed {count} videos."
    STATUS = "{videos}, {moments}. Model: {preset}. {waiting}"
    NOTHING_WAITING = "Nothing is waiting."
    WAITING = "Waiting: {count}."
    LISTENING = "Still being listened to: {count}."
    FAILED_SENSES = "Not recognized: {senses}. Your Reelseek administrator can run `reelseek enrich --all`."
    FAILED_SENSE = "{sense} in {videos}"
    SENSE_LOOKS = "looks"
    SENSE_SAID = "speech"
    SENSE_SHOWN = "text on the screen"
    SENSE_HEARD = "sounds"
    LOOKS = "looks like it"
    MOVES = "moves like it"
    WORDS = "the words “{snippet}”"
    WORDS_FIT = "the words match"
    LIKED = "liked here for “{question}”"
    ONLY_IN_DISCORD = "Discord opens this upload only from its message there."
    SAYS = "says “{snippet}” at {time}"
    SHOWS = "shows “{snippet}” at {time}"
    SAYS_IT = "says it"
    SHOWS_IT = "shows it as text"
    HEARD = "heard: {sound}"
    ADDED_BY = "added by {who}"
    ADDED_BY_ON = "added by {who}, {date}"
    MORE_INSIDE = "{count} more inside"
    REFERENCE = "Reference {correlation_id}"
    SOME_OF = "the newest {shown} of {total}"
    VIDEOS_ONE = "{count} video"
    VIDEOS = "{count} videos"
    MOMENTS_ONE = "{count} moment"
    MOMENTS = "{count} moments"
    # crawls and followed lists
    WHICH_LIST = "Which channel, playlist or feed? Send its link."
    CRAWL_BY_OPERATOR = "Your Reelseek administrator can do it with `reelseek crawl LINK --space {space}`."
    CRAWLING = "Adding videos: {done} of {total}"
    CRAWL_STOP = "Stop"
    CRAWLS_STOPPED = "No more videos are added. Those in progress are finished, and all that were added stay."
    CRAWL_RESULT = "Added {added} of {total} videos. Already here: {already}. Failed: {failed}."
    CRAWL_STOPPED_RESULT = "Stopped. Added {added} of {total} videos. Already here: {already}. Failed: {failed}."
    FOLLOW_BEGUN = "New videos of {link} will be added from now on. For the videos it has already, use `crawl`."
    FOLLOWED_ALREADY = "{link} is followed already."
    UNFOLLOWED = "{link} isn't followed any more. Its videos stay."
    FOLLOWED_TITLE = "New videos of these are added:"
    NOTHING_FOLLOWED = "No channel, playlist or feed is followed yet."
    FOLLOWED_BY = "followed by {who}, videos added: {count}"
    FOLLOWED_FAILED = "The last try failed: {why} Reelseek tries again later."
    # help of the commands
    FIND_HELP = "Find a moment by describing it."
    MORE_HELP = "Show more results."
    INDEX_HELP = "Add videos by link."
    ENRICH_HELP = "Listen to videos in the library and read their text again."
    CRAWL_HELP = "Add the videos of a playlist, a channel, a feed or a YouTube search."
    FOLLOW_HELP = "Add what a channel, playlist or feed publishes from now on, or list what is followed."
    UNFOLLOW_HELP = "Add nothing more of a channel, playlist or feed."
    LIBRARY_HELP = "List the videos you can search."
    FORGET_HELP = "Remove videos from the library, with their transcripts, texts and sounds."
    STATUS_HELP = "Show how many videos are in the library and how many are waiting."
    PRIVACY_HELP = "Show what Reelseek stores and who can find it."
    HELP_HELP = "List the commands."
    SETTINGS_HELP = "Show or change the settings of this space."
    RETRAIN_HELP = "Improve search by training on this space's videos and votes."
    MODEL_HELP = "Show the models, switch to another one, or go back to the previous one."
    # names of chat commands and their options: short, lower case, no spaces
    NAME_FIND = "find"
    NAME_INDEX = "index"
    NAME_CRAWL = "crawl"
    NAME_FOLLOW = "follow"
    NAME_UNFOLLOW = "unfollow"
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
    NAME_ONLY = "only"
    NAME_LIMIT = "limit"
    NAME_LINK = "link"
    NAME_MOST = "most"
    NAME_FILE = "file"
    NAME_MINE = "mine"
    NAME_ACTION = "action"
    NAME_NAME = "name"
    NAME_VALUE = "value"
    # help of the options
    WORDS_HELP = "What happens in the moment. Separate several searches with commas."
    CLI_WORDS_HELP = "What happens in the moment."
    PICTURE_HELP = "A picture that looks like the moment."
    LIKE_HELP = "Words for what the moment should be more like."
    UNLIKE_HELP = "Words for what the moment should be less like."
    IN_HELP = "Search only in this video. Type part of its title."
    CLI_IN_HELP = "Search only in this video."
    ONLY_HELP = "Search only what is seen, said, shown as text, or heard."
    LIMIT_HELP = "How many moments to show."
    LINK_HELP = "One or more video links."
    FILE_HELP = "A video file from your device."
    CLI_LINKS_HELP = "Video links, or video files on this computer."
    ENRICH_LINK_HELP = "Links of videos in the library."
    ENRICH_ALL_HELP = "All videos, but only what was never recognized or failed."
    CRAWL_LINK_HELP = "Link to a playlist, channel or feed, a search (ytsearch10:cats), or stop."
    CLI_CRAWL_LINK_HELP = "Link to a playlist, channel or feed, a YouTube search (ytsearch10:cats), or stop."
    FOLLOW_LINK_HELP = "Link to a channel, playlist or feed. Empty: list what is followed."
    UNFOLLOW_LINK_HELP = "Its link, as shown in the list."
    CRAWL_MOST_HELP = "The maximum number of videos to add."
    LIBRARY_WORDS_HELP = "Show only videos that match these words."
    LIBRARY_MINE_HELP = "Show only videos you added."
    FORGET_LINK_HELP = "The video's link, as shown in the library."
    FORGET_MINE_HELP = "Remove everything you added."
    RETRAIN_ACTION_HELP = "Preview, start or cancel the training."
    MODEL_ACTION_HELP = "What is in use (status), all models (list), switch (use), go back (rollback), or cancel."
    CLI_MODEL_ACTION_HELP = (
        "status (default), list of all presets, use, rollback, promote with a generation's NAME, or cancel a switch."
    )
    MODEL_NAME_HELP = "The model to switch to."
    CLI_MODEL_NAME_HELP = (
        "For use: a preset, an adapter's folder, or the folder of a model. Without --space, all of the installation "
        "switches."
    )
    MODEL_FORCE_HELP = "Use an adapter even if it isn't better, and say what that overrides."
    SETTING_NAME_HELP = "The setting to change."
    SETTING_VALUE_HELP = "The new value. For “watched”, a list of channels."
    INDEX_MESSAGE = "Add the videos in this message"
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
    THANKS = "Thanks for your feedback."
    TOO_OLD = "These results have expired. Search again."
    MY_VIDEOS = "Added by you"
    ANSWER_WHERE = "Where to answer"
    # limits
    WAIT = "You're sending requests too quickly. Try again in {seconds} s."
    # privacy
    PRIVACY = (
        "Reelseek stores the links that people submit here, and from those videos pictures, what is said, the text on "
        "the screen and the names of sounds. It also stores who submitted them, and which results people voted on, "
        "shared or opened for which search. Only people in this space can find them. Links from a private channel can "
        "be found only in that channel, unless an admin opens private channels with `settings private_channels open`. "
        "{training} You can remove what you added with `forget mine`; then its transcripts, texts and sounds are "
        "deleted, too. If Reelseek is removed, all data of this space is deleted after {days} days."
    )
    PRIVACY_LIKED = (
        "If someone marks a result as a good match or shares it, others in this space see it higher for similar "
        "searches, with “liked here for” and the search, but no name. What happens in a private channel shows only "
        "there. `forget mine` deletes your votes, too."
    )
    PRIVACY_SEARCHES = "Search results are kept for {days} days so that their buttons work."
    PRIVACY_VOTES = "Votes and their searches are deleted after {days} days."
    PRIVACY_FRAMES = "If a video isn't submitted again for {days} days, only one picture per moment is kept."
    PRIVACY_TRAINING = "Training uses only this space's videos and votes, and improves only this space's search."
    PRIVACY_TRAINING_ALL = (
        "Training uses the videos and votes of all spaces in this installation, and improves search for all of them."
    )
    # settings
    WATCHED = "Channels whose links are added automatically"
    SUBMITTERS = "Who can add videos"
    LANGUAGE = "Language of messages that everyone sees"
    ANSWERS = "Whether results are private until someone shares them"
    PRIVATE_CHANNELS = "Whether links from private channels can be found in the whole space"
    SETTING_CHANGED = "Setting changed."
    SETTING_UNKNOWN = "There's no “{name}” setting. Choose from: {all}."
    SETTING_REFUSED = "Choose a value for “{name}”: {all}."
    CHANNEL_REFUSED = "“{name}” isn't a channel. Type # and choose one from the list."
    # retrain
    MATERIAL = "There are {pairs} training pairs from {videos} ({kinds})."
    MATERIAL_MISSING = (
        "There are {pairs} training pairs so far, and {missing} more are needed. Add videos with titles or "
        "subtitles, and vote on search results."
    )
    RETRAIN_ASK = "Start training? Search keeps working, and the new model is used only if it's better."
    RETRAIN_GO = "Start training"
    RETRAIN_BEGUN = "Training started."
    RETRAIN_RUNS = "Training is already running."
    RETRAIN_NONE = "No training is running."
    RETRAIN_ENDS = "Training will stop at the next checkpoint."
    LOADING = "loading the model"
    GATHERING = "collecting training data"
    TRAINING = "training"
    EVALUATING = "comparing with the current model"
    REEMBEDDING = "re-indexing the library"
    SWITCHING = "switching"
    LOSS = "loss {loss}"
    LEFT = "{time} left"
    PROMOTED = (
        "The new model is better and is in use now. Right result in the top 5: {before} before, {after} now "
        "({questions} test searches)."
    )
    NOT_BETTER = (
        "The new model isn't better, so nothing changed. Right result in the top 5: {before} before, {after} after "
        "({questions} test searches)."
    )
    FORGETS = "The new model lost too much general knowledge ({before} before, {after} after), so nothing changed."
    CANCELLED = "Training was cancelled. Nothing changed."
    SWITCH_BEGUN = "The library is being prepared for {name}. Searches keep working meanwhile."
    SWITCHED = "Searches use {name} now. `/model rollback` goes back."
    ALREADY_USED = "{name} is in use already."
    TOO_FEW_HELD_OUT = "Too few videos were held out to tell whether the adapter is better, so nothing changed."
    OVERRODE_NOT_BETTER = (
        "You insisted, although it isn't better. Right result in the top 5: {before} before, {after} now "
        "({questions} test searches)."
    )
    OVERRODE_FORGETS = "You insisted, although it lost general knowledge ({before} before, {after} now)."
    OVERRODE_TOO_FEW = "You insisted, although too few videos were held out to tell whether it's better."
    TRAINING_BROKE_OFF = "Training broke off at step {step}, because its numbers grew without limit. What it had learned before was judged."
    WITHOUT_FRAMES = "Moments known only by their thumbnail, because their frames were deleted: {count}."
    OWN_MODELS_STAY = (
        "Spaces that keep their own model: {count}. `reelseek model use NAME --space SPACE` switches one of them."
    )
    NEWER_WEIGHTS = "A newer {preset} is there: run `reelseek model use {preset}`."
    PRESET_HERE = "ready to use"
    PRESET_TO_FETCH = "to be downloaded"
    PRESET_SIZE_UNKNOWN = "size unknown"
    PRESET_BROKEN = "can't be used: {why}"
    PRESET_OPERATOR_ONLY = "not allowed here"
    MODEL_LINE = "{name}, {date}"
    MODEL_LIVE = "in use"
    MODEL_FIGURES = "right result in the top 5: {before} before, {after} after ({questions} test searches)"
    MODEL_PLAIN = "base model"
    ROLLED_BACK = "Now using {name}."
    # who may ask in Slack
    OUTSIDE = "Only members of this workspace can use Reelseek here."
    UNSURE = "Slack can't confirm right now that you're a member of this workspace. Try again in a moment."
    # starting a bot
    CHAT_NEEDS_REDIS = "A chat bot needs Redis. Set REELSEEK_REDIS_URL, or start everything with `docker compose up`."
    DISCORD_NEEDS_TOKEN = (
        "The Discord token is missing. Set REELSEEK_DISCORD_TOKEN. docs/discord.md shows "  # noqa: S105  # a sentence
        "where to find it."
    )
    DISCORD_REFUSED = "Discord rejected the token. Check REELSEEK_DISCORD_TOKEN (see docs/discord.md)."
    DISCORD_UNREACHABLE = "Can't reach Discord. Check the connection, then start again."
    DISCORD_INTENT = (
        "To add links from channels automatically, your Reelseek administrator must turn on “Message Content Intent” "
        "at https://discord.com/developers/applications. Then choose the channels again."
    )
    SLACK_NEEDS_TOKENS = (
        "The Slack tokens are missing. Set REELSEEK_SLACK_BOT_TOKEN and REELSEEK_SLACK_APP_TOKEN. docs/slack.md "
        "shows where to find them."
    )
    SLACK_REFUSED = (
        "Slack rejected a token ({why}). Check REELSEEK_SLACK_BOT_TOKEN (xoxb-…) and REELSEEK_SLACK_APP_TOKEN (xapp-…)."
    )
    SLACK_UNREACHABLE = "Can't reach Slack. Check the connection, then start again."
    # states and stages of a video
    QUEUED = "waiting"
    FETCHING = "downloading"
    DECODING = "reading the pictures"
    EMBEDDING = "analysing the moments"
    STORING = "saving"
    IN_WORK = "in progress"
    READY = "ready"
    READY_LISTENING = "searchable, still listening"
    ONLY_WORDS = "words only"
    FAILED = "failed"
