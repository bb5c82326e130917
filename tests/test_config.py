"""``sentinel.toml``: what is taken, and that every refusal names the file and the key."""

from pathlib import Path

import pytest

from sentinel.config import advice, load_config, outline_of, sample
from sentinel.core.playbooks import Role
from sentinel.errors import ConfigError
from sentinel.notify.slack import SlackConfig
from sentinel.sources.push import HttpIngestConfig

BRAND = '[[brands]]\nid = "aurora"\nname = "Pastificio Aurora"\n'
HTTP = '[[sources]]\ntype = "http"\nname = "desk"\ntokens = ["0123456789abcdef"]\n'
PERSON = '[[people]]\nid = "duty"\nname = "Reperibile"\n'


def load(folder: Path, text: str, **environ: str) -> object:
    path = folder / "sentinel.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ)


WRONG = {
    "[sentinle]": ("sentinle", "unknown table; there are: sentinel, web,"),
    "[sentinel]\ndatabse = 'x'": ("sentinel.databse", "unknown key; there are: database, language"),
    "[sentinel]\nlanguage = 'de'": ("sentinel.language", "Invalid enum value 'de'"),
    "[sentinel]\nretention_days = 'long'": ("sentinel.retention_days", "Expected `float`"),
    "[sentinel]\ntimezone = 'Europe/Atlantis'": ("sentinel.timezone", "is no time zone"),
    "[sentinel]\ntimezone = '../../etc/passwd'": ("sentinel.timezone", "is no time zone"),
    "[sentinel]\nlog_level = 'loud'": ("sentinel.log_level", "Invalid enum value"),
    "sentinel = 3": ("sentinel", "Expected `object`"),
    "brands = 3": ("brands", r"must be a list: write \[\[brands\]\]"),
    "sources = 'bluesky'": ("sources", r"must be a list: write \[\[sources\]\]"),
    "brands = ['aurora']": (r"brands[0]", "Expected `object`"),
    "notifiers = ['slack']": ("notifiers[0].type", "must be one of: "),
    "[web]\nport = 70000": ("web.port", "<= 65535"),
    "[web]\nhost = '0.0.0.0'": ("web.token", "set a token, or listen on 127.0.0.1"),
    "[web]\ntoken = 'short'": ("web.token", "at least 16 characters"),
    "[[brands]]\nname = 'Aurora'": ("brands[0].id", "is required"),
    "[[brands]]\nid = 'aurora'": ("brands[0].name", "is required"),
    "[[brands]]\nid = 'Aurora SpA'\nname = 'x'": ("brands[0].id", "lower-case letters"),
    f"{BRAND}terms = 'Aurora'": ("brands[0].terms", "Expected `array`"),
    f"{BRAND}terms = ['Aurora', 'A']": ("brands[0].terms[1]", "at least two characters"),
    f"{BRAND}terms = ['Aurora', 3]": ("brands[0].terms[1]", "Expected `str`"),
    f"{BRAND}budget_days = 0": ("brands[0].budget_days", "between 1 and 3650"),
    f"{BRAND}language = 'fr'": ("brands[0].language", "must be it or en"),
    f"{BRAND}timezone = 'Mars'": ("brands[0].timezone", "is no time zone"),
    f"{BRAND}seen_before = ['gossip']": ("brands[0].seen_before", "'gossip' is no crisis type"),
    f"{BRAND}colour = 'red'": ("brands[0].colour", "unknown key; there are: id, name, terms"),
    f"{BRAND}{BRAND}": ("brands[1].id", "'aurora' is there twice"),
    "[[sources]]\ntype = 'fax'\nname = 'x'": ("sources[0].type", "must be one of: bluesky"),
    "[[sources]]\nname = 'x'": ("sources[0].type", "must be one of: "),
    "[[sources]]\ntype = 'http'": ("sources[0].name", "is required"),
    f"{HTTP}tokns = []": ("sources[0].tokns", "unknown key; there are: name"),
    f"{HTTP}{HTTP}": ("sources[1].name", "'desk' is there twice"),
    f"{HTTP}lateness_seconds = 'soon'": ("sources[0].lateness_seconds", "Expected `float`"),
    "[[notifiers]]\ntype = 'pigeon'": ("notifiers[0].type", "must be one of: console"),
    "[[notifiers]]\ntype = 'slack'\nchannel = 'x'": ("notifiers[0].bot_token", "is required"),
    "[[notifiers]]\ntype = 'slack'\nchannel = 'x'\nbot_token = 'env:NOT_SET'": (
        "notifiers[0].bot_token",
        "environment variable NOT_SET is not set",
    ),
    "[language]\nsecond_opinion_share = 1.5": ("language.second_opinion_share", "between 0 and 1"),
    "[language]\nsecond_opinion_share = nan": ("language.second_opinion_share", "between 0 and 1"),
    "[language]\nthreads = 0": ("language.threads", "between 1 and 256"),
    "[escalation]\nfallback = ['mail']": ("escalation.fallback", "no notifier is called 'mail'"),
    "[escalation]\nafter_minutes = 10": ("escalation.after_minutes", "Expected `array`"),
    f"{PERSON}{PERSON}": ("people[1].id", "'duty' is there twice"),
    f"{PERSON}slack = '@anna'": ("people[0].slack", "is no Slack member id"),
    f"{PERSON}slack = '<!channel>'": ("people[0].slack", "is no Slack member id"),
    f"{PERSON}email = 'anna'": ("people[0].email", "is no e-mail address"),
    PERSON + 'email = "a@b.example\\nBcc: c@d.example"': ("people[0].email", "is no e-mail address"),
    f"{BRAND}{PERSON}[[duties]]\nroles = ['legal']\npeople = ['duty']\nsegments = ['food']": (
        "duties[0].segments",
        "no brand has the segment 'food'",
    ),
    "[[duties]]\nroles = ['duty-officer']\npeople = ['ghost']": ("duties[0]", "nobody has the id 'ghost'"),
    f"{PERSON}[[duties]]\nroles = ['duty-officer']\npeople = ['duty']\nbrands = ['x']": (
        "duties[0].brands",
        "no brand has the id 'x'",
    ),
    f"{PERSON}[[duties]]\nroles = ['emperor']\npeople = ['duty']": ("duties[0].roles[0]", "Invalid enum value"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[key for key, _ in WRONG.values()])
def test_a_wrong_setting_is_refused_with_file_and_key(tmp_path: Path, text: str) -> None:
    key, message = WRONG[text]
    with pytest.raises(ConfigError, match=message) as refused:
        load(tmp_path, text)
    assert (tmp_path / "sentinel.toml", key) == (refused.value.path, refused.value.key)
    assert str(refused.value).startswith(f"{tmp_path / 'sentinel.toml'}: {key}: ")
    said = str(refused.value).removeprefix(f"{tmp_path / 'sentinel.toml'}: {key}: ")
    assert not said.startswith(key)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[sentinel\n", "line 1"),
        (b"a = 1\na = 2\n", "overwrite"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"name = 'caf\xe9'\n", "utf-8"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_by_name(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    path = tmp_path / "sentinel.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=message) as refused:
        load_config(path)
    assert str(path) in str(refused.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'sentinel init' writes one") as refused:
        load_config(tmp_path / "nowhere.toml")
    assert str(tmp_path / "nowhere.toml") in str(refused.value)


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="directory"):
        load_config(tmp_path)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    config = load_config(_written(tmp_path, ""), {})
    assert (config.brands, config.sources, config.notifiers) == ((), (), ())
    assert config.general.language == "it"
    assert config.database_url() == str(tmp_path / "sentinel.db")
    assert len(advice(config)) == 4


def test_secrets_come_from_the_environment_wherever_they_stand(tmp_path: Path) -> None:
    text = (
        '[web]\ntoken = "env:WEB"\n'
        '[[sources]]\ntype = "http"\nname = "desk"\ntokens = ["env:OLD", "env:NEW"]\n'
        '[[notifiers]]\ntype = "slack"\nchannel = "crisis"\nbot_token = "env:BOT"\n'
    )
    environ = {"WEB": "w" * 20, "OLD": "o" * 20, "NEW": "n" * 20, "BOT": "xoxb-1"}
    config = load_config(_written(tmp_path, text), environ)
    [source], [notifier] = config.sources, config.notifiers
    assert isinstance(source, HttpIngestConfig)
    assert isinstance(notifier, SlackConfig)
    assert config.web.token == "w" * 20
    assert source.tokens == ("o" * 20, "n" * 20)
    assert notifier.bot_token == "xoxb-1"
    with pytest.raises(ConfigError, match="variable NEW is not set") as refused:
        load_config(tmp_path / "sentinel.toml", environ | {"NEW": ""})
    assert refused.value.key == "sources[0].tokens[1]"
    assert "o" * 20 not in str(refused.value)


def test_paths_are_relative_to_the_file_and_urls_are_left_alone(tmp_path: Path) -> None:
    path = _written(tmp_path, '[sentinel]\ndatabase = "data/x.db"\n')
    assert load_config(path, {}).database_url() == str(tmp_path / "data" / "x.db")
    assert outline_of(path).database == str(tmp_path / "data" / "x.db")
    path = _written(tmp_path, '[sentinel]\ndatabase = "sqlite:////var/x.db"\n')
    assert load_config(path, {}).database_url() == "sqlite:////var/x.db"
    assert outline_of(path).database == "sqlite:////var/x.db"


def test_the_place_of_the_database_needs_no_secret(tmp_path: Path) -> None:
    path = _written(tmp_path, '[web]\ntoken = "env:NOT_SET"\n')
    assert outline_of(path).database == str(tmp_path / "sentinel.db")


def test_a_disabled_source_is_kept_and_not_run(tmp_path: Path) -> None:
    config = load_config(_written(tmp_path, f"{HTTP}enabled = false\n"), {})
    assert len(config.sources) == 1
    assert config.enabled_sources() == ()


def test_the_sample_loads_and_watches_two_brands_on_bluesky(tmp_path: Path) -> None:
    config = load_config(_written(tmp_path, sample()), {})
    assert [brand.id for brand in config.brands] == ["aurora", "northwind"]
    assert [source.name for source in config.enabled_sources()] == ["bluesky"]
    assert [notifier.name for notifier in config.notifiers] == ["console"]
    covered = {role for duty in config.rota.duties for role in duty.roles}
    assert set(Role) == covered
    assert advice(config) == []


def test_short_terms_are_advised_against_unless_words_are_required(tmp_path: Path) -> None:
    text = f"{BRAND}terms = ['Sole']\n"
    assert any(
        "'Sole' is short" in one for one in advice(load_config(_written(tmp_path, text), {}))
    )
    text += "require = ['pasta']\n"
    found = advice(load_config(_written(tmp_path, text), {}))
    assert not any("is short" in one for one in found)


def _written(folder: Path, text: str) -> Path:
    path = folder / "sentinel.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_duty_for_a_segment_holds_for_its_brands(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        f"{BRAND}segment = 'food'\n"
        '[[brands]]\nid = "northwind"\nname = "Northwind Coffee"\n'
        f"{PERSON}slack = 'U0123ABCD'\nemail = 'duty@example.org'\n"
        "[[duties]]\nroles = ['legal']\npeople = ['duty']\nsegments = ['food']\n",
    )
    held = {one.id: config.rota.on_call(Role.LEGAL, one.id, 0.0) for one in config.brands}
    assert {"aurora": config.rota.people[0], "northwind": None} == held
