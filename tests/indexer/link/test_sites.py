"""All addresses of one video, site by site, and the links that open it at a second."""

from uuid import NAMESPACE_URL, uuid5

import pytest
from yarl import URL

from indexer.errors import LinkRefusedError
from indexer.link.canonical import canonicalize, is_video_address, link_to_second
from indexer.link.tracking import is_short_link

X = "https://x.com/i/status/1234567890123456789"
TIKTOK = "https://www.tiktok.com/@_/video/7234567890123456789"
DISCORD = "https://cdn.discordapp.com/attachments/1/2/cat.mp4"
LOOM_ID = "0123456789abcdef0123456789abcdef"
DRIVE = "https://drive.google.com/file/d/1aB_cdefghijklmnop-q/view"
DROPBOX = "https://www.dropbox.com/scl/fi/abc123/my%20cat.mp4?rlkey=k1"
FACEBOOK = "https://www.facebook.com/watch/?v=123456789"
WEIBO = "https://m.weibo.cn/detail/4910815147462302"
WEIBO_VIDEO = "https://weibo.com/tv/show/1034:4967272104787984"

FORMS = {
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ": [
        "https://youtu.be/dQw4w9WgXcQ?si=abc&t=1m3s",
        "https://m.youtube.com/watch?v=dQw4w9WgXcQ&feature=youtu.be",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ&clip=UgkxA&clipt=EAAY",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ?feature=share",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=shared",
        "https://www.youtube.com/embed/dQw4w9WgXcQ?clip=UgkxA&clipt=EAAY",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=3",
        "https://www.youtube.com/v/dQw4w9WgXcQ?version=3",
        "https://youtube.googleapis.com/v/dQw4w9WgXcQ",
        "https://studio.youtube.com/video/dQw4w9WgXcQ/edit",
        "https://www.youtube.com/attribution_link?u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
        "https://yewtu.be/watch?v=dQw4w9WgXcQ",
        "https://www.google.com/url?sa=t&url=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3DdQw4w9WgXcQ&usg=x",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ%3Ffbclid%3Dx&h=AT",
        "https://slack-redir.net/link?url=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ",
        "https://consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3DdQw4w9WgXcQ&gl=DE",
        "http://www.youtube.com/watch?v=dQw4w9WgXcQ&amp;t=3",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ?si=abc",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ%26t=3",
        "https://m.youtube.com/#/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/tv#/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/watch?v=dQw4w9WgXcQ",
        "https://youtu.be//dQw4w9WgXcQ",
        "https://youtu.be/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/source/dQw4w9WgXcQ/shorts",
        "https://www.youtube.com/oembed?url=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ&format=json",
        "https://www.youtube.com/signin?next=%2Fwatch%3Fv%3DdQw4w9WgXcQ",
        "https://accounts.google.com/ServiceLogin?continue=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3DdQw4w9WgXcQ",
        "https://invidious.example.org/watch?v=dQw4w9WgXcQ",
        "https://piped.example.org/watch?v=dQw4w9WgXcQ",
        "https://l.threads.net/?u=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ&e=A",
        "https://duckduckgo.com/l/?uddg=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ",
        "https://link.zhihu.com/?target=https%3A//youtu.be/dQw4w9WgXcQ",
        "https://www.linkedin.com/safety/go?url=https%3A%2F%2Fyoutu.be%2FdQw4w9WgXcQ",
    ],
    "https://www.bilibili.com/video/BV1Q541167Qg": [
        "https://www.bilibili.com/video/BV1Q541167Qg/",
        "https://www.bilibili.com/video/BV1Q541167Qg/?share_source=copy_web&vd_source=0123",
        "https://www.bilibili.com/video/BV1Q541167Qg?p=1",
        "https://www.bilibili.com/video/BV1Q541167Qg?spm_id_from=333.1007&t=75",
        "https://m.bilibili.com/video/BV1Q541167Qg?buvid=X&is_story_h5=false&mid=1&p=1&plat_id=114",
        "https://bilibili.com/video/bv1Q541167Qg",
        "https://www.bilibili.com/video/av455017605",
        "https://www.bilibili.com/s/video/BV1Q541167Qg",
        "https://b23.tv/BV1Q541167Qg",
        "https://b23.tv/av455017605",
        "https://player.bilibili.com/player.html?isOutside=true&aid=455017605&p=1",
        "https://player.bilibili.com/player.html?bvid=BV1Q541167Qg&page=1",
        "https://www.bilibili.com/list/watchlater?bvid=BV1Q541167Qg&oid=455017605",
        "https://www.bilibili.com/medialist/play/watchlater/BV1Q541167Qg",
        "https://www.bilibili.com/video/av455017605/index.html",
        "https://bili2233.cn/BV1Q541167Qg",
        "https://www.vxbilibili.com/video/BV1Q541167Qg",
    ],
    "https://www.bilibili.com/video/BV1Q541167Qg?p=2": [
        "https://m.bilibili.com/video/BV1Q541167Qg?vd_source=1&p=2",
        "https://www.bilibili.com/video/av455017605/index_2.html",
    ],
    "https://www.bilibili.com/bangumi/play/ep123": ["https://m.bilibili.com/bangumi/play/ep123?from_spmid=1"],
    X: [
        "https://twitter.com/ann/status/1234567890123456789",
        "https://x.com/ann/status/1234567890123456789?s=20&t=AbC",
        "https://X.com/Ann/status/1234567890123456789/",
        "https://mobile.twitter.com/ann/status/1234567890123456789?s=19",
        "https://mobile.x.com/ann/status/1234567890123456789",
        "https://fxtwitter.com/ann/status/1234567890123456789",
        "https://d.fxtwitter.com/ann/status/1234567890123456789.mp4",
        "https://vxtwitter.com/ann/status/1234567890123456789/en",
        "https://fixupx.com/ann/status/1234567890123456789",
        "https://fixvx.com/ann/status/1234567890123456789",
        "https://nitter.net/ann/status/1234567890123456789#m",
        "https://xcancel.com/ann/status/1234567890123456789",
        "https://twitter.com/i/web/status/1234567890123456789",
        "https://twitter.com/ann/statuses/1234567890123456789",
        "https://x.com/ann/status/1234567890123456789/video/1?mx=2",
        "https://x.com/ann/status/1234567890123456789/photo/1",
        "https://twitter.com/#!/ann/status/1234567890123456789",
        "https://platform.twitter.com/embed/Tweet.html?id=1234567890123456789",
        "https://x.com/intent/like?tweet_id=1234567890123456789",
        "https://nitter.example.org/ann/status/1234567890123456789",
    ],
    f"{X}/video/2": ["https://vxtwitter.com/ann/status/1234567890123456789/video/2"],
    TIKTOK: [
        "https://www.tiktok.com/@ann.b/video/7234567890123456789?is_from_webapp=1&sender_device=pc&web_id=7",
        "https://www.tiktok.com/@ann.b/video/7234567890123456789?_r=1&_t=8abc",
        "https://m.tiktok.com/v/7234567890123456789.html?u_code=x&preview_pb=0",
        "https://m.tiktok.com/@ann.b/video/7234567890123456789",
        "https://www.tiktok.com/embed/v2/7234567890123456789",
        "https://www.tiktok.com/player/v1/7234567890123456789",
        "https://www.tiktok.com/share/video/7234567890123456789",
        "https://vxtiktok.com/@ann.b/video/7234567890123456789",
        "https://www.tiktok.com/video/7234567890123456789",
        "https://www.tiktok.com/ko-KR/@ann.b/video/7234567890123456789",
        "https://www.tiktok.com/foryou?item_id=7234567890123456789",
        "https://www.tiktok.com/foryou?is_copy_url=1#/@ann.b/video/7234567890123456789",
        "https://www.tiktok.com/login?redirect_url=https%3A%2F%2Fwww.tiktok.com%2F%40ann.b%2Fvideo%2F7234567890123456789",
        "https://www.tiktok.com/@ann.b/photo/7234567890123456789",
    ],
    "https://www.instagram.com/p/Cabc_-12345/": [
        "https://www.instagram.com/reel/Cabc_-12345/?igsh=MzRlODBiNWFlZA==",
        "https://instagram.com/reels/Cabc_-12345",
        "https://www.instagram.com/tv/Cabc_-12345/?utm_source=ig_web_copy_link",
        "https://www.instagram.com/p/Cabc_-12345/?img_index=1",
        "https://www.instagram.com/ann.b/reel/Cabc_-12345/",
        "https://www.instagram.com/p/Cabc_-12345/embed/captioned/",
        "https://www.ddinstagram.com/reel/Cabc_-12345/",
        "https://www.instagram.com/accounts/login/?next=%2Freel%2FCabc_-12345%2F",
        "https://www.instagram.com/p/Cabc_-12345/c/17900000000/",
        "https://www.instagram.com/reel/Cabc_-12345/liked_by/",
        "https://www.kkinstagram.com/reel/Cabc_-12345/",
    ],
    "https://www.reddit.com/comments/1abcde": [
        "https://www.reddit.com/r/aww/comments/1abcde/a_cat/",
        "https://old.reddit.com/r/aww/comments/1abcde/a_cat/?utm_source=share&utm_medium=web2x",
        "https://new.reddit.com/r/aww/comments/1abcde",
        "https://np.reddit.com/r/aww/comments/1abcde/a_cat/kabcdef/?context=3",
        "https://m.reddit.com/r/aww/comments/1abcde/",
        "https://reddit.com/comments/1ABCDE",
        "https://www.reddit.com/user/ann/comments/1abcde/a_cat/",
        "https://redd.it/1abcde",
        "https://www.reddit.com/gallery/1abcde",
        "https://rxddit.com/r/aww/comments/1abcde/a_cat/",
        "https://www.reddit.com/r/aww/duplicates/1abcde/a_cat/",
        "https://www.reddit.com/over18?dest=https%3A%2F%2Fwww.reddit.com%2Fr%2Faww%2Fcomments%2F1abcde%2Fa_cat%2F",
        "https://redlib.example.org/r/aww/comments/1abcde/a_cat/",
    ],
    "https://v.redd.it/abcdefgh1234": [
        "https://v.redd.it/abcdefgh1234/DASH_720.mp4?source=fallback",
        "https://v.redd.it/abcdefgh1234/HLSPlaylist.m3u8?a=1",
        "https://www.reddit.com/video/abcdefgh1234",
    ],
    "https://vimeo.com/76979871": [
        "https://player.vimeo.com/video/76979871?autoplay=1",
        "https://vimeo.com/channels/staffpicks/76979871",
        "https://vimeo.com/76979871?share=copy#t=3",
        "https://vimeo.com/showcase/123/video/76979871",
        "https://vimeo.com/groups/name/videos/76979871",
        "https://www.vimeo.com/76979871/",
    ],
    "https://vimeo.com/76979871/abc123def4": ["https://player.vimeo.com/video/76979871?h=abc123def4&app_id=1"],
    "https://www.twitch.tv/videos/1234": [
        "https://m.twitch.tv/videos/1234?t=1h",
        "https://player.twitch.tv/?video=v1234&parent=a.example",
        "https://www.twitch.tv/ann/v/1234",
        "https://www.twitch.tv/ann/video/1234?filter=archives",
    ],
    "https://clips.twitch.tv/FaintLightGull-x1": [
        "https://www.twitch.tv/ann/clip/FaintLightGull-x1?filter=clips&range=7d",
        "https://m.twitch.tv/clip/FaintLightGull-x1",
        "https://clips.twitch.tv/embed?clip=FaintLightGull-x1&parent=a.example",
        "https://player.twitch.tv/?clip=FaintLightGull-x1&parent=a.example",
        "https://clips.twitch.tv/clip/FaintLightGull-x1",
        "https://clips.fxtwitch.seria.moe/FaintLightGull-x1",
    ],
    "https://www.dailymotion.com/video/x8abcde": [
        "https://dai.ly/x8abcde",
        "https://www.dailymotion.com/embed/video/x8abcde?autoplay=1",
        "https://www.dailymotion.com/video/x8abcde_a-title?playlist=x1",
        "https://geo.dailymotion.com/player/x86gw.html?video=x8abcde",
        "https://geo.dailymotion.com/player.html?video=x8abcde",
        "https://www.dailymotion.com/video/x8abcde?start=3",
        "https://www.dailymotion.com/kr/video/x8abcde",
        "https://touch.dailymotion.com/video/x8abcde",
    ],
    f"https://www.loom.com/share/{LOOM_ID}": [
        f"https://www.loom.com/share/{LOOM_ID}?sid=abc&t=3",
        f"https://www.loom.com/embed/{LOOM_ID}?hide_owner=true",
        f"https://loom.com/share/How-it-works-{LOOM_ID}",
        f"https://www.useloom.com/share/{LOOM_ID}",
    ],
    "https://streamable.com/abc12": [
        "https://streamable.com/e/abc12?autoplay=1",
        "https://streamable.com/o/abc12",
        "https://streamable.com/s/abc12/token",
        "https://www.streamable.com/abc12?src=player-page-share",
    ],
    "https://www.nicovideo.jp/watch/sm9": [
        "https://nico.ms/sm9?ref=share_others_spweb",
        "https://sp.nicovideo.jp/watch/sm9",
        "https://embed.nicovideo.jp/watch/sm9?from=3",
        "https://ext.nicovideo.jp/thumb/sm9",
        "http://nicovideo.jp/watch/sm9?_topic=live",
        "https://embed.nicovideo.jp/watch/sm9/script?w=640",
        "https://www.nicovideo.gay/watch/sm9",
    ],
    "https://tv.naver.com/v/81652093": [
        "https://m.tv.naver.com/v/81652093?query=x",
        "https://tv.naver.com/embed/81652093?autoPlay=true",
        "http://tvcast.naver.com/v/81652093",
        "https://tv.naver.com/v/81652093/list/67096",
    ],
    "https://m.naver.com/shorts/?mediaId=F1D5ABC": ["https://m.naver.com/shorts?mediaId=F1D5ABC&serviceType=NTV&viewMode=x"],
    "https://tv.kakao.com/v/301965083": [
        "https://tv.kakao.com/channel/2671005/cliplink/301965083?metaObjectType=Channel",
        "https://m.tv.kakao.com/channel/2671005/cliplink/301965083",
        "https://tv.kakao.com/embed/player/cliplink/301965083?service=player_share",
        "https://play-tv.kakao.com/embed/player/cliplink/301965083",
        "https://tv.kakao.com/v/301965083@my",
        "https://kakaotv.daum.net/embed/player/cliplink/301965083",
    ],
    WEIBO: [
        "https://weibo.com/7827771738/N4xlMvjhI?pagetype=homefeed",
        "https://www.weibo.com/7827771738/N4xlMvjhI#comment",
        "https://weibo.com/detail/4910815147462302",
        "https://m.weibo.cn/status/4910815147462302?sourceType=qq&from=10E3095010&wm=9847_0002",
        "https://m.weibo.cn/status/N4xlMvjhI?jumpfrom=weibocom",
        "https://m.weibo.cn/7827771738/4910815147462302",
        "https://share.api.weibo.cn/share/123,4910815147462302.html?weibo_id=4910815147462302",
        "https://m.weibo.cn/s/video/index.html?blog_mid=4910815147462302",
    ],
    WEIBO_VIDEO: [
        "https://weibo.com/tv/show/1034:4967272104787984?from=old_pc_videoshow",
        "https://video.weibo.com/show?fid=1034:4967272104787984",
        "https://video.weibo.com/show?fid=1034%3A4967272104787984",
        "https://h5.video.weibo.com/show/1034:4967272104787984",
        "https://m.weibo.cn/s/video/show?object_id=1034%3A4967272104787984",
    ],
    FACEBOOK: [
        "https://www.facebook.com/watch?v=123456789",
        "https://m.facebook.com/watch/?v=123456789&ref=sharing",
        "https://fb.com/watch/?v=123456789",
        "https://web.facebook.com/watch/live/?v=123456789",
        "https://www.facebook.com/nasa/videos/123456789/",
        "https://www.facebook.com/nasa/videos/a-title/123456789/?extid=CL-UNK",
        "https://www.facebook.com/nasa/videos/vb.54971236771/123456789/?type=2",
        "https://www.facebook.com/video.php?v=123456789",
        "https://www.facebook.com/reel/123456789?mibextid=abc",
        "https://mbasic.facebook.com/video.php?v=123456789",
        "https://www.facebook.com/reels/123456789",
        "https://www.facebook.com/watch/123456789",
        "https://www.facebook.com/nasa/videos/?v=123456789",
        "https://www.facebook.com/login/?next=https%3A%2F%2Fwww.facebook.com%2Fwatch%2F%3Fv%3D123456789",
        "https://facebed.com/reel/123456789",
        "https://www.facebook.com/plugins/video.php?height=314&href=https%3A%2F%2Fwww.facebook.com%2Fnasa%2Fvideos%2F123456789%2F",
    ],
    DROPBOX: [
        "https://www.dropbox.com/scl/fi/abc123/my%20cat.mp4?rlkey=k1&dl=0",
        "https://www.dropbox.com/scl/fi/abc123/my%20cat.mp4?rlkey=k1&st=zzz&dl=1",
        "https://dropbox.com/scl/fi/abc123/my%20cat.mp4?rlkey=k1&raw=1",
        "https://dl.dropboxusercontent.com/scl/fi/abc123/my%20cat.mp4?rlkey=k1",
        "https://www.dropbox.com/scl/fi/abc123/my cat.mp4?rlkey=k1".replace(" ", "%20"),
    ],
    "https://www.dropbox.com/s/abc123/cat.mp4": [
        "https://www.dropbox.com/s/abc123/cat.mp4?dl=0",
        "https://dl.dropbox.com/s/abc123/cat.mp4?dl=1",
        "https://www.dropbox.com/s/abc123/cat.mp4?raw=1",
        "https://www.dropbox.com/s/raw/abc123/cat.mp4",
    ],
    DRIVE: [
        "https://drive.google.com/file/d/1aB_cdefghijklmnop-q/view?usp=sharing",
        "https://drive.google.com/file/d/1aB_cdefghijklmnop-q/view?usp=drive_link&t=3",
        "https://drive.google.com/file/d/1aB_cdefghijklmnop-q/preview",
        "https://drive.google.com/file/d/1aB_cdefghijklmnop-q/edit",
        "https://drive.google.com/file/u/0/d/1aB_cdefghijklmnop-q/view",
        "https://drive.google.com/open?id=1aB_cdefghijklmnop-q&usp=drive_fs",
        "https://drive.google.com/uc?export=download&id=1aB_cdefghijklmnop-q",
        "https://drive.google.com/u/1/uc?id=1aB_cdefghijklmnop-q&export=download",
        "https://drive.usercontent.google.com/download?id=1aB_cdefghijklmnop-q&export=download&authuser=0&confirm=t",
        "https://docs.google.com/file/d/1aB_cdefghijklmnop-q/edit?usp=docslist_api",
    ],
    f"{DRIVE}?resourcekey=0-abc": ["https://drive.google.com/file/d/1aB_cdefghijklmnop-q/view?usp=sharing&resourcekey=0-abc"],
    DISCORD: [
        "https://cdn.discordapp.com/attachments/1/2/cat.mp4?ex=6a&is=6b&hm=6c&",
        "https://media.discordapp.net/attachments/1/2/cat.mp4?ex=7a&is=7b&hm=7c&=&format=webp&width=400&height=300",
        "https://media.discordapp.net/attachments/1/2/cat.mp4?format=webp&quality=lossless&width=400&height=300",
        "https://cdn.discord.com/attachments/1/2/cat.mp4",
    ],
    "https://files.slack.com/files-pri/T1ABC-F2ABC/cat.mp4": [
        "https://files.slack.com/files-pri/T1ABC-F2ABC/download/cat.mp4",
        "https://files.slack.com/files-pri/T1ABC-F2ABC/download/cat.mp4?origin_team=T1ABC",
        "https://files.slack.com/files-pri/T1ABC-F2ABC/cat.mp4?t=xoxe-1",
    ],
    "https://www.douyin.com/video/7234567890123456789": [
        "https://www.iesdouyin.com/share/video/7234567890123456789/?region=CN",
        "https://www.douyin.com/discover?modal_id=7234567890123456789",
        "https://www.douyin.com/?vid=7234567890123456789",
        "https://m.douyin.com/share/video/7234567890123456789",
        "https://open.douyin.com/player/video?vid=7234567890123456789",
    ],
    "https://chzzk.naver.com/video/123": ["https://m.chzzk.naver.com/video/123?currentTime=3", "https://chzzk.naver.com/embed/video/123"],
    "https://vod.sooplive.co.kr/player/123": [
        "https://vod.afreecatv.com/player/123?change_second=3",
        "https://v.afree.ca/ST/123",
        "https://vod.sooplive.co.kr/embed.php?titleNo=123",
    ],
    "https://vk.com/video-1_2": ["https://vkvideo.ru/video-1_2?t=3s", "https://m.vk.com/video-1_2"],
}  # fmt: skip

