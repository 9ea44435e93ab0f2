"""The blob store in a folder, on an S3 server and in fsspec's memory store, by the same tests."""

import errno
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from indexer.blobs import BlobStore, video_prefix
from indexer.errors import DiskFullError, StoreUnavailableError


@contextmanager
def s3_server() -> Iterator[tuple[ThreadedMotoServer, str]]:
    """Run an S3 server with an empty bucket, and set the environment variables to reach it."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**settings, "MAX_ATTEMPTS": "1", "ENDPOINT_URL": f"http://{host}:{port}"}.items():
            environment.setenv(f"AWS_{name}", value)
        # A cached instance would connect to the server of an earlier test.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        bucket = f"bucket-{uuid.uuid4().hex}"
        fsspec.filesystem("s3").mkdir(bucket)
        yield server, f"s3://{bucket}"
    server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as (_, address):
        yield address


@pytest.fixture(params=["folder", "memory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    match request.param:
        case "folder":
            return BlobStore(str(tmp_path / "blobs"))
        case "memory":
            return BlobStore(f"memory://{uuid.uuid4().hex}")
        case _:
            return BlobStore(f"{request.getfixturevalue('s3')}/{uuid.uuid4().hex}")


def test_get_returns_the_bytes_of_the_last_put(blobs: BlobStore) -> None:
    """A second put replaces the first."""
    blobs.put("videos/a/0.jpg", b"\x00\xff")
    blobs.put("videos/a/0.jpg", b"\x01")
    assert blobs.get("videos/a/0.jpg") == b"\x01"


@pytest.mark.parametrize(
    "key", ["videos/a/1.jpg", "videos/a", "videos/a/0.jpg/x", "", "/etc/passwd", "../secret", "videos/../../x", "a//b",
            "videos/a/..", ".hidden", "a\\b", "a\x00b", "s3://bucket/x", "a/", "눈.jpg"],
)  # fmt: skip
def test_get_without_a_blob_raises_key_error(blobs: BlobStore, key: str) -> None:
    """Missing keys, folders, and keys that would lead out of the store."""
    blobs.put("videos/a/0.jpg", b"x")
    with pytest.raises(KeyError):
        blobs.get(key)


def test_invalid_key_is_refused_for_writing(blobs: BlobStore) -> None:
    """Nothing is written outside the store."""
    with pytest.raises(ValueError, match="not a valid key"):
        blobs.put("../secret", b"x")
    with pytest.raises(ValueError, match="not a valid key"):
        blobs.delete_prefix("../")


def test_delete_prefix_deletes_only_its_blobs(blobs: BlobStore) -> None:
    """It may be repeated."""
    for key in ("videos/a/0.jpg", "videos/a/frames/1.jpg", "videos/ab/0.jpg"):
        blobs.put(key, b"x")
    blobs.delete_prefix(video_prefix("a"))
    blobs.delete_prefix(video_prefix("a"))
    for key in ("videos/a/0.jpg", "videos/a/frames/1.jpg"):
        with pytest.raises(KeyError):
            blobs.get(key)
    assert blobs.get("videos/ab/0.jpg") == b"x"


def test_url_is_a_path_or_has_a_scheme(tmp_path: Path) -> None:
    """It is a path for a file on this machine."""
    assert BlobStore(str(tmp_path)).url("videos/a/0.jpg") == str(tmp_path / "videos/a/0.jpg")
    assert BlobStore("memory://shop").url("videos/a/0.jpg") == "memory:///shop/videos/a/0.jpg"


def test_unreachable_s3_raises_store_unavailable() -> None:
    """So does a missing bucket."""
    with s3_server() as (server, address):
        with pytest.raises(StoreUnavailableError):
            BlobStore("s3://none/x").put("videos/a/0.jpg", b"x")
        blobs = BlobStore(f"{address}/x")
        blobs.put("videos/a/0.jpg", b"x")
        server.stop()
        for call in (
            lambda: blobs.get("videos/a/0.jpg"),
            lambda: blobs.put("videos/a/0.jpg", b"x"),
            lambda: blobs.delete("videos/a/0.jpg"),
            lambda: blobs.list_names("videos/"),
        ):
            with pytest.raises(StoreUnavailableError):
                call()


def test_unwritable_folder_raises_store_unavailable(tmp_path: Path) -> None:
    """The folder cannot be created because a file has its name."""
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(StoreUnavailableError):
        BlobStore(str(tmp_path / "blobs")).put("videos/a/0.jpg", b"x")


WRITER = """
import sys
from indexer.blobs import BlobStore
blobs = BlobStore(sys.argv[1])
print("ready", flush=True)
while True:
    for letter in (b"a", b"b"):
        blobs.put("videos/a/0.jpg", letter * 2**18)
"""


def test_readers_never_see_a_partial_blob(tmp_path: Path) -> None:
    """Neither during a write nor after the writer was killed; its temporary file is not listed as a blob."""
    blobs = BlobStore(str(tmp_path))
    blobs.put("videos/a/0.jpg", b"a" * 2**18)
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        read = [blobs.get("videos/a/0.jpg") for _ in range(50)]
        writer.kill()
    read.append(blobs.get("videos/a/0.jpg"))
    assert {(len(each), len(set(each))) for each in read} == {(2**18, 1)}
    (tmp_path / "videos/a/.left").write_bytes(b"half")
    assert list(blobs.all_keys()) == ["videos/a/0.jpg"]
    blobs.get_folder("videos/", tmp_path / "copy")
    assert [each.name for each in (tmp_path / "copy/a").iterdir()] == ["0.jpg"]
    blobs.delete_prefix("videos/a/")
    assert not (tmp_path / "videos/a").exists()


def test_failed_put_leaves_no_temporary_file(tmp_path: Path) -> None:
    """The blobs that exist stay."""
    blobs = BlobStore(str(tmp_path))
    blobs.put("videos/a/0.jpg", b"x")
    with pytest.raises(StoreUnavailableError):
        blobs.put("videos/a", b"x")
    assert [each.name for each in (tmp_path / "videos").iterdir()] == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_has_its_own_error_and_keeps_the_blob_there_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """No part of the new blob is left; when there is space again, it is stored."""
    blobs = BlobStore(str(tmp_path))
    blobs.put("videos/a/0.jpg", b"old")

    def fail(*_: object) -> None:
        raise OSError(number, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "replace", fail)
        with pytest.raises(DiskFullError):
            blobs.put("videos/a/0.jpg", b"new")
    assert blobs.get("videos/a/0.jpg") == b"old"
    assert [path.name for path in (tmp_path / "videos" / "a").iterdir()] == ["0.jpg"]
    blobs.put("videos/a/0.jpg", b"new")
    assert blobs.get("videos/a/0.jpg") == b"new"
