"""Sentences of error codes that users of every frontend read, in English. Each says what to do."""

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
    ErrorCode.REPEATED_CRASH: (
        "The program crashed on this video several times. After an update, your Reelseek administrator can try again "
        "with `reelseek enrich`."
    ),
    ErrorCode.TOO_MANY_PIXELS: "That video's resolution is too high. Send a version with a lower one.",
    ErrorCode.EMPTY_QUERY: "There's nothing to search for. Describe the moment in a few words.",
    ErrorCode.QUERY_TOO_LONG: "That search is too long. Use 10,000 characters or fewer.",
    ErrorCode.NOT_IN_LIBRARY: "That video isn't in the library. Send its link to add it first.",
    ErrorCode.NOT_A_PICTURE: "That picture can't be read. Send a JPEG, PNG, WebP or GIF of up to 8 MB.",
    ErrorCode.NOT_A_CLIP: "That clip can't be read. Send a video of up to 60 seconds and 8 MB.",
    ErrorCode.NOT_YOURS: "Someone else added that video. Ask them or an admin to remove it.",
    ErrorCode.ADMINS_ONLY: "Only admins can do that. Ask an admin for help.",
    ErrorCode.SUBMITTERS_ONLY: "Only admins can add videos here. Ask an admin to add it.",
    ErrorCode.TOO_FEW_PAIRS: (
        "There isn't enough to train on yet. Add videos with titles or subtitles, and vote on search results."
    ),
    ErrorCode.TRAINING_ELSEWHERE: "Another training or switch of models is running right now. Try again later.",
    ErrorCode.UNKNOWN_PRESET: "There's no model with that name. `/model list` shows all.",
    ErrorCode.PRESET_NOT_ALLOWED: (
        "Your Reelseek administrator hasn't allowed that model here. `/model list` shows which ones you can use."
    ),
    ErrorCode.NO_OTHER_MODEL: "There's no earlier model to go back to. Train a new one with `/retrain`.",
    ErrorCode.TOO_MANY: "You're sending requests too quickly. Try again in a minute.",
    ErrorCode.TAGS_NOT_READY: "The tags aren't ready yet. Try again in a minute.",
    ErrorCode.NO_VISION_MODEL: "Questions can't be answered here, because no model server is set up. A search finds "
    "the moments.",
    ErrorCode.VISION_TIMED_OUT: "The model server took too long. Try again.",
    ErrorCode.VISION_REFUSED: "The model server refused to answer. Ask in other words.",
    ErrorCode.VISION_FAILED: "The model server doesn't work right now. Try again later.",
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
        "That backup was made with a different kind of store or a newer Reelseek, so nothing was "
        "restored. Set up Reelseek the same way, then try again."
    ),
    ErrorCode.INTERNAL: "Something went wrong, and the cause was logged. Try again. If it keeps happening, report it.",
}
