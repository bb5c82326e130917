"""What people talk about, of what kind, which way it went, what came before: in both languages, safe, never an error."""

import math

import msgspec
import pytest

from sentinel.core.playbooks import Cluster
from sentinel.i18n import Translator, translator
from sentinel.model import Arrival, KindReason, LinkCount, PastCase, Severity, Thread
from sentinel.notify import talk
from sentinel.notify.slack.blocks import Drawing, incident_blocks
from tests.notify.aurora import (
    INCIDENT,
    MINUTE,
    SUNDAY_2240,
    both_languages,
    change,
    effect,
    of,
    quote,
    said,
)

HOSTILE = "<!channel> *b* <script>\u202e\n" * 40
TALK = change(
    INCIDENT,
    threads=(
        Thread(0.6241, 40, ("#boicottaaurora", "scuse del presidente")),
        Thread(0.18, 12, ("president", "boycott")),
    ),
    kinds=(
        KindReason("executive-statement", 0.41, 0.34, ("presidente", "radio"), quote(5, "x")),
        KindReason("none", 0.0, 0.22),
        KindReason("boycott", 0.2, 0.15),
    ),
    path=(
        Arrival("feed", "1", "radio", SUNDAY_2240 - 40 * MINUTE, link="laradio.example"),
        Arrival("feed", "2", "bluesky", SUNDAY_2240 - 9 * MINUTE),
    ),
    links=(LinkCount("laradio.example", 38, SUNDAY_2240), LinkCount("notizie.example", 2, 0.0)),
)
EARLIER = PastCase("aurora-0", "executive-statement", SUNDAY_2240 - 200 * 86_400, Severity.HIGH)


def it() -> Translator:
    return translator("it", "Europe/Rome")


def test_threads_are_told_with_share_in_steps_of_five_points_and_words() -> None:
    assert of(TALK).threads == (
        "1) circa il 60% dei post: #boicottaaurora, scuse del presidente",
        "2) circa il 20% dei post: president, boycott",
    )


def test_kinds_are_told_with_their_words_and_none_of_them_is_an_answer() -> None:
    assert of(TALK, "en").kinds == (
        "a leader's words or conduct: about 35% of the posts, with “presidente”, “radio”",
        "no known kind: about 20% of the posts",
        "boycott: about 15% of the posts",
    )


def test_the_path_says_where_it_was_first_and_where_it_went() -> None:
    assert of(TALK).path == (
        "Radio 22:00 → Bluesky 22:31; il primo post rimanda a laradio.example; "
        "siti più citati nei link: laradio.example (38 post), notizie.example (2 post)."
    )


def test_a_first_repost_of_something_unread_is_said() -> None:
    first = change(TALK.path[0], repeats="elsewhere")
    text = of(change(TALK, path=(first,), links=()), "en").path
    assert text == "The earliest one seen repeats a post that Sentinel has not read."


def test_one_channel_and_no_link_make_no_path() -> None:
    assert of(change(TALK, path=(Arrival("feed", "1", "news", SUNDAY_2240),), links=())).path == ""


def test_a_similar_case_moves_the_answer_one_step_and_says_from_what_to_what() -> None:
    incident = change(INCIDENT, past=(EARLIER,), plan_cluster="accidental", cluster="preventable")
    assert of(incident, "en").past == (
        "1 similar case in two years, on 6 May 2026. People will blame it more: answer as for a crisis that could"
        " have been prevented, not as for an accident; you confirm. Apologise at once."
    )


def test_a_cluster_that_is_the_worst_already_still_tells_the_past() -> None:
    incident = change(
        INCIDENT, past=(EARLIER, EARLIER), plan_cluster="preventable", cluster="preventable"
    )
    assert (
        of(incident).past == "2 casi simili in due anni, l'ultimo il 6 maggio 2026. Scuse subito."
    )


def test_a_past_that_only_the_configuration_knows_has_no_date() -> None:
    incident = change(INCIDENT, plan_cluster="victim", cluster="accidental")
    assert of(incident, "en").past.startswith("The brand has been through the like before. People")


def test_a_brand_without_a_past_is_told_nothing_about_it() -> None:
    assert of(change(INCIDENT, plan_cluster="accidental", cluster="accidental")).past == ""
    assert said(effect(incident=change(INCIDENT, past=(EARLIER,))), playbook=None).past == ""


def test_every_cluster_that_can_be_moved_has_its_words() -> None:
    assert set(talk.CLUSTER) == set(Cluster) - {Cluster.NONE}


def test_a_post_says_every_reason_for_which_it_is_shown() -> None:
    first = INCIDENT.first_post
    assert first is not None
    marked = change(first, most_spread=True, thread=1, spread=9)
    other = quote(7, "Tornate in radio a scusarvi", thread=2)
    message = of(change(TALK, quotes=(other, marked)))
    assert [one.role for one in message.quotes] == ["primo post, il più diffuso, filo 1", "filo 2"]


@both_languages
def test_hostile_words_stay_one_short_line(language: str) -> None:
    incident = change(
        TALK,
        threads=(Thread(math.nan, 3, (HOSTILE, "ok")), Thread(-1.0, 2, ("\u202e",))),
        kinds=(KindReason(HOSTILE, math.inf, math.nan, (HOSTILE,)),),
        links=(LinkCount(HOSTILE, 3, math.nan),),
        path=tuple(
            Arrival("s", HOSTILE, HOSTILE, at, HOSTILE, HOSTILE, "", HOSTILE)
            for at in (math.nan, math.inf, -1e300)
        ),
        past=(PastCase(HOSTILE, HOSTILE, math.inf, Severity.HIGH),),
        plan_cluster=HOSTILE,
        cluster="",
    )
    message = of(incident, language)
    for line in (*message.threads, *message.kinds, message.path, message.past):
        assert "\n" not in line
        assert "\u202e" not in line
        assert len(line) < 900
    shown = str(incident_blocks(Drawing(message, effect(incident=incident)), incident))
    assert "<!channel>" not in shown
    assert msgspec.json.encode(shown)


@pytest.mark.parametrize("language", ["it", "en"])
def test_slack_shows_threads_path_kinds_and_past(language: str) -> None:
    incident = change(TALK, past=(EARLIER,), plan_cluster="accidental", cluster="preventable")
    message = of(incident, language)
    shown = str(incident_blocks(Drawing(message, effect(incident=incident)), incident))
    for text in (*message.threads, message.path, message.past, message.kinds[0]):
        assert text[:60].replace("'", "\\'") in shown or text[:60] in shown
    plain = message.plain_text()
    for text in (*message.threads, message.path, message.past, *message.kinds):
        assert text in plain


def test_words_of_nothing_are_no_thread() -> None:
    assert talk.threads(it(), change(TALK, threads=(Thread(0.5, 3, ()),))) == ()
