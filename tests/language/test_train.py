"""Training and evaluating one's own model."""

import msgspec
import pytest

from sentinel.errors import LanguageError
from sentinel.language import Post, load_scorer, weights
from sentinel.language.evaluate import evaluate
from sentinel.language.train import FOLDS, Settings, train

GOOD = ["bello", "ottimo", "grazie", "bravi", "adoro", "perfetto"]
BAD = ["brutto", "pessimo", "vergogna", "schifo", "odio", "terribile"]
PLAIN = ["orario", "binario", "domani", "indirizzo", "sportello", "lunedì"]


def write(path, *, types: bool = False):
    rows = []
    for label, words in (("positive", GOOD), ("negative", BAD), ("neutral", PLAIN)):
        for i, word in enumerate(words):
            for j, frame in enumerate(("il servizio {}", "che {} il negozio", "{} la consegna")):
                row = {
                    "id": f"{label}{i}-{j}",
                    "idea": f"{label}{i}",
                    "lang": "it",
                    "text": frame.format(word),
                    "sentiment": label,
                }
                if types:
                    row["type"] = "customer-care" if label == "negative" else "none"
                rows.append(row)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return path


def test_a_model_trained_on_a_tiny_file_serves(tmp_path):
    source, out = write(tmp_path / "posts.ndjson", types=True), tmp_path / "own.model"
    train(source, out, settings=Settings(model_id="own-7", shrink=0.1))
    own = load_scorer(("it",), path=out)

    found = own.score([Post("che schifo il servizio"), Post("grazie, ottimo negozio")])

    assert [verdict.label for verdict in found] == ["negative", "positive"]
    assert "own-7" == own.model_id == found[0].model_id


def test_training_twice_gives_the_same_file(tmp_path):
    source = write(tmp_path / "posts.ndjson")
    train(source, tmp_path / "a.model")
    train(source, tmp_path / "b.model")

    assert (tmp_path / "a.model").read_bytes() == (tmp_path / "b.model").read_bytes()


def test_a_model_without_typed_posts_names_no_types(tmp_path):
    source, out = write(tmp_path / "posts.ndjson"), tmp_path / "own.model"
    train(source, out)

    assert load_scorer(("it",), path=out).score([Post("boicottate tutto")])[0].crisis_types == ()


def test_progress_is_reported_to_the_end(tmp_path):
    seen: list[tuple[str, int, int]] = []
    train(
        write(tmp_path / "posts.ndjson"),
        tmp_path / "own.model",
        progress=lambda stage, done, total: seen.append((stage, done, total)),
    )

    assert ("features", 1, 1) in seen
    assert seen[-1] == ("learning", FOLDS + 1, FOLDS + 1)


def test_too_few_posts_are_refused(tmp_path):
    path = tmp_path / "few.ndjson"
    path.write_text('{"id":"1","lang":"it","text":"ciao","sentiment":"neutral"}\n')

    with pytest.raises(LanguageError, match="training needs at least 12 posts and all of"):
        train(path, tmp_path / "own.model")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LanguageError, match="No such file"):
        train(tmp_path / "absent.ndjson", tmp_path / "own.model")


def test_a_model_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(LanguageError, match="No such file"):
        train(write(tmp_path / "posts.ndjson"), tmp_path / "absent" / "own.model")


def test_a_language_without_word_lists_can_be_learnt(tmp_path):
    rows = [
        {"id": f"{label}{i}", "lang": "de", "text": f"{word} Zug {i}", "sentiment": label}
        for label, word in (("positive", "toller"), ("negative", "furchtbarer"), ("neutral", "der"))
        for i in range(6)
    ]
    path = tmp_path / "de.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    train(path, tmp_path / "de.model", settings=Settings(shrink=0.1))
    own = load_scorer(("de",), path=tmp_path / "de.model")

    assert own.score([Post("furchtbarer Zug", "de")])[0].label == "negative"


def test_evaluation_reports_each_language_and_all(tmp_path, scorer):
    path = tmp_path / "posts.ndjson"
    write(path)
    with path.open("ab") as file:
        file.write(
            b'{"id":"e1","lang":"en","text":"I love this so much","sentiment":"positive"}\n'
            b'{"id":"e2","lang":"en","text":"What a horrible day it was","sentiment":"negative"}\n'
        )
    done: list[tuple[int, int]] = []
    reports = evaluate(path, scorer, progress=lambda *step: done.append(step))

    assert [report.group for report in reports] == ["en", "it", "all"]
    assert [report.posts for report in reports] == [2, 54, 56]
    assert done[-1] == (56, 56)
    assert reports[-1].macro_f1.low <= reports[-1].macro_f1.value <= reports[-1].macro_f1.high


def test_a_model_file_carries_what_it_was_made_of(tmp_path):
    out = tmp_path / "own.model"
    train(write(tmp_path / "posts.ndjson"), out)

    assert tuple(weights.read(out).about[key] for key in ("posts", "ideas")) == ("54", "18")


def test_figures_of_types_are_of_ideas_that_were_held_out(tmp_path):
    source = write(tmp_path / "posts.ndjson", types=True)
    (report,) = train(source, tmp_path / "own.model", settings=Settings(shrink=0.1))

    assert report.type_top1 is not None
    assert report.type_none is not None
    assert report.language is None


def test_irony_weighs_what_the_settings_say(tmp_path):
    """Ironic posts teach that a good word is bad; with no weight they teach nothing."""
    source = write(tmp_path / "posts.ndjson")
    ironic = [
        {
            "id": f"irony{i}",
            "lang": "it",
            "text": f"{GOOD[i % 6]} davvero",
            "sentiment": "negative",
            "irony": True,
        }
        for i in range(24)
    ]
    with source.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in ironic))
    found = []
    for share in (1.0, 0.0):
        out = tmp_path / f"{share}.model"
        train(source, out, settings=Settings(shrink=0.1, irony_share=share))
        found.append(load_scorer(("it",), path=out).score([Post("bello davvero")])[0].label)

    assert ["negative", "positive"] == found
