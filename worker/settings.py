"""All settings of an installation. docs/settings.md lists them; a test compares the two."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.errors import ModelError
from model.preset_files import find_preset
from worker.protocol.base import SPACE_NAME

MIN_KEY_CHARS: Final = 32
MAX_RESULTS_DAYS: Final = 30.0
SPEECH_OFF: Final = "off"
SPEECH_SUBTITLES: Final = "subtitles"


class Settings(BaseSettings):
    """Settings from `REELSEEK_…` variables in the environment or in `.env`. An empty one is None."""

    model_config = SettingsConfigDict(
        env_prefix="REELSEEK_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Field(Path("data"), description="Folder for all data of the embedded form.")
    parts_dir: Path | None = Field(
        None, description="Folder of the downloaded model files and samples. Empty: inside the Python environment."
    )
    presets_dir: Path | None = Field(
        None, description="Folder of the operator's own preset files. Empty: `presets` inside the data folder."
    )
    preset: str = Field(
        "starter",
        validate_default=True,
        description="Models that embed a new library: `starter`, which needs no hub, `base`, `large`, `multilingual`, "
        "`chinese`, or the name in a preset file. `reelseek model use` switches a library that exists.",
    )
    chat_presets: tuple[str, ...] = Field(
        (),
        description="Presets that admins may switch to with `/model use` in chats, as JSON "
        '(`["base", "multilingual"]`). The command line may use all.',
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Device that the models run on.")

    redis_url: SecretStr | None = Field(None, description="Redis server. Empty: everything runs in one process.")
    signing_key: SecretStr | None = Field(
        None,
        validate_default=True,
        description="Key that signs tasks sent over Redis: at least 32 characters, the same in every process. "
        "Required with Redis.",
    )
    qdrant_url: str | None = Field(None, description="Qdrant server. Empty: vectors are stored in the data folder.")
    qdrant_api_key: SecretStr | None = Field(None, description="API key of the Qdrant server.")
    quantization: Literal["off", "int8", "binary", "product"] | None = Field(
        None,
        description="Codes of the vectors that searches compare first (`off`, `int8`, `binary`, `product`), the same "
        "in every process. A server keeps only them in memory. Empty: `binary` on a server, `off` in the data folder.",
    )
    blobs_url: str | None = Field(
        None, description="fsspec URL for thumbnails and frames (`s3://bucket/path`). Empty: inside the data folder."
    )

    web_host: str = Field("127.0.0.1", description="Address that the web chat listens on.")
    web_port: int = Field(
        8501, ge=0, le=65535, description="Port of the web chat. If it is taken, a free port is used."
    )
    web_spaces: tuple[str, ...] = Field(
        (),
        description="Spaces that everyone who opens the web chat can search and change, as JSON "
        '(`["local:me", "discord:123"]`). Empty: only `local:me`.',
    )
    search_timeout_s: float = Field(30, gt=0, description="Time limit of a search, in seconds.")
    search_waiting: int = Field(
        1000, gt=0, description="Maximum number of requests that wait for a worker. More are refused as busy."
    )

    max_duration_s: float = Field(2 * 3600, gt=0, description="Maximum duration of a video, in seconds.")
    max_bytes: int = Field(2 * 1024**3, gt=0, description="Maximum size of a download, in bytes.")
    max_pixels: int = Field(7680 * 4320, gt=0, description="Maximum number of pixels of a video frame.")
    fetch_timeout_s: float = Field(900, gt=0, description="Time limit of a download, in seconds.")
    decode_timeout_s: float = Field(1800, gt=0, description="Time limit of decoding a video, in seconds.")
    memory_limit_bytes: int = Field(
        2 * 1024**3,
        gt=0,
        description="Memory limit of a child process that downloads or decodes, in bytes; at least 1 GiB.",
    )
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description='Non-public networks that links may reach, as JSON (`["10.1.2.0/24"]`).'
    )
    speech: str = Field(
        "base",
        pattern=r"^[\w./-]+$",
        description="How speech becomes text: `off`; `subtitles` of the site and the file only; or also by listening, "
        "with the Whisper model `base` or another one of faster-whisper from a hub (`small`, `large-v3-turbo`, …).",
    )
    screen_text: bool = Field(True, description="Read the text on the screen, so that it can be found.")
    sounds: bool = Field(True, description="Recognize sounds and music, so that they can be found.")
    vlm_url: str | None = Field(
        None,
        description="Model server that describes moments and answers questions: the address of an API in OpenAI's chat "
        "form that takes pictures (`http://127.0.0.1:11434/v1` for Ollama; vLLM, llama.cpp, a service). Frames and "
        "words of moments are sent there when someone asks. Empty: off.",
    )
    vlm_model: str | None = Field(
        None, validate_default=True, description="Name of the model on that server. Required with its address."
    )
    vlm_key: SecretStr | None = Field(None, description="API key of the model server, if it needs one.")
    cookies_file: Path | None = Field(None, description="Cookies (Netscape format) for sites that require a login.")
    fetch_proxy: str | None = Field(
        None,
        description="Proxy of all downloads; none goes past it. It must refuse private addresses itself. "
        "Unset: that of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY.",
    )

    person_rate: str = Field("30/minute", description="Rate limit per user (`30/minute`, `500/day`).")
    space_rate: str = Field("300/minute", description="Rate limit per space.")
    leave_grace_days: float = Field(
        7, ge=0, description="Days between the removal of Reelseek from a space and the deletion of its data."
    )
    keep_queries_days: float | None = Field(
        None,
        gt=0,
        description="Days to keep votes and their queries. Results in chats keep their buttons as long, but at "
        "most 30 days. Empty: votes are kept until deleted.",
    )
    keep_frames_days: float | None = Field(
        None,
        gt=0,
        description="Days to keep the sampled frames of a video after its last submission; the thumbnails stay. "
        "Empty: until deleted.",
    )
    adapter_scope: Literal["space", "installation"] = Field(
        "space",
        description="Which videos train an adapter: those of one space for its own, or those of all spaces for "
        "a shared one.",
    )

    retrain_run: Path | None = Field(
        None, description="TOML file with the configuration of retrains. Empty: the default."
    )

    discord_token: SecretStr | None = Field(None, description="Token of the Discord bot.")
    slack_bot_token: SecretStr | None = Field(None, description="Bot token of the Slack app (`xoxb-…`).")
    slack_app_token: SecretStr | None = Field(
        None, description="App token of the Slack app (`xapp-…`), for Socket Mode."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="Signing secret of the Slack app. If set, Slack is served over HTTP in place of Socket Mode."
    )
    slack_client_id: str | None = Field(
        None, description="Client ID of the Slack app, to install it into several workspaces over HTTP."
    )
    slack_client_secret: SecretStr | None = Field(
        None, description="Client secret of the Slack app, to install it into several workspaces over HTTP."
    )
    slack_host: str = Field("127.0.0.1", description="Address that listens for Slack over HTTP.")
    slack_port: int = Field(3000, ge=0, le=65535, description="Port that listens for Slack over HTTP.")

    metrics_host: str = Field("127.0.0.1", description="Address that serves health, readiness and metrics.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port that serves health, readiness and metrics, in each process. Empty: off."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")

    @field_validator("signing_key")
    @classmethod
    def _require_signing_key(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("redis_url") is not None and (key is None or len(key.get_secret_value()) < MIN_KEY_CHARS):
            raise PydanticCustomError(
                "signing_key",
                "REELSEEK_REDIS_URL requires a key of at least {minimum} characters, the same in every process; "
                "`openssl rand -hex 32` makes one",
                {"minimum": MIN_KEY_CHARS},
            )
        return key

    @field_validator("vlm_model")
    @classmethod
    def _require_vlm_model(cls, model: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("vlm_url") is not None and model is None:
            raise PydanticCustomError("vlm_model", "REELSEEK_VLM_URL requires the name of a model on that server")
        return model

    @field_validator("speech", mode="before")
    @classmethod
    def _read_former_speech(cls, speech: object) -> object:
        """Accept the values of earlier versions, in which the setting was a switch."""
        return {"true": "base", "1": "base", "false": SPEECH_OFF, "0": SPEECH_OFF}.get(str(speech).lower(), speech)

    @property
    def reads_speech(self) -> bool:
        """Whether subtitles are read."""
        return self.speech != SPEECH_OFF

    @property
    def listens(self) -> bool:
        """Whether speech without subtitles is recognized."""
        return self.speech not in (SPEECH_OFF, SPEECH_SUBTITLES)

    @field_validator("preset")
    @classmethod
    def _require_preset(cls, name: str, info: ValidationInfo) -> str:
        """Refuse a preset that does not exist, or whose file has a mistake."""
        folder = _choose_presets_folder(info.data.get("data_dir", Path()), info.data.get("presets_dir"))
        try:
            find_preset(name, folder)
        except ModelError as error:
            raise PydanticCustomError("preset", "{why}", {"why": str(error)}) from error
        return name

    @property
    def presets_folder(self) -> Path:
        """Return the folder of the operator's own preset files, which may be missing."""
        return _choose_presets_folder(self.data_dir, self.presets_dir)

    @field_validator("web_spaces")
    @classmethod
    def _require_names_of_spaces(cls, spaces: tuple[str, ...]) -> tuple[str, ...]:
        for space in spaces:
            if not re.fullmatch(SPACE_NAME, space):
                raise PydanticCustomError(
                    "web_spaces",
                    "“{space}” is no space, use discord:SERVER_ID, slack:WORKSPACE_ID or local:me",
                    {"space": space},
                )
        return spaces

    @property
    def results_ttl_s(self) -> float:
        """Return how long results in chats keep their buttons."""
        return 86400 * min(MAX_RESULTS_DAYS, self.keep_queries_days or MAX_RESULTS_DAYS)

    @property
    def blobs_address(self) -> str:
        """Return the blob store's URL or path, for fsspec."""
        return self.blobs_url or str(self.data_dir.absolute() / "blobs")

    def adapter_scope_of(self, space: str) -> str | None:
        """Return the space whose adapter searches and retrains of `space` use; None: the installation's."""
        return space if self.adapter_scope == "space" else None


def _choose_presets_folder(data_dir: Path, presets_dir: Path | None) -> Path:
    return presets_dir or data_dir / "presets"
