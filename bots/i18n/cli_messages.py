"""Sentences of the command line and of `reelseek doctor`, in English.

Their translations are in the same catalogues as those of `bots.i18n.messages`.
"""

from enum import StrEnum


class CliMsg(StrEnum):
    """Help texts, messages, table headings and findings that only a terminal shows."""

    # help of the command line
    ABOUT = "Find the moment: add videos by link, then describe what happens in them."
    COMMANDS_TITLE = "Commands"
    ARGUMENTS_TITLE = "Arguments"
    OPTIONS_TITLE = "Options"
    CLI_HELP_HELP = "Show this help."
    JSON_HELP = "Print JSON."
    DRY_RUN_HELP = "Only show which videos the links in the text are; nothing is fetched or added."
    DRY_RUN_AT_HELP = "The second that the shown links open."
    SPACE_HELP = "The space to act on: discord:SERVER_ID, slack:WORKSPACE_ID or local:me."
    LOCAL_FILES_HELP = "Let everyone in the space find video files of this computer, with their paths."
    UP_HELP = "Start everything: the worker, the web chat and, on the first start, sample videos."
    BACKUP_HELP = "Back up everything that can't be rebuilt to a new folder. Stop `reelseek up` first."
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
    PRETRAIN_HELP = "Train the starter preset's text map again from its run file."
    PRESET_HELP = "The preset to use instead of the one in the settings."
    ADAPTER_HELP = "Folder of an adapter."
    PAIRS_HELP = "TSV, CSV or JSONL file with the columns `file` and `text`."
    EXTRACT_OUT_HELP = "The .tsv or .parquet file to write."
    EXTRACT_TEXT_HELP = "File with one text per line."
    EXTRACT_IMAGES_HELP = "File with one picture path per line, relative to the folder of that file."
    TRAIN_OUT_HELP = "Folder for checkpoints, the adapter and the report."
    TRAIN_RUN_HELP = "Run file with the training settings."
    PRETRAIN_RUN_HELP = "Run file with the pretraining settings."
    PRETRAIN_DATA_HELP = "Folder of pictures and captions to use instead of the one in the run file."
    # messages
    LINK_IS_VIDEO = "{link} is the video {canonical}"
    LINK_OPENS_AT = "  at {time}: {jump}"
    LINK_IS_REFUSED = "{link} is refused: {reason}"
    NO_LINK_IN_TEXT = "There's no link in that text."
    CONSOLE_HELLO = (
        "Describe the moment you're looking for, or paste links to add videos. Type /help to list the commands, "
        "Ctrl-D to quit."
    )
    IN_USE = (
        "Another reelseek command is using the library. Wait for it to finish, or start `reelseek up` and run "
        "commands while it runs."
    )
    BAD_SPACE = "“{space}” isn't a space. Use discord:SERVER_ID, slack:WORKSPACE_ID or local:me."
    FILES_ARE_LOCAL = (
        "Files of this computer are only added to local:me. To let everyone in {space} find them and see their paths, "
        "add --local-files."
    )
    BAD_SETTING = "The setting {name} isn't valid: {why}"
    BAD_DATA_DIR = "Can't use the folder {folder}: {why}. Set REELSEEK_DATA_DIR to another one."
    UNKNOWN_QUEUE = "There's no queue “{name}”. Choose from: {all}."
    WORKER_NEEDS_REDIS = (
        "A worker needs Redis. Set REELSEEK_REDIS_URL, or use `reelseek up`, which works without Redis."
    )
    NOT_INSTALLED = "This command needs more packages. Install them with: pip install 'reelseek[{extra}]'"
    UP_IS_EMBEDDED = (
        "`reelseek up` is for a single machine without Redis. REELSEEK_REDIS_URL is set, so start `reelseek worker` "
        "and `reelseek web` instead."
    )
    UP_HELLO = "Reelseek · preset {preset} · data in {data}"
    UP_SAMPLES = "First start: adding {count} sample videos."
    UP_EXAMPLES = "Example searches:"
    UP_READY = "Ready. Web chat: {address}"
    WEB_READY = "Web chat: {address}\nPress Ctrl-C to stop."
    WEB_FAILED = "The web chat stopped: {why}."
    PORT_TAKEN = "Can't serve health and metrics on {why}. Set REELSEEK_METRICS_PORT to another port."
    UNKNOWN_PRESET = "There's no preset “{name}”. Choose from: {all}."
    TEXT_OR_IMAGES = "Use either --text or --images."
    SAVED = "Saved: {file}"
    FILE_UNREADABLE = "{file} can't be opened. Check its name."
    CURVES = "Training curves: {file}"
    WEAKER_LEFT_OUT = "Weaker matches are left out. Add `--weaker` to see them."
    TRAINING_DIVERGED = (
        "Training stopped at step {step}, because its values grew without limit. The weights of step {best} are "
        "kept. Lower the learning rate in the run file."
    )
    RESTORED = "Restored: {videos}, {moments}. You can start Reelseek now."
    BAD_RUN = "The run file isn't valid: {why}"
    PRESET_UNUSABLE = "That preset can't be used: {why}"
    PRESET_FILE_ELSEWHERE = "Copy {file} into {folder}, and use the name that it gives to its preset."
    TRAIN_REGISTER_HELP = "Take the adapter into use if it is better than the model in use, as `/retrain` does."
    LARGER_PRESET = (
        "A larger model for your language: {preset}, {figure}; {download} to download, {memory} of memory, about "
        "{rate} pictures a second here. `reelseek model use {preset}` switches to it."
    )
    LIBRARY_MODEL_DIFFERS = (
        "The library was made with preset {stored}, which goes on searching it. `reelseek model use {preset}` switches."
    )
    MODEL_FILES_MISSING = "Model files are missing: {why}"
    ADAPTER_UNUSABLE = "Can't use the adapter: {why}"
    PAIRS_UNUSABLE = "Can't use the pairs: {why}"
    FILE_UNUSABLE = "Can't use a file: {why}"
    NO_SUCH_FILE = "No such file or directory"
    NO_PERMISSION = "Permission denied"
    IS_A_FOLDER = "Is a directory"
    NOT_A_FOLDER = "Not a directory"
    DISK_FULL = "No space left on device"
    RUN_NOT_TOML = "line {line}, column {column} is not TOML"
    RUN_CUT_OFF = "it ends too early"
    RUN_FIELD_MISSING = "`{field}` is missing"
    RUN_FIELD_UNKNOWN = "there is no field `{field}`"
    RUN_FIELD_LIMITED = "`{field}` must be {limit}, not {value}"
    RUN_FIELD_CHOICE = "`{field}` must be one of {choices}, not {value}"
    RUN_FIELD_WRONG = "`{field}` can't be {value}"
    NOTHING_HELD_OUT = (
        "{file} has too few pictures or videos to train on some and test on the others. Add more, or mark them as "
        "`train` and `test` in a column `split`."
    )
    TRAIN_STOPPED = "Stopped. Run the same command again to continue from the last checkpoint."
    ADAPTER_BETTER = (
        "The adapter is better: mean reciprocal rank {before} before, {after} after (change {low} to {high}), and no "
        "worse on the general set."
    )
    ADAPTER_NOT_BETTER = (
        "The adapter is not significantly better: mean reciprocal rank {before} before, {after} after (change {low} "
        "to {high})."
    )
    ADAPTER_WORSE_BACK = (
        "The adapter is worse from picture to text: mean reciprocal rank {before} before, {after} after (change "
        "{low} to {high})."
    )
    ADAPTER_FORGOT = (
        "The adapter lost too much general knowledge: mean reciprocal rank on the general set {before} before, "
        "{after} after (change {low} to {high})."
    )
    ADAPTER_TOO_FEW = (
        "The test pairs come from only {sources} pictures or videos. That's too few to tell whether the adapter is "
        "better."
    )
    # tables and progress
    COLUMN_TITLE = "Title"
    COLUMN_MOMENTS = "Moments"
    COLUMN_LENGTH = "Length"
    COLUMN_STATE = "Status"
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
    # doctor: names of the checks
    DATA_FOLDER = "data folder"
    MODEL = "model"
    SAMPLES = "sample videos"
    DEVICE = "device"
    NETWORK = "network"
    CERTIFICATES = "certificates"
    LIBRARY = "library"
    RECOGNIZERS = "recognition"
    RECOGNITION = "recognized videos"
    TERMINAL = "terminal"
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
    MODEL_WITHOUT_E5 = (
        "preset {preset}, {folder}; its second sentence encoder is missing, so fewer words are understood"
    )
    FIGURES = "right one of {clips} clips first / in the top 5: {languages}"
    FIGURES_LANGUAGE = "{language} {first} / {among_five}"
    ENGLISH = "English"
    KOREAN = "Korean"
    CHINESE = "Chinese"
    NOT_MEASURED = "not measured yet (`reelseek evaluate` does that)"
    SAMPLES_FOUND = "{count} clips"
    SAMPLES_NOT_FOUND = "no clips"
    DEVICE_CPU = "CPU, {threads} threads"
    YOUTUBE_READY = "yt-dlp runs YouTube's scripts with {runtime}"
    YOUTUBE_NO_RUNTIME = "no JavaScript runtime for YouTube's scripts"
    REDIS_DURABLE = "version {version}, append-only file on"
    REDIS_NOT_DURABLE = "version {version}, append-only file off"
    QDRANT_READY = "{collections} collections at {url}"
    NETWORK_READY = "names of sites lead to public addresses"
    NETWORK_PROXY = "all downloads go through {proxy}"
    NETWORK_NO_NAMES = "names of sites can't be resolved now"
    NETWORK_FAKE = "{host} leads to {addresses}, which is not a public address"
    LIBRARY_EMPTY = "no videos yet"
    LIBRARY_FITS = "generation {generation}: preset {stored}, {weights}, which is here"
    LIBRARY_OTHER_PRESET = (
        "generation {generation}: preset {stored}, {weights}, which is here and searches the library; "
        "REELSEEK_PRESET={preset} counts for a new library only, and `reelseek model use {preset}` switches this one"
    )
    LIBRARY_NEWER_WEIGHTS = (
        "generation {generation}: preset {stored}, {weights}, which is here and searches the library; a newer {stored} "
        "exists, and `reelseek model use {stored}` switches to it"
    )
    LIBRARY_MODEL_GONE = "generation {generation}: preset {stored}, {weights}, which cannot be loaded: {why}"
    WITH_ADAPTER = "with an adapter"
    WITHOUT_ADAPTER = "without an adapter"
    RECOGNIZERS_READY = "ready for {senses}"
    RECOGNIZERS_OFF = "off"
    RECOGNIZERS_NOT_FOUND = "no model files for {senses}"
    RECOGNIZERS_WITHOUT_KOREAN = "Korean text on the screen can't be read without Tesseract"
    RECOGNITION_READY = "nothing failed; still being listened to: {count}"
    RECOGNITION_FAILED = "failed for {senses}"
    RECOGNITION_STALLED = "no worker serves the queue `enrich`, in which {count} videos wait"
    RECOGNITION_UNKNOWN = "`reelseek status` shows it while Reelseek runs"
    TERMINAL_READY = "writes {encoding}"
    TERMINAL_LIMITED = "writes {encoding}, so characters of other languages show as question marks"
    NOT_INSTALLED_HERE = "not installed on this machine"
    DISCORD_ACCOUNT = "{name}; invite link: {link}"
    MISSING = "missing: {names}"
    COMMANDS_LISTED = "{count} commands"
    INTENT_ON = "Message Content Intent is on"
    INTENT_OFF = "Message Content Intent is off"
    SLACK_ACCOUNT = "{user} in {team}"
    SCOPES_ALL = "all granted"
    SOCKET_MODE_WORKS = "Socket Mode connects"
    NO_ANSWER = "no response"
    # doctor: advice
    FIX_DATA_FOLDER = "Set REELSEEK_DATA_DIR to a writable folder on a disk with enough space."
    FIX_BY_COMMAND = "Run `{command}`."
    FIX_DEVICE = "Set REELSEEK_DEVICE=auto, or install a CUDA build of torch and its driver."
    FIX_NETWORK = (
        "If a proxy of yours gives such addresses to every name, allow them with REELSEEK_ALLOW_NETWORKS="
        "'[\"{network}\"]', or set REELSEEK_FETCH_PROXY to the proxy's own address. Until then, every link is refused."
    )
    FIX_CERTIFICATES = "Set {variable} to a readable PEM file of certificate authorities, or remove it."
    FIX_LIBRARY_MODEL = (
        "Put the files of that model back, or embed the library with another one: `reelseek model use {preset}`."
    )
    FIX_TESSERACT = (
        "Install Tesseract with Korean, for example `apt install tesseract-ocr tesseract-ocr-kor`, then run `reelseek "
        "enrich` for the videos with Korean text."
    )
    FIX_ENRICH_WORKER = "Start `reelseek worker --queues enrich`, and leave it running."
    FIX_RECOGNITION = "`reelseek library` shows the causes. Fix them, then run `reelseek enrich --all`."
    FIX_TERMINAL = "Set LANG to a UTF-8 locale, for example C.UTF-8."
    FIX_BLOB_STORE = "Correct REELSEEK_BLOBS_URL. S3 also needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    FIX_YOUTUBE = "Run `pip install deno`."
    FIX_REDIS = "Start Redis, or correct REELSEEK_REDIS_URL (redis://:password@host:6379/0)."
    FIX_REDIS_DURABILITY = "Start Redis with `--appendonly yes` so that queued links survive a restart."
    FIX_QDRANT = "Start Qdrant, or correct REELSEEK_QDRANT_URL and REELSEEK_QDRANT_API_KEY."
    FIX_DISCORD_CONNECTION = "Check the connection to discord.com."
    FIX_DISCORD_TOKEN = "Set REELSEEK_DISCORD_TOKEN. docs/discord.md shows where to find it."  # noqa: S105  # a sentence
    FIX_DISCORD_COMMANDS = "Start `reelseek discord` once to register its commands with Discord."
    FIX_SLACK_CONNECTION = "Check the connection to slack.com."
    FIX_SLACK_BOT_TOKEN = (
        "Set REELSEEK_SLACK_BOT_TOKEN to the Bot User OAuth Token (xoxb-…) under OAuth & "  # noqa: S105  # a sentence
        "Permissions."
    )
    FIX_SLACK_APP_TOKEN = (
        "Set REELSEEK_SLACK_APP_TOKEN to an App-Level Token (xapp-…) with "  # noqa: S105  # a sentence
        "connections:write, under Basic Information."
    )
    FIX_SLACK_SCOPES = (
        "At api.slack.com/apps, choose the app, paste slack-manifest.yaml into App Manifest, then choose Reinstall "
        "to Workspace."
    )
