import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import ConfigError
from sentinel.web.security import (
    BearerTokens,
    SignatureCheck,
    check_webhook,
    webhook_key,
    webhook_signature,
)

NOW = 1795330863
KEY = b"a fictional key of 32 bytes here"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = b'{"type":"mention.created"}'


def check(**changes: object) -> SignatureCheck:
    sent: dict[str, object] = {
        "message_id": "msg_1",
        "timestamp": str(NOW),
        "signatures": webhook_signature(KEY, "msg_1", NOW, BODY),
        "body": BODY,
        "now": NOW + 60.0,
    }
    return check_webhook([KEY], **(sent | changes))  # type: ignore[arg-type]  # passed through


def test_the_published_algorithm_gives_a_known_signature() -> None:
    # Computed once with openssl: printf 'msg_1.1795330863.%s' "$BODY" | openssl dgst -sha256 -hmac "$KEY" -binary | base64
    expected = "v1,Gx+MCKApYaEW1DG2RmZFVdILZZyXvEb4P2iM+jjkB2c="
    assert webhook_signature(KEY, "msg_1", NOW, BODY) == expected


def test_a_good_signature_is_valid_also_as_one_of_several_and_with_an_old_and_a_new_secret() -> (
    None
):
    good = webhook_signature(KEY, "msg_1", NOW, BODY)
    assert check() is SignatureCheck.VALID
    assert check(signatures=f"v1a,AAAA v1,bm90IHJpZ2h0 {good}") is SignatureCheck.VALID
    outcome = check_webhook(
        [b"another key of at least 24 bytes", KEY],
        message_id="msg_1",
        timestamp=str(NOW),
        signatures=good,
        body=BODY,
        now=NOW,
    )
    assert outcome is SignatureCheck.VALID


@pytest.mark.parametrize("offset", [-301.0, 301.0, 1e9])
def test_a_good_signature_outside_five_minutes_is_stale(offset: float) -> None:
    assert check(now=NOW + offset) is SignatureCheck.STALE


@pytest.mark.parametrize(
    "changes",
    [
        {"body": BODY + b" "},
        {"message_id": "msg_2"},
        {"message_id": ""},
        {"timestamp": str(NOW + 1)},
        {"timestamp": ""},
        {"timestamp": "soon"},
        {"timestamp": "9" * 400},
        {"timestamp": "-5"},
        {"timestamp": "１７９"},
        {"signatures": ""},
        {"signatures": "garbage without a comma"},
        {"signatures": "v1,"},
        {"signatures": "v1,\udcff\udcfe é"},
        {"signatures": "v2," + "A" * 44},
        {"signatures": webhook_signature(KEY, "msg_1", NOW, BODY).replace("v1,", "v1a,")},
    ],
)
def test_anything_else_is_invalid_and_never_raises(changes: dict[str, object]) -> None:
    assert check(**changes) is SignatureCheck.INVALID


@given(st.text(), st.text(), st.text(), st.binary())
def test_no_header_makes_the_check_raise(
    message_id: str, timestamp: str, signatures: str, body: bytes
) -> None:
    try:
        message_id.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return  # headers are decoded with surrogateescape: other surrogates cannot come
    outcome = check(message_id=message_id, timestamp=timestamp, signatures=signatures, body=body)
    assert outcome is SignatureCheck.INVALID


@pytest.mark.parametrize("secret", ["whsec_short", "whsec_" + "A" * 200, "", "not base64 at all!"])
def test_a_bad_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        webhook_key(secret, key="sources.web.webhook_secrets")
    assert "sources.web.webhook_secrets" in str(caught.value)
    assert not secret or secret not in str(caught.value)


def test_a_secret_is_read_with_and_without_its_prefix() -> None:
    assert webhook_key(SECRET) == webhook_key(SECRET.removeprefix("whsec_")) == KEY


def test_a_bearer_token_is_found_with_its_owner_and_only_as_bearer() -> None:
    tokens = BearerTokens([("a" * 20, "web"), ("b" * 20, "crm"), ("c" * 20, "crm")])
    assert [
        tokens.owner(header)
        for header in (
            "Bearer " + "a" * 20,
            "bearer  " + "c" * 20 + " ",
            "Bearer " + "a" * 19,
            "Basic " + "a" * 20,
            "a" * 20,
            "",
            "Bearer \udcff",
        )
    ] == ["web", "crm", None, None, None, None, None]


@pytest.mark.parametrize("owners", [[("short", "web")], [("s" * 20, "web"), ("s" * 20, "crm")]])
def test_weak_or_shared_tokens_are_refused_without_being_repeated(
    owners: list[tuple[str, str]],
) -> None:
    with pytest.raises(ConfigError) as caught:
        BearerTokens(owners)
    assert owners[0][0] not in str(caught.value).replace("sources", "")