NO_VIDEO_KNOWN = [
    *("https://vm.tiktok.com/ZMabc/", "https://vt.tiktok.com/ZSabc/", "https://www.tiktok.com/t/ZTabc/"),
    *("https://b23.tv/aBcDeF", "https://fb.watch/aBc/", "https://www.facebook.com/share/v/aBc/", "https://t.co/aBc"),
    *("https://www.reddit.com/r/aww/s/aBc", "https://www.instagram.com/share/reel/aBc", "https://naver.me/aBc"),
    *("https://www.youtube.com/clip/UgkxAbc", "https://v.douyin.com/aBc/", "https://kko.to/aBc", "https://t.cn/aBc"),
]


@pytest.mark.parametrize(("url", "form"), [(url, form) for url, forms in FORMS.items() for form in [url, *forms]])
def test_every_address_of_a_video_is_one_video(url: str, form: str) -> None:
    link = canonicalize(form)
    assert link.url == url
    assert link.video_id == canonicalize(url).video_id
    assert is_video_address(url)
    assert canonicalize(link.fetch_url).url == url


@pytest.mark.parametrize("link", NO_VIDEO_KNOWN)
def test_what_only_the_site_knows_keeps_its_address_without_trackers(link: str) -> None:
    separator = "&" if "?" in link else "?"
    assert canonicalize(f"{link}{separator}utm_source=x&igsh=y&si=z").url == link
    assert not is_video_address(link)
    assert link_to_second(link, 75) == link


