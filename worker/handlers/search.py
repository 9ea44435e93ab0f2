"""Handler of searches."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import replace

from indexer.hits import Hit
from indexer.images import read_query_picture
from indexer.link.attachments import link_to_message
from indexer.ports import Decoder
from indexer.search.query import SearchQuery
from indexer.search.query_clip import read_clip_frames, read_query_clip
from indexer.search.search import ResultPage, find_moments
from indexer.search.votes import VoteReader
from indexer.store.moments import MomentStore
from indexer.store.submissions import SubmissionStore
from indexer.topics.tagger import Tagger
from indexer.types import Picture
from text.queries import clean_query
from worker.handlers.access import require_visible_video
from worker.handlers.errors import RequestRefusedError
from worker.models.cache import ModelCache
from worker.ops.metrics import Metrics
from worker.protocol.error_codes import ErrorCode
from worker.protocol.search import Find, SearchResults


def find(
    moments: MomentStore,
    submissions: SubmissionStore,
    votes: VoteReader,
    models: ModelCache,
    metrics: Metrics,
    clip_decoder: Decoder,
    tagger: Tagger,
    can_describe: bool,
    request: Find,
) -> SearchResults:
    """Search the videos that the caller can see. `can_describe` says whether there is a model server.

    Raises `RequestRefusedError` if there is nothing to look for, if the picture or the clip is not base64, or if
    the video to search in is not visible to the caller, or if moments cannot be tagged yet; `NotAPictureError` and
    `NotAClipError`.
    """
    picture, thumbnail = _decode_picture(request.picture)
    frames = _decode_clip(clip_decoder, request)
    with metrics.time_search_stage("whole"):
        query = _build_query(submissions, request, picture, read_clip_frames(frames))
        model = models.get_available(request.caller.space)
        tagger.is_ready(model)
        if request.tags and not tagger.store_tags(model):
            raise RequestRefusedError(ErrorCode.TAGS_NOT_READY)
        page = find_moments(moments, submissions, votes, model, query, metrics.time_search_stage)
        tags = tagger.tag(model, query.scopes, [hit.moment_id for hit in page.hits])
    page = replace(page, hits=tuple(replace(hit, tags=tags.get(hit.moment_id, ())) for hit in page.hits))
    return _make_results(request, page, thumbnail, frames).model_copy(update={"can_describe": can_describe})


def _build_query(
    submissions: SubmissionStore, request: Find, picture: Picture | None, clip: Sequence[Picture]
) -> SearchQuery:
    """Return the query of a request. Raises `RequestRefusedError` if it is empty, or in a video that is not visible."""
    caller = request.caller
    queries, like, unlike = (
        [cleaned for each in texts if (cleaned := clean_query(each))]
        for texts in (request.queries, request.like, request.unlike)
    )
    if not (queries or like or clip) and picture is None:
        raise RequestRefusedError(ErrorCode.EMPTY_QUERY)
    return SearchQuery(
        scopes=caller.scopes,
        texts=queries,
        like=like,
        unlike=unlike,
        picture=picture,
        clip=clip,
        video_id=require_visible_video(submissions, caller, request.in_link) if request.in_link else None,
        only=request.only,
        tags=request.tags,
        limit=request.limit,
        offset=request.offset,
    )


def _make_results(request: Find, page: ResultPage, thumbnail: str | None, frames: Sequence[bytes]) -> SearchResults:
    """Return a page of hits with the thumbnail of the query's picture and the frames of its clip."""
    return SearchResults(
        hits=tuple(_open_in_chat(hit, request.caller.space) for hit in page.hits),
        next_offset=page.next_offset,
        weak=page.is_weak and not request.offset,
        weaker_follow=page.weaker_follow,
        picture=thumbnail,
        frames=tuple(b64encode(frame).decode() for frame in frames),
    )


def _open_in_chat(hit: Hit, space: str) -> Hit:
    """Return a hit that opens at the message of its upload, if it is one whose address opens with a signature only."""
    link = link_to_message(hit.link, space, hit.message_id)
    return replace(hit, moment_link=link) if link else hit


def _decode_picture(encoded: str | None) -> tuple[Picture | None, str | None]:
    """Return the query picture, and a small copy in base64 with which the caller can ask for the next page."""
    if encoded is None:
        return None, None
    picture, thumbnail = read_query_picture(_decode_file(encoded, ErrorCode.NOT_A_PICTURE))
    return picture, b64encode(thumbnail).decode()


def _decode_clip(decoder: Decoder, request: Find) -> list[bytes]:
    """Return the frames of the query's clip as JPEG files: those of the request, or of the video file in it."""
    if request.clip is None:
        return [_decode_file(frame, ErrorCode.NOT_A_CLIP) for frame in request.frames]
    return read_query_clip(decoder, _decode_file(request.clip, ErrorCode.NOT_A_CLIP))


def _decode_file(encoded: str, refusal: ErrorCode) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except ValueError as error:
        raise RequestRefusedError(refusal) from error
