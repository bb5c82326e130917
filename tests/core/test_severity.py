"""The severity's scale: monotone, the same for small and large brands, with its reasons."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.severity import GRAVE_TYPES, Weight, severity
from sentinel.model import CRISIS_TYPES, Direction, Severity


def level(**figures: object) -> Severity:
    return severity(Weight(**figures))[0]  # type: ignore[arg-type]  # figures of a weight


def test_the_scale_has_fixed_points() -> None:
    assert level(excess=2.0, usual=1.0) is Severity.LOW
    assert level(excess=20.0, usual=5.0) is Severity.MEDIUM
    assert level(excess=80.0, usual=5.0) is Severity.HIGH
    assert level(excess=400.0, usual=5.0) is Severity.CRITICAL


def test_the_same_excess_is_worse_for_a_brand_that_is_used_to_less() -> None:
    assert level(excess=60.0, usual=1.0) > level(excess=60.0, usual=200.0)


def test_growth_reach_and_grave_types_each_add_to_it_and_say_so() -> None:
    plain = Weight(excess=18.0, usual=5.0)
    assert severity(plain)[0] is Severity.MEDIUM
    for change, word in (
        ({"doubling_minutes": 10.0}, "doubling 10 min"),
        ({"reach": 2_000_000}, "reach 2000000"),
        ({"kind": "data-breach"}, "type data-breach"),
    ):
        _, reasons = severity(msgspec.structs.replace(plain, **change))
        assert reasons[0].startswith("excess 18 over 5.0")
        assert reasons[1:] == (word,)
    _, reasons = severity(msgspec.structs.replace(plain, doubling_minutes=61.0, kind="boycott"))
    assert len(reasons) == 1


def test_a_grave_type_counts_for_threats_only() -> None:
    weight = Weight(excess=50.0, usual=5.0, kind="product-safety")
    praise = msgspec.structs.replace(weight, direction=Direction.OPPORTUNITY)
    assert len(severity(weight)[1]) == 2
    assert len(severity(praise)[1]) == 1


def test_a_handful_of_posts_is_never_more_than_medium() -> None:
    few = Weight(excess=9.9, usual=0.0, doubling_minutes=1.0, reach=10**9, kind="data-breach")
    assert severity(few)[0] is Severity.MEDIUM
    assert severity(msgspec.structs.replace(few, excess=10.0))[0] > Severity.MEDIUM


def test_grave_types_are_crisis_types() -> None:
    assert set(CRISIS_TYPES) >= GRAVE_TYPES


@given(
    excess=st.floats(-100, 1e6),
    more=st.floats(0, 1e6),
    usual=st.floats(0, 1e5),
    doubling=st.none() | st.floats(0.1, 200),
    reach=st.integers(0, 10**8),
    kind=st.sampled_from(["", *CRISIS_TYPES]),
)
def test_more_excess_is_never_less_severe(
    excess: float, more: float, usual: float, doubling: float | None, reach: int, kind: str
) -> None:
    weight = Weight(excess, usual, doubling, reach=reach, kind=kind)
    worse = msgspec.structs.replace(weight, excess=excess + more)
    assert severity(worse)[0] >= severity(weight)[0]
