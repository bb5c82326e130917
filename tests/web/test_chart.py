from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from sentinel.model import SeriesPoint
from sentinel.web.chart import HEIGHT, WIDTH, chart

numbers = st.floats(allow_nan=True, allow_infinity=True)
points = st.builds(
    SeriesPoint,
    start=st.floats(0, 4e9),
    mentions=st.integers(0, 10**9),
    negative=st.integers(0, 10**9),
    expected=numbers,
)


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own mark-up


@given(st.lists(points, min_size=1, max_size=60), st.booleans())
def test_whatever_the_figures_every_bar_stays_inside_the_picture(
    series: list[SeriesPoint], compact: bool
) -> None:
    picture = drawn(str(chart(series, ["22:40"] * len(series), "title", compact=compact)))
    width, height = map(float, picture.attrib["viewBox"].split()[2:])
    for bar in picture.findall("rect"):
        x, y, w, h = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width + 0.2
        assert y + h <= height + 0.2
    usual = picture.find("polyline")
    assert usual is not None
    for pair in usual.attrib["points"].split():
        assert all(math.isfinite(float(number)) for number in pair.split(","))


def test_the_tallest_bar_is_the_busiest_minute() -> None:
    series = [SeriesPoint(0, n, 0, 1.0) for n in (1, 5, 3)]
    bars = drawn(str(chart(series, ["a", "b", "c"], "title"))).findall("rect")
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights.index(max(heights)) == 1


def test_the_negative_part_is_never_larger_than_the_whole() -> None:
    series = [SeriesPoint(0, 4, 9, 1.0)]
    whole, negative = drawn(str(chart(series, ["a"], "title"))).findall("rect")
    assert whole.attrib["height"] == negative.attrib["height"]


def test_a_label_cannot_break_out_of_the_picture() -> None:
    svg = str(chart([SeriesPoint(0, 1, 0, 1.0)], ["</text><script>"], '"><script>'))
    assert "<script>" not in svg
    assert drawn(svg).attrib["aria-label"] == '"><script>'


def test_without_points_there_is_no_picture() -> None:
    assert str(chart((), (), "title")) == ""


def test_the_picture_has_its_documented_size() -> None:
    svg = drawn(str(chart([SeriesPoint(0, 1, 0, 1.0)], ["a"], "title")))
    assert f"0 0 {WIDTH} {HEIGHT}" == svg.attrib["viewBox"]