def test_short_links_are_known_by_their_host() -> None:
    assert is_short_link(URL("https://vm.tiktok.com/ZMabc/"))
    assert is_short_link(URL("https://bit.ly/abc"))
    assert not is_short_link(URL("https://example.com/abc"))


@pytest.mark.parametrize(
    ("url", "jump"),
    [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "&t=75s"),
        ("https://vimeo.com/76979871", "#t=75s"),
        ("https://www.twitch.tv/videos/1234", "?t=0h1m15s"),
        ("https://www.bilibili.com/video/BV1Q541167Qg", "?t=75"),
        ("https://www.bilibili.com/video/BV1Q541167Qg?p=2", "&t=75"),
        ("https://www.bilibili.com/bangumi/play/ep123", "?t=75"),
        ("https://www.dailymotion.com/video/x8abcde", "?start=75"),
        (DRIVE, "?t=75"),
        (f"{DRIVE}?resourcekey=0-abc", "&t=75"),
        (FACEBOOK, "&t=75"),
        ("https://www.nicovideo.jp/watch/sm9", "?from=75"),
        ("https://streamable.com/abc12", "?t=75"),
        (f"https://www.loom.com/share/{LOOM_ID}", "?t=75"),
        ("https://chzzk.naver.com/video/123", "?currentTime=75"),
        ("https://vod.sooplive.co.kr/player/123", "?change_second=75"),
        ("https://odysee.com/@ann:1/cat:2", "?t=75"),
        ("https://archive.org/details/cat", "?start=75"),
        ("https://vk.com/video-1_2", "?t=0h1m15s"),
        (DISCORD, "#t=75"),
        ("https://files.slack.com/files-pri/T1ABC-F2ABC/cat.mp4", "#t=75"),
        ("https://example.com/a.mp4", "#t=75"),
        ("https://example.com/a.WEBM?x=1", "#t=75"),
        ("file:///videos/a.avi", "#t=75"),
        *((url, "") for url in (X, TIKTOK, WEIBO, WEIBO_VIDEO, DROPBOX, "https://v.redd.it/abcdefgh1234")),
        ("https://www.instagram.com/p/Cabc_-12345/", ""),
        ("https://www.reddit.com/comments/1abcde", ""),
        ("https://clips.twitch.tv/FaintLightGull-x1", ""),
        ("https://tv.naver.com/v/81652093", ""),
        ("https://tv.kakao.com/v/301965083", ""),
        ("https://example.com/watch/1", ""),
        ("https://www.youtube.com/", ""),
    ],
)
def test_link_to_second_is_in_the_form_of_the_site(url: str, jump: str) -> None:
    """A site without such links, or an unknown page, gets the plain link."""
    assert link_to_second(url, 75.9) == url + jump
    assert link_to_second(url, 0.9) == url


