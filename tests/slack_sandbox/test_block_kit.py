import pytest

from sentinel.slack_sandbox.block_kit import problems, total_text


def plain(text: str) -> dict:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict:
    return {"type": "mrkdwn", "text": text}


def option(value: str, text: str = "t") -> dict:
    return {"text": plain(text), "value": value}


def boxes(count: int, **more: object) -> dict:
    options = [option(str(n)) for n in range(count)]
    element = {"type": "checkboxes", "action_id": "a", "options": options, **more}
    return {"type": "actions", "elements": [element]}


def chart(points: int = 2, **more: object) -> dict:
    labels = [str(n) for n in range(points)]
    series = {"name": "s", "data": [{"label": label, "value": 1} for label in labels]}
    drawn = {"type": "line", "series": [series], "axis_config": {"categories": labels}}
    return {"type": "data_visualization", "title": "t", "chart": drawn | more}


FINE = [
    {"type": "header", "text": plain("h" * 150)},
    {"type": "section", "text": mrkdwn("x" * 3000), "fields": [mrkdwn("f" * 2000)] * 10},
    {"type": "context", "elements": [mrkdwn("c")] * 10},
    {"type": "divider"},
    boxes(10),
    boxes(2, initial_options=[option("1")]),
    chart(20),
    {
        "type": "rich_text",
        "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]},
            {
                "type": "rich_text_list",
                "style": "bullet",
                "elements": [
                    {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}
                ],
            },
        ],
    },
]

WRONG = {
    "no array": ("x", "must be an array"),
    "too many blocks": ([{"type": "divider"}] * 51, "no more than 50 items"),
    "no object": (["x"], "must be an object"),
    "unknown type": ([{"type": "carousel"}], "unsupported type: carousel"),
    "same block id": (
        [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}],
        "already exists",
    ),
    "long block id": ([{"type": "divider", "block_id": "a" * 256}], "less than 256"),
    "long header": ([{"type": "header", "text": plain("h" * 151)}], "less than 151"),
    "header in mrkdwn": ([{"type": "header", "text": mrkdwn("h")}], "unsupported type: mrkdwn"),
    "empty text": ([{"type": "section", "text": mrkdwn("")}], "more than 0 characters"),
    "long section": ([{"type": "section", "text": mrkdwn("x" * 3001)}], "less than 3001"),
    "bare section": ([{"type": "section"}], "missing required field"),
    "eleven fields": ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "no more than 10"),
    "empty context": ([{"type": "context", "elements": []}], "no less than 1"),
    "emoji in mrkdwn": (
        [{"type": "section", "text": {**mrkdwn("x"), "emoji": True}}],
        "invalid additional property",
    ),
    "eleven boxes": ([boxes(11)], "no more than 10"),
    "nothing ticked, said so": ([boxes(2, initial_options=[])], "no less than 1"),
    "ticked what is not there": (
        [boxes(2, initial_options=[option("9")])],
        "initial options must match",
    ),
    "same value": (
        [boxes(0, options=[option("1"), option("1")])],
        "duplicate option value",
    ),
    "long option": ([boxes(0, options=[option("1", "t" * 76)])], "less than 76"),
    "long button": (
        [
            {
                "type": "actions",
                "elements": [{"type": "button", "action_id": "a", "text": plain("b" * 76)}],
            }
        ],
        "less than 76",
    ),
    "long value": (
        [
            {
                "type": "actions",
                "elements": [
                    {"type": "button", "action_id": "a", "text": plain("b"), "value": "v" * 2001}
                ],
            }
        ],
        "less than 2001",
    ),
    "same action": (
        [
            {
                "type": "actions",
                "elements": [{"type": "button", "action_id": "a", "text": plain("b")}] * 2,
            }
        ],
        "`action_id` a already exists",
    ),
    "three charts": ([chart(), chart(), chart()], "no more than 2"),
    "long series": ([chart(21)], "no more than 20"),
    "labels that do not match": (
        [chart(2, axis_config={"categories": ["0", "2"]})],
        "labels must match",
    ),
    "long category": ([chart(1, axis_config={"categories": ["c" * 21]})], "less than 21"),
    "unknown chart": ([chart(2, type="radar")], "unsupported type"),
    "empty rich text": ([{"type": "rich_text", "elements": []}], "no less than 1"),
    "odd rich text": (
        [{"type": "rich_text", "elements": [{"type": "rich_text_table"}]}],
        "unsupported type: rich_text_table",
    ),
}


def test_blocks_at_their_limits_are_taken() -> None:
    assert problems(FINE) == []


@pytest.mark.parametrize("name", WRONG)
def test_blocks_beyond_a_limit_are_refused_with_the_reason(name: str) -> None:
    blocks, reason = WRONG[name]
    assert any(reason in problem for problem in problems(blocks)), problems(blocks)


def test_charts_can_be_unknown() -> None:
    assert problems([chart()], charts=False) == [
        "unsupported type: data_visualization [json-pointer:/blocks/0/type]"
    ]


def test_every_text_counts_once() -> None:
    assert total_text([boxes(2, initial_options=[option("1")])]) == 2
    assert total_text([{"type": "header", "text": plain("abc")}]) == 3
