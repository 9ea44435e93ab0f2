"""Tiny random models of each family in the layout of their hub repositories, and a local hub that serves them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, models, normalizers, processors
from transformers import (
    ChineseCLIPConfig,
    ChineseCLIPImageProcessorPil,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    MetaClip2Config,
    MetaClip2Model,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    TokenizersBackend,
    VideoMAEImageProcessorPil,
    XCLIPConfig,
    XCLIPModel,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

SIDE = 64

PEFT_WARNING = "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
"""peft 0.21 uses a deprecated attribute of transformers."""

_TEXT: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
VISION: dict[str, Any] = {**_TEXT, "image_size": SIDE, "patch_size": 16}
_CROP: dict[str, Any] = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
_SQUARE: dict[str, Any] = {"size": {"height": SIDE, "width": SIDE}}


def _clip_vocabulary() -> dict[str, int]:
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {word: i for i, word in enumerate(words)}


def _save_clip_tokenizer(folder: Path) -> int:
    vocabulary = _clip_vocabulary()
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return len(vocabulary)


def _save(model: type, config: Any, folder: Path) -> None:
    torch.manual_seed(0)
    made = model(config)
    for parameter in made.parameters():  # with the default weights, all inputs give nearly the same vector
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    made.save_pretrained(folder)


def save_clip(folder: Path) -> None:
    words = _save_clip_tokenizer(folder)
    ends = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
    config = CLIPConfig(text_config={**_TEXT, "vocab_size": words, **ends}, vision_config=VISION, projection_dim=24)
    _save(CLIPModel, config, folder)
    CLIPImageProcessorPil(**_CROP).save_pretrained(folder)


def save_xclip(folder: Path) -> None:
    words = _save_clip_tokenizer(folder)
    motion = {"mit_hidden_size": 16, "mit_intermediate_size": 32, "mit_num_attention_heads": 2, "num_frames": 8}
    config = XCLIPConfig(
        text_config={**_TEXT, "vocab_size": words},
        vision_config={**VISION, **motion},
        projection_dim=16,
        prompt_num_attention_heads=2,
    )
    _save(XCLIPModel, config, folder)
    VideoMAEImageProcessorPil(**_CROP).save_pretrained(folder)


def save_chinese(folder: Path) -> None:
    """Save the model like its hub repository: pickled weights, and a plain word list."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"狗在雪里玩跑猫飞abcdefg", *(f"##{c}" for c in "abcdefg")]
    config = ChineseCLIPConfig(text_config={**_TEXT, "vocab_size": len(words)}, vision_config=VISION, projection_dim=24)
    _save(ChineseCLIPModel, config, folder)
    (folder / "vocab.txt").write_text("\n".join(words))
    ChineseCLIPImageProcessorPil(**_SQUARE, do_center_crop=False).save_pretrained(folder)
    model = ChineseCLIPModel.from_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _save_letters_tokenizer(folder: Path) -> int:
    words = {word: i for i, word in enumerate(["<pad>", "<eos>", "<unk>", *"abcdefghijklmnopqrstuvwxyz강아지 "])}
    bare = Tokenizer(models.BPE(vocab=words, merges=[], unk_token="<unk>"))
    bare.normalizer = normalizers.NFC()
    bare.post_processor = processors.TemplateProcessing(single="$A <eos>", special_tokens=[("<eos>", 1)])
    marks = {"unk_token": "<unk>", "eos_token": "<eos>", "pad_token": "<pad>"}
    TokenizersBackend(tokenizer_object=bare, padding_side="left", **marks).save_pretrained(folder)
    return len(words)


def _siglip_text(folder: Path) -> dict[str, Any]:
    ends = {"bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0}
    words = _save_letters_tokenizer(folder)
    return {**_TEXT, **ends, "vocab_size": words, "max_position_embeddings": 64, "projection_size": 32}


def save_siglip(folder: Path) -> None:
    _save(SiglipModel, SiglipConfig(text_config=_siglip_text(folder), vision_config=VISION), folder)
    SiglipImageProcessorPil(**_SQUARE).save_pretrained(folder)


def save_siglip2(folder: Path) -> None:
    """Save a SigLIP 2 NaFlex, which takes pictures in their own aspect ratio."""
    vision = {**_TEXT, "num_patches": 16, "patch_size": 16}
    _save(Siglip2Model, Siglip2Config(text_config=_siglip_text(folder), vision_config=vision), folder)
    Siglip2ImageProcessorPil(patch_size=16, max_num_patches=16).save_pretrained(folder)


def save_metaclip2(folder: Path) -> None:
    ends = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    text = {**_TEXT, **ends, "vocab_size": _save_letters_tokenizer(folder)}
    _save(MetaClip2Model, MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=24), folder)
    CLIPImageProcessorPil(**_CROP).save_pretrained(folder)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "clip": save_clip,
    "xclip": save_xclip,
    "chinese": save_chinese,
    "siglip": save_siglip,
    "siglip2": save_siglip2,
    "metaclip2": save_metaclip2,
}


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(BaseHTTPRequestHandler):
    """The part of the hub's API that `snapshot_download` uses."""

    server: "_Server"

    def do_HEAD(self) -> None:
        self._respond(with_body=False)

    def do_GET(self) -> None:
        self._respond(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _respond(self, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.requests.append(path)
        body = self._list_files(path) if path.startswith("api/models/") else self._read_file(path)
        self.send_response(200 if body is not None else 404)
        body = b"{}" if body is None else body
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{sha1(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body and Path(path).name in self.server.stalled:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.server.has_ended.wait()
        elif with_body:
            self.wfile.write(body)

    def _list_files(self, path: str) -> bytes | None:
        repo, _, commit = path.removeprefix("api/models/").partition("/tree/")
        folder = self.server.root / repo
        if commit != COMMIT or not folder.is_dir():
            return None
        files = [
            {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": sha1(file.read_bytes()).hexdigest()}
            for file in sorted(folder.iterdir())
        ]
        return json.dumps(files).encode()

    def _read_file(self, path: str) -> bytes | None:
        repo, _, file = path.partition(f"/resolve/{COMMIT}/")
        found = self.server.root / repo / file
        return found.read_bytes() if file and found.is_file() else None


class _Server(ThreadingHTTPServer):
    root: Path
    requests: list[str]
    stalled: set[str]
    has_ended: Event


@dataclass(frozen=True)
class TinyHub:
    """A running hub."""

    endpoint: str
    requests: list[str]
    """The paths of all requests so far."""
    stalled: set[str]
    """Names of files of which only the first half is sent. The connection stays open."""


@contextmanager
def serve_hub(root: Path) -> Iterator[TinyHub]:
    """Serve each repository `root/<owner>/<name>` at `COMMIT`."""
    server = _Server(("127.0.0.1", 0), _Hub)
    server.root, server.requests, server.stalled, server.has_ended = root, [], set(), Event()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield TinyHub(f"http://127.0.0.1:{server.server_port}", server.requests, server.stalled)
    finally:
        server.has_ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def picture(seed: int, height: int = 90, width: int = 120) -> npt.NDArray[np.uint8]:
    """Make a picture of coloured blocks, whose hard edges reveal errors of a resize."""
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width].copy()


@dataclass(frozen=True)
class TinyClip:
    """A clip as the indexer passes it."""

    pictures: tuple[npt.NDArray[np.uint8], ...]
    frame_vectors: npt.NDArray[np.float32]


def clip(seed: int, length: int = 10) -> TinyClip:
    """Make a clip of `length` different pictures."""
    return TinyClip(tuple(picture(seed * 100 + i) for i in range(length)), np.zeros((length, 24), np.float32))
