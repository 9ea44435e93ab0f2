"""Every setting of an installation. docs/settings.md is the table of them; a test holds it against this class."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

LEAST_KEY_CHARS = 32
LONGEST_SHOWN_DAYS = 30.0


class Settings(BaseSettings):
    """Read from `REELSEEK_…` in the environment or in `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="REELSEEK_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    data_dir: Path = Field(Path("data"), description="Folder that holds all state of the embedded form.")
    parts_dir: Path | None = Field(
        None, description="Folder of the fetched model parts and samples; empty: inside the environment."
    )
    preset: Literal["starter", "base", "large", "multilingual", "chinese"] = Field(
        "starter", description="Which models embed. All but `starter` are fetched from a model hub."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the models run.")

    redis_url: SecretStr | None = Field(None, description="Redis of the grown form. Empty: embedded, in one process.")
    signing_key: SecretStr | None = Field(
        None,
        validate_default=True,
        description="Signs what goes over Redis; the same in every process, at least 32 characters. Needed with Redis.",
    )
    qdrant_url: str | None = Field(None, description="Qdrant server of the grown form. Empty: embedded.")
    qdrant_api_key: SecretStr | None = Field(None, description="Key of the Qdrant server.")
    blobs_url: str | None = Field(
        None, description="fsspec address of thumbnails and frames (`s3://bucket/path`). Empty: inside the data folder."
    )

    web_host: str = Field("127.0.0.1", description="Address that the web chat listens on.")
    web_port: int = Field(8501, ge=0, le=65535, description="Port of the web chat; if taken, a free one.")
    search_timeout_s: float = Field(30, gt=0, description="A search that takes longer is answered with a sentence.")
    search_waiting: int = Field(
        1000, gt=0, description="Where so many requests wait for a worker, more are refused at once, with a sentence."
    )

    max_duration_s: float = Field(2 * 3600, gt=0, description="Longer videos are refused.")
    max_bytes: int = Field(2 * 1024**3, gt=0, description="Larger downloads are refused.")
    max_pixels: int = Field(7680 * 4320, gt=0, description="Videos with larger pictures are refused.")
    fetch_timeout_s: float = Field(900, gt=0, description="Time limit of one download.")
    decode_timeout_s: float = Field(1800, gt=0, description="Time limit of decoding one video.")
    memory_limit_bytes: int = Field(2 * 1024**3, gt=0, description="Memory limit of a child process; at least 1 GiB.")
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description='Networks that links may reach although they are not public, as JSON (`["10.1.2.0/24"]`).'
    )
    speech: bool = Field(True, description="Take subtitles, so that spoken words are found.")
    cookies_file: Path | None = Field(None, description="Cookies (Netscape format) for sites that ask for a login.")
    fetch_proxy: str | None = Field(
        None, description="Proxy of all downloads, which then go nowhere else; must refuse private addresses itself."
    )

    person_rate: str = Field("30/minute", description="How often one person may ask (`30/minute`, `500/day`).")
    space_rate: str = Field("300/minute", description="How often one space may ask.")
    leave_grace_days: float = Field(
        7, ge=0, description="Days until everything of a space is deleted that Reelseek was removed from."
    )
    keep_queries_days: float | None = Field(
        None,
        gt=0,
        description="Days that votes are kept with the words they were for, and at most 30 that results in chats have "
        "buttons; empty: votes for good.",
    )
    keep_frames_days: float | None = Field(
        None,
        gt=0,
        description="Days after a video was last submitted that all its sampled frames are kept, and not only a "
        "thumbnail a moment; empty: for good.",
    )
    adapter_scope: Literal["space", "installation"] = Field(
        "space",
        description="Who shares an adapter: each space has its own, which its own videos teach; or all have one.",
    )

    retrain_run: Path | None = Field(None, description="TOML file that says how a retrain trains; empty: as shipped.")

    discord_token: SecretStr | None = Field(None, description="Token of the Discord bot.")
    slack_bot_token: SecretStr | None = Field(None, description="Bot token of the Slack app (`xoxb-…`).")
    slack_app_token: SecretStr | None = Field(
        None, description="App token of the Slack app (`xapp-…`), for Socket Mode."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="Signing secret of the Slack app. Set: listen for Slack over HTTP, not Socket Mode."
    )
    slack_client_id: str | None = Field(
        None, description="Client id, for installing into several workspaces over HTTP."
    )
    slack_client_secret: SecretStr | None = Field(None, description="Client secret, likewise.")
    slack_host: str = Field("127.0.0.1", description="Address that listens for Slack over HTTP.")
    slack_port: int = Field(3000, ge=0, le=65535, description="Its port.")

    metrics_host: str = Field("127.0.0.1", description="Address that tells of health, readiness and metrics.")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Its port, in each process. Empty: off.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @field_validator("signing_key")
    @classmethod
    def _needed_with_redis(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("redis_url") is not None and (key is None or len(key.get_secret_value()) < LEAST_KEY_CHARS):
            raise PydanticCustomError(
                "signing_key",
                "REELSEEK_REDIS_URL needs a key of at least {least} characters beside it, the same in every process; "
                "`openssl rand -hex 32` makes one",
                {"least": LEAST_KEY_CHARS},
            )
        return key

    @property
    def keep_shown_s(self) -> float:
        """How long results in chats have buttons."""
        return 86400 * min(LONGEST_SHOWN_DAYS, self.keep_queries_days or LONGEST_SHOWN_DAYS)

    @property
    def blobs_address(self) -> str:
        """Where the blob store lies, as fsspec takes it."""
        return self.blobs_url or str(self.data_dir.absolute() / "blobs")

    def adapter_space(self, space: str) -> str:
        """The space whose adapter is meant when `space` retrains and searches; empty: the installation's."""
        return space if self.adapter_scope == "space" else ""