@pytest.mark.parametrize("url", FORMS)
def test_pasted_link_to_a_second_is_the_same_video(url: str) -> None:
    assert canonicalize(link_to_second(url, 3675)).url == url


@pytest.mark.parametrize(
    ("link", "fetched"),
    [
        ("https://fxtwitter.com/ann/status/1234567890123456789", X),
        ("https://m.bilibili.com/video/BV1Q541167Qg", "https://www.bilibili.com/video/BV1Q541167Qg"),
        ("https://tv.kakao.com/v/301965083", "https://tv.kakao.com/embed/player/cliplink/301965083"),
        (f"{DISCORD}?ex=6a&is=6b&hm=6c&", f"{DISCORD}?ex=6a&is=6b&hm=6c&"),
        (
            "https://media.discordapp.net/attachments/1/2/cat.mp4?ex=7a&is=7b&hm=7c&=&format=webp&width=400&height=300",
            f"{DISCORD}?ex=7a&is=7b&hm=7c&",
        ),
        ("https://media.discordapp.net/attachments/1/2/cat.mp4?format=webp&width=400", DISCORD),
    ],
)
def test_what_is_fetched_is_the_video_in_a_form_that_the_downloader_knows(link: str, fetched: str) -> None:
    assert canonicalize(link).fetch_url == fetched


def test_video_id_is_a_uuid_of_the_address() -> None:
    for url in FORMS:
        assert canonicalize(url).video_id == str(uuid5(NAMESPACE_URL, url))


@pytest.mark.parametrize(
    "link",
    ["1.0/0.0", "3.5/x", "https://www.youtube.com/redirect?q=file%3A%2F%2F%2Fetc%2Fpasswd", "a.mp4", "me@example.com"],
)
def test_no_link_is_refused(link: str) -> None:
    with pytest.raises(LinkRefusedError):
        canonicalize(link)
