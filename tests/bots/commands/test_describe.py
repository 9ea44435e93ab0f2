"""What happens in a moment, answers to questions, and how frontends show what a model wrote."""

import pytest

from bots.cli.render import render_reply
from bots.commands.findings import Answer, AnswerSource
from bots.commands.registry import COMMANDS
from bots.commands.replies import Reply, Results, TextReply
from bots.discord.render import render_text
from bots.i18n.messages import Msg
from bots.i18n.translate import translate, use_locale
from bots.slack.render import render as render_slack
from bots.web.cards import render_sentence
from tests.support.bots.fake_client import FakeClient
from tests.support.bots.fake_videos import SNOW
from tests.support.bots.replies import collect
from worker.protocol.base import Caller
from worker.protocol.describe import Ask, Describe
from worker.protocol.error_codes import ErrorCode

HOSTILE = "@everyone <@1> <!channel> **bold** [free](https://evil.example) <script>alert(1)</script> `code`"


async def run(client: FakeClient, caller: Caller, command: str, **args: object) -> Reply:
    [reply] = await collect(COMMANDS[command].run(client, caller, **args))
    return reply


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en", "Seen: dog · snow; said: “well done”; heard: Applause."),
        ("ko", "보이는 것: 개 · 눈; 말: “well done”; 소리: 박수."),
        ("zh", "画面：狗 · 雪; 说的话：“well done”; 声音：掌声."),
    ],
)
async def test_what_is_known_is_one_sentence_in_the_readers_language(
    client: FakeClient, caller: Caller, locale: str, text: str
) -> None:
    client.tags = ("dog", "snow")
    with use_locale(locale):
        reply = await run(client, caller, "describe", link=SNOW.link)
    assert isinstance(reply, Answer)
    assert reply.text.lower() == text.lower()
    assert (reply.note, reply.sources[0].link) == (None, SNOW.link)


async def test_model_is_asked_in_the_readers_language_and_named_as_the_author(
    client: FakeClient, caller: Caller
) -> None:
    client.model_answer = "A dog runs."
    with use_locale("ko-KR"):
        reply = await run(client, caller, "describe", link=SNOW.link, at="1:02:03")
        note = translate(Msg.BY_MODEL)
    source = AnswerSource("Dogs in snow", SNOW.link, "0:00–0:06")
    assert reply == Answer("A dog runs.", (source,), note)
    request = client.requests[-1]
    assert isinstance(request, Describe)
    assert (request.language, request.at_s) == ("ko", 3723)


@pytest.mark.parametrize("at", ["soon", "1:2:3:4", "-5", "1:", "9999999"])
async def test_time_that_is_none_is_refused(client: FakeClient, caller: Caller, at: str) -> None:
    reply = await run(client, caller, "describe", link=SNOW.link, at=at)
    assert reply == TextReply(translate(Msg.TIME_UNKNOWN, time=at), ok=False)


async def test_button_is_there_only_with_a_model_server(client: FakeClient, caller: Caller) -> None:
    results = await run(client, caller, "find", words="dog")
    assert translate(Msg.WHAT_HAPPENS) not in str(render_slack(results, {}).blocks)
    client.model_answer = "A dog runs."
    results = await run(client, caller, "find", words="dog")
    assert translate(Msg.WHAT_HAPPENS) in str(render_slack(results, {}).blocks)
    assert isinstance(results, Results)
    reply = await run(client, caller, "press", results=results, action="describe", number=0)
    assert isinstance(reply, Answer)
    request = client.requests[-1]
    assert isinstance(request, Describe)
    assert request.moment_id == results.cards[0].moment_id


async def test_question_is_answered_with_links(client: FakeClient, caller: Caller) -> None:
    client.model_answer = "It is a dog [1]."
    reply = await run(client, caller, "ask", question="which dog")
    assert isinstance(reply, Answer)
    assert reply.text == "It is a dog [1]."
    assert SNOW.link in reply.sources[0].link
    request = client.requests[-1]
    assert isinstance(request, Ask)
    assert request.question == "which dog"


async def test_unknown_answer_is_said_to_be_unknown(client: FakeClient, caller: Caller) -> None:
    """The nearest moments are shown, and no model wrote this sentence."""
    reply = await run(client, caller, "ask", question="dog")
    assert isinstance(reply, Answer)
    assert (reply.text, reply.note) == (translate(Msg.DONT_KNOW), None)


@pytest.mark.parametrize(("question", "code"), [("", ErrorCode.EMPTY_QUERY), ("a" * 600, ErrorCode.QUERY_TOO_LONG)])
async def test_question_is_neither_empty_nor_too_long(
    client: FakeClient, caller: Caller, question: str, code: ErrorCode
) -> None:
    reply = await run(client, caller, "ask", question=question)
    assert isinstance(reply, TextReply)
    assert reply.code is code


async def test_privacy_names_the_model_server(client: FakeClient, caller: Caller) -> None:
    client.policy = client.policy.model_copy(update={"vision_host": "models.example"})
    reply = await run(client, caller, "privacy")
    assert isinstance(reply, TextReply)
    assert translate(Msg.PRIVACY_VISION, host="models.example") in reply.text


@pytest.mark.parametrize("title", ["A film", HOSTILE])
def test_text_of_a_model_does_nothing_in_any_frontend(title: str) -> None:
    """It neither mentions, links, formats nor runs anything; nor does a title."""
    answer = Answer(HOSTILE, (AnswerSource(title, "https://videos.example/1", "0:01–0:02"),))
    discord = render_text(answer).splitlines()[0]
    assert "@everyone" not in discord
    assert not any(mark in discord for mark in ("<@1>", " **", "](https", " `"))
    slack = render_slack(answer, {})
    assert slack.payload()["text"].count("<") == 0
    assert all(block["text"]["type"] == "plain_text" for block in slack.blocks if block["type"] == "section")
    web = render_sentence(answer)
    assert "<script" not in web
    assert "<code" not in web
    assert web.count("<a ") == 1
    assert render_reply(answer)


def test_link_that_no_browser_may_open_is_no_link() -> None:
    answer = Answer("text", (AnswerSource("A film", "javascript:alert(1)", "0:01"),))
    assert "<a " not in render_sentence(answer)
    assert "link" not in str(render_slack(answer, {}).blocks)
