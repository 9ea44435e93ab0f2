"""Ids of videos: the same after an upgrade, and different for different videos."""

import pytest

from indexer.link.canonical import canonicalize
from indexer.link.site_ids import av_to_bv, bid_to_mid

DROPBOX = "https://www.dropbox.com/scl/fi/abc123/my%20cat.mp4?rlkey=k1"


@pytest.mark.parametrize(
    ("link", "video_id"),
    [
        ("https://youtu.be/dQw4w9WgXcQ", "fa678091-b771-53c5-bb5c-b97259498be6"),
        ("https://www.youtube.com/shorts/dQw4w9WgXcQ", "fa678091-b771-53c5-bb5c-b97259498be6"),
        ("https://vimeo.com/76979871", "8ae8de10-46ee-5d5b-bc70-212361d6555c"),
        ("https://player.vimeo.com/video/76979871?h=abc123def4", "2cda65a5-db7e-54c0-aa20-b44954db3d11"),
        ("https://clips.twitch.tv/FaintLightGull-x1", "358cd12b-5e49-5357-a1b9-4ebb91aad6d8"),
        ("https://www.twitch.tv/videos/1234", "f1bd7ace-54cd-5deb-b24a-5f3a6922230e"),
        (
            "https://cdn.discordapp.com/attachments/1/2/cat.mp4?ex=6a&is=6b&hm=6c&",
            "19bddfa7-fa16-511d-ad0c-0badd6fd05a1",
        ),
        ("https://example.com/w?b=2&utm_source=x&a=1", "4948f5d3-0815-5955-8768-246e634abbe5"),
        ("http://example.com:8080/c.mp4", "0bf419a1-21a6-5322-8320-9aadf5b45938"),
        ("https://bücher.example/ä", "45bf7378-7e33-5243-96fe-460ff21635d7"),
        ("https://www.bilibili.com/video/BV1Q541167Qg", "8271f34b-ca91-569e-95b3-3413f01d189f"),
        ("https://www.bilibili.com/video/BV1Q541167Qg?p=2", "2ccee974-1436-53da-a507-9890eeac2007"),
        ("https://streamable.com/abc12", "b31c4224-db36-5257-88eb-e6e567b1bc78"),
        ("https://www.nicovideo.jp/watch/sm9", "871e6e34-133a-5655-8a81-748fa70fa618"),
        ("https://www.facebook.com/watch/?v=123456789", "5bd2e1bf-9104-59e0-9c4c-96f4ab2da601"),
        ("https://drive.google.com/file/d/1aB_cdefghijklmnop-q/view", "e348fbdd-d32a-5156-a193-45c104808a40"),
        ("https://www.dailymotion.com/video/x8abcde", "c6a58e84-9652-5fe8-b569-94fa22b1d8ab"),
        ("https://tv.naver.com/v/81652093", "6a2ad69a-323e-5621-b40d-9642d89a5b33"),
        ("https://www.instagram.com/p/Cabc_-12345/", "f9568958-0e03-5a75-afc5-9b19db1d0474"),
        ("https://v.redd.it/abcdefgh1234", "f9a47358-c785-56ae-9d49-7133ee47c3ff"),
        ("https://weibo.com/tv/show/1034:4967272104787984", "633dce07-fb4b-501f-a243-a147bd1e78b4"),
        ("https://files.slack.com/files-pri/T1ABC-F2ABC/cat.mp4", "63320ac9-a66f-5829-9280-907e07a1782b"),
        ("https://www.loom.com/share/0123456789abcdef0123456789abcdef", "fe208867-d797-5f58-9d09-c03f98407e23"),
    ],
)
def test_ids_of_version_0_1_0_stay(link: str, video_id: str) -> None:
    """Videos that are stored under them are found after an upgrade."""
    assert canonicalize(link).video_id == video_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.com/ann/status/1", "https://x.com/ann/status/2"),
        ("https://www.bilibili.com/video/BV1Q541167Qg?p=2", "https://www.bilibili.com/video/BV1Q541167Qg?p=3"),
        ("https://x.com/ann/status/1/video/2", "https://x.com/ann/status/1"),
        ("https://streamable.com/abc12", "https://streamable.com/abc13"),
        (DROPBOX, DROPBOX.replace("rlkey=k1", "rlkey=k2")),
        ("https://example.com/w?t=1", "https://example.com/w?t=2"),
        ("https://example.com/a.mp4", "http://example.com/a.mp4"),
        ("https://twitter.com.evil.example/ann/status/1", "https://x.com/ann/status/1"),
        ("https://notyoutube.com/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        ("https://example.com/https://youtu.be/dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ"),
    ],
)
def test_different_videos_stay_different(one: str, other: str) -> None:
    assert canonicalize(one).video_id != canonicalize(other).video_id


def test_ids_are_converted() -> None:
    assert av_to_bv(170001) == "BV17x411w7KC"
    assert av_to_bv(455017605) == "BV1Q541167Qg"
    assert bid_to_mid("N4xlMvjhI") == "4910815147462302"
    with pytest.raises(ValueError, match="no Bilibili video"):
        av_to_bv(1 << 60)
