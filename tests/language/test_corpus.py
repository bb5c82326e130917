"""The written corpus and its file format."""

import subprocess
import sys
from collections import Counter

import pytest

from sentinel.errors import LanguageError
from sentinel.language import corpus
from sentinel.language.corpus import Labelled
from sentinel.model import CRISIS_TYPES
from tests.language.conftest import REPOSITORY

POSTS = REPOSITORY / "corpus" / "posts.ndjson"


@pytest.fixture(scope="module")
def posts() -> list[Labelled]:
    return corpus.read(POSTS)


def test_the_corpus_is_what_its_ideas_say():
    code = "import sys; sys.path.insert(0, 'corpus'); import build; sys.stdout.buffer.write(build.render())"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True
    )

    assert POSTS.read_bytes() == built.stdout


def test_the_datasheet_is_true(posts):
    typed = Counter(post.type for post in posts if post.type != "none")
    least, most = min(typed.values()), max(typed.values())
    languages, sentiments = (
        Counter(getattr(post, field) for post in posts) for field in ("lang", "sentiment")
    )
    sheet = (REPOSITORY / "corpus" / "README.md").read_text(encoding="utf-8")

    for line in (
        f"| posts | {len(posts):,}: {languages['it']:,} Italian, {languages['en']:,} English |",
        f"| ideas | {len({post.idea for post in posts}):,};",
        f"| sentiment | {sentiments['negative']:,} negative, {sentiments['neutral']:,} neutral,",
        f"{sentiments['positive']:,} positive |",
        f"| crisis types | {typed.total():,} posts over all fifteen slugs, {least} (",
        f") to {most} (",
        f"{len(posts) - typed.total():,} `none` |",
        f"| irony | {sum(post.irony for post in posts)} posts",
        f"| near-duplicates | {len(corpus.near_duplicates(posts))} pair",
    ):
        assert line in sheet


def test_both_languages_are_in_balance(posts):
    italian = sum(post.lang == "it" for post in posts)

    assert {"it", "en"} == {post.lang for post in posts}
    assert 0.4 < italian / len(posts) < 0.6


def test_every_type_occurs_in_both_languages(posts):
    found = {(post.lang, post.type) for post in posts}

    assert {(code, kind) for code in ("it", "en") for kind in (*CRISIS_TYPES, "none")} <= found


def test_an_idea_has_one_language_and_one_sentiment(posts):
    seen: dict[str, tuple[str, str, str | None]] = {}
    for post in posts:
        label = (post.lang, post.sentiment, post.type)
        assert label == seen.setdefault(post.idea, label)


def test_near_duplicates_between_ideas_are_rare(posts):
    assert len(corpus.near_duplicates(posts)) < 0.002 * len(posts)


def test_near_duplicates_are_found_across_ideas_only():
    def post(name: str, idea: str, text: str) -> Labelled:
        return Labelled(id=name, idea=idea, lang="it", text=text, sentiment="neutral")

    same = "il treno delle otto per Bologna parte dal binario uno"
    found = corpus.near_duplicates(
        [post("a", "1", same), post("b", "2", same + "!"), post("c", "2", same)]
    )

    assert {("a", "b"), ("a", "c")} == set(found)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id":"1","lang":"it","text":"x","sentiment":"sad"}', "f:1: sentiment must be one of"),
        (b'{"id":"1","lang":"it","text":"x"}', "f:1: .*sentiment"),
        (b"not json", "f:1: "),
        (
            b'{"id":"1","lang":"it","text":"x","sentiment":"neutral","type":"flood"}',
            "f:1: unknown crisis type 'flood'",
        ),
    ],
)
def test_a_wrong_line_is_named(line, message):
    with pytest.raises(LanguageError, match=message):
        corpus.parse(line, "f")


def test_an_id_used_twice_is_named():
    line = b'{"id":"1","lang":"it","text":"x","sentiment":"neutral"}\n'

    with pytest.raises(LanguageError, match="f:2: id '1' is used twice"):
        corpus.parse(line + line, "f")


def test_an_idea_never_stands_on_both_sides_of_a_split(posts):
    learn, keep = corpus.split(posts, 5, 0)

    assert len(posts) == len(learn) + len(keep)
    assert not {post.idea for post in learn} & {post.idea for post in keep}
