"""What is drawn of a document, and that nothing in one does more than be drawn."""

import base64
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_kognic.core.geometry import Cuboid
from airflow_provider_kognic.drawing.camera import MOST_DRAWN, Picture
from airflow_provider_kognic.drawing.colours import Colours
from airflow_provider_kognic.drawing.document import MOST_READ, Document
from airflow_provider_kognic.drawing.frames import draw_frame, legend, style

from .pages import Element, check_harmless, document

EVIL = "</title></svg><script>alert('x')</script>\"' onload=alert(1) &\u202e\x00"


def drawn(content: bytes, **more: Any) -> Element:
    """The first frame of a document, drawn, with its legend and its list."""
    read = Document(content)
    frame = read.frame(0)
    colours = Colours(read.classes)
    return check_harmless(legend(read, frame, colours) + draw_frame(read, frame, colours, **more))


def png(levels: list[list[int]], mode: str = "L") -> str:
    """A bitmap as base64."""
    image = Image.new(mode, (len(levels[0]), len(levels)))
    for y, row in enumerate(levels):
        for x, level in enumerate(row):
            image.putpixel((x, y), level)
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def pixels_of(href: str) -> Any:
    """The pixels of a picture in a page, as red, green, blue, alpha."""
    return Image.open(io.BytesIO(base64.b64decode(href.partition(",")[2]))).convert("RGBA").load()


def test_every_shape_is_drawn_once_and_shows_how_sure_it_is() -> None:
    boxes: list[tuple[str, Any]] = [("bbox", [50 * n + 20, 40, 30, 20]) for n in range(7)]
    cuboids: list[tuple[str, Any]] = [("cuboid", [4 * n, 9, 0, 0, 0, 0, 1, 2, 4, 1.5]) for n in range(5)]
    line: list[tuple[str, Any]] = [("poly2d", [1, 2, 3, 4, 5, 6])]

    page = drawn(document([*boxes, *cuboids, *line], confidence=0.873))

    assert len(page.all("g", "box")) == 7
    assert len(page.all("g", "cuboid")) == 5
    assert len(page.all("g", "line")) == 1
    labels = [one.words() for one in page.all("g", "label")]
    assert sum("Car 0.87" in one for one in labels) == 7
    assert sum(".87" in one for one in labels) == 12
    assert [one.attributes["aria-label"] for one in page.all("svg", "above")] == ["from above: 5 cuboids"]


def test_a_box_is_where_its_middle_says() -> None:
    page = drawn(document([("bbox", [100, 50, 40, 20])]))
    (box,) = page.all("g", "box")
    (rect,) = box.all("rect")
    assert [rect.attributes[name] for name in ("x", "y", "width", "height")] == ["80", "40", "40", "20"]


@pytest.mark.parametrize("degrees", [0, 30, 90, 135, 180, 270, 300])
def test_the_front_is_marked_where_the_cuboid_looks(degrees: int) -> None:
    """To scale, and a front turned by a quarter or half a turn would be elsewhere."""
    cuboid = Cuboid.from_yaw((6.0, 15.0, 0.0), math.radians(degrees), 4.6, 1.9, 1.6)

    page = drawn(document([("cuboid", list(cuboid.to_kognic()))]))

    (group,) = page.all("g", "cuboid")
    (front,) = group.all("polygon", "front")
    body = group.all("polygon")[0]
    (x, y), (u, v) = body.middle, front.middle
    assert math.degrees(math.atan2(y - v, u - x)) % 360 == pytest.approx(degrees, abs=1)
    sides = sorted(math.dist(a, b) for a, b in zip(body.points, body.points[1:], strict=False))
    assert math.dist((x, y), (u, v)) == pytest.approx(sides[-1] / 2, rel=0.01)  # of its length, not its width
    assert sides[-1] / sides[0] == pytest.approx(4.6 / 1.9, rel=0.02)


@pytest.mark.parametrize("shift", [0.0, 3.3, 7.9])
def test_the_grid_stays_in_the_picture(shift: float) -> None:
    page = drawn(document([("cuboid", [shift, 2 + shift, 0, 0, 0, 0, 1, 2, 4, 1.5])]))
    (picture,) = page.all("svg", "above")
    _, _, width, height = map(float, picture.attributes["viewbox"].split())
    lines = picture.all("g", "grid")[0].all("line")
    assert lines
    assert all(0 <= float(one.attributes["x2"]) <= width for one in lines)
    assert all(0 <= float(one.attributes["y2"]) <= height for one in lines)


def test_all_of_a_rotation_counts() -> None:
    """A cuboid that stands on its nose is seen from above as one, and is said to lean."""
    half = math.sqrt(0.5)
    page = drawn(document([("cuboid", [0, 0, 0, half, 0, 0, half, 2, 5, 1])]))
    (group,) = page.all("g", "cuboid")
    xs, ys = zip(*group.all("polygon")[0].points, strict=True)
    assert (max(xs) - min(xs)) / (max(ys) - min(ys)) == pytest.approx(2.0, rel=0.01)  # width to height
    assert "1 of 1 cuboid lean by more than 45°" in page.words()


def test_numbers_in_the_frame_of_a_map_are_noticed() -> None:
    far = [("cuboid", [600_000 + 3 * n, 1_600_000, 0, 0, 0, 0, 1, 2, 4, 1.5]) for n in range(4)]
    words = drawn(document([*far])).words()
    assert "m from the origin: are these numbers in the scene's own frame" in words


def test_a_cuboid_far_from_the_others_leaves_the_picture_as_it_is() -> None:
    near: list[tuple[str, Any]] = [("cuboid", [3 * n, 10, 0, 0, 0, 0, 1, 2, 4, 1.5]) for n in range(8)]
    page = drawn(document([*near, ("cuboid", [9e8, 0, 0, 0, 0, 0, 1, 2, 4, 1.5])]))
    (body, *_) = page.all("g", "cuboid")[1].all("polygon")
    assert max(x for x, _ in body.points) - min(x for x, _ in body.points) > 5
    assert "1 cuboid outside of the picture" in page.words()


def test_a_box_outside_of_the_image_is_said() -> None:
    picture = Picture(640, 480, "data:image/png;base64,")
    words = drawn(
        document([("bbox", [10, 10, 5, 5]), ("bbox", [900, 10, 5, 5])]), pictures={"CAM": picture}
    ).words()
    assert "1 box wholly outside of the image" in words
    assert "640 x 480 px" in words


def test_a_bitmap_has_its_classes_colours() -> None:
    levels = {"0": "_background", "1": "Road", "2": {"name": "Sky"}}
    content = document(
        [("image", png([[0, 1, 1, 2], [0, 1, 9, 2]]))],
        type_="segmentation_bitmap",
        ontologies={"0": {"uri": "", "classifications": levels}},
    )
    page = drawn(content)
    (image,) = page.all("image", "bitmap")
    pixels = pixels_of(image.attributes["href"])
    colours = Colours(["Road", "Sky", "_background"])
    assert "#{:02x}{:02x}{:02x}".format(*pixels[1, 0][:3]) == colours.of("Road")
    assert "#{:02x}{:02x}{:02x}".format(*pixels[3, 1][:3]) == colours.of("Sky")
    assert pixels[0, 0][3] < 60 < pixels[1, 0][3]
    assert pixels[2, 1] == (255, 0, 255, 255)
    words = page.words()
    assert "Road 37.5 %" in words
    assert "grey levels without a class, glaring: 9" in words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("!", "a bitmap that cannot be read"),
        (base64.b64encode(b"GIF89a").decode(), "a bitmap that cannot be read"),
        (png([[1, 2]])[:60], "a bitmap that cannot be read"),
        (png([[(1, 2, 3)]], "RGB"), "not 8-bit greyscale, but RGB"),  # type: ignore[list-item]
    ],
)
def test_a_bitmap_that_is_none_is_said_to_be(value: str, said: str) -> None:
    assert said in drawn(document([("image", value)])).words()


def test_a_bitmap_of_another_size_than_its_image_is_noticed() -> None:
    picture = Picture(640, 480, "data:image/png;base64,")
    words = drawn(document([("image", png([[0, 0]]))]), pictures={"CAM": picture}).words()
    assert "the bitmap is 2 x 1, and the image 640 x 480" in words


def test_a_class_has_one_colour() -> None:
    """In whichever company; and no two have the same while there are enough."""
    names = [f"class {number}" for number in range(20)]
    assert len({Colours(names).of(name) for name in names}) == 20
    assert Colours(["Car", "Pedestrian"]).of("Car") == Colours(["Car", "Tree", "Sky"]).of("Car")
    assert Colours(reversed(names)).of("class 3") == Colours(names).of("class 3")


def test_what_a_document_says_stays_text() -> None:
    """Wherever a text may stand."""
    stream = {"name": "stream", "val": EVIL}
    geometry = {"name": EVIL, "val": [1, 2, 3, 4], "attributes": {"text": [stream]}}
    content = {
        "streams": {EVIL: {"type": "camera"}},
        "objects": {EVIL: {"name": EVIL, "type": EVIL}},
        "ontologies": {"0": {"classifications": {"1": EVIL}}},
        "frames": {EVIL: {"objects": {EVIL: {"object_data": {"bbox": [geometry], EVIL: [geometry]}}}}},
    }
    page = drawn(json.dumps({"openlabel": content}).encode())
    assert len(page.all("g", "box")) == 1
    assert "alert('x')" in page.words()
    assert "\u202e" not in page.words()


def test_a_huge_frame_is_drawn_in_part_and_says_so() -> None:
    boxes: list[tuple[str, Any]] = [("bbox", [n % 1900, n % 1000, 10, 10]) for n in range(MOST_READ + 5_000)]
    page = drawn(document(boxes))
    assert len(page.all("g", "box")) == MOST_DRAWN
    words = page.words()
    assert f"{MOST_READ - MOST_DRAWN:,} shapes more, less sure, not drawn" in words
    assert "5,000 geometries more, not read" in words


def test_the_surest_are_drawn() -> None:
    content = json.loads(document([("bbox", [n, 5, 1, 1]) for n in range(MOST_DRAWN + 10)]))
    for number, one in content["openlabel"]["frames"]["0"]["objects"].items():
        one["object_data"]["bbox"][0]["attributes"]["num"][0]["val"] = int(number) / 1000
    page = drawn(json.dumps(content).encode())
    titles = [one.words() for one in page.all("title")]
    assert not [one for one in titles if "object 9 " in one]
    assert [one for one in titles if f"object {MOST_DRAWN + 9} " in one]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b'{"openlabel": NaN}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no 'openlabel'"),
        (b'{"openlabel": 3}', "no 'openlabel'"),
        (b'\xff{"openlabel": {}}', "no JSON"),
    ],
)
def test_what_is_no_document_is_said_to_be_none(content: bytes, problem: str) -> None:
    read = Document(content)
    assert len(read) == 0
    assert problem in str(read.problem)


def test_frames_come_in_the_order_of_time() -> None:
    times: dict[str, Any] = {"9": 300, "10": 100, "b": None, "2": 200, "a": "soon"}
    frames = {key: {"frame_properties": {"timestamp": time}} for key, time in times.items()}
    assert Document(json.dumps({"openlabel": {"frames": frames}}).encode()).frame_ids == [
        "10", "2", "9", "a", "b"
    ]  # fmt: skip


_NUMBERS = st.one_of(
    st.integers(), st.floats(allow_nan=False), st.sampled_from([0, -1, 1e308, 10**30, 1e-320])
)
_ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, st.text(max_size=5), st.just(EVIL)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
_VALUES = st.one_of(
    _ANY, st.lists(_NUMBERS, min_size=4, max_size=4), st.lists(_NUMBERS, min_size=10, max_size=10)
)


@st.composite
def odd_documents(draw: st.DrawFn) -> bytes:
    """Documents in which anything may stand where something else belongs."""
    content = json.loads(
        document(
            [(draw(st.sampled_from(["bbox", "cuboid", "image", "poly2d"])), draw(_VALUES)) for _ in range(3)]
        )
    )
    for _ in range(draw(st.integers(0, 4))):
        place: Any = content
        for _ in range(draw(st.integers(1, 9))):
            if isinstance(place, dict) and place:
                key: Any = draw(st.sampled_from(sorted(place)))
            elif isinstance(place, list) and place:
                key = draw(st.integers(0, len(place) - 1))
            else:
                break
            inner = place[key]
            if not isinstance(inner, (dict, list)) or not inner:
                place[key] = draw(_ANY)
                break
            place = inner
        else:
            if isinstance(place, dict):
                place[draw(st.sampled_from(["objects", "bbox", "val", "attributes", "x"]))] = draw(_ANY)
    return json.dumps(content).encode()


@given(odd_documents())
@settings(max_examples=300, deadline=None)
def test_nothing_in_a_document_ends_a_drawing(content: bytes) -> None:
    """Or makes more of it than elements of ours, with bounded numbers."""
    read = Document(content)
    colours = Colours(read.classes)
    for frame in read.frames():
        for steady in (True, False):
            page = draw_frame(read, frame, colours, dots=[(1.0, 2.0)], steady=steady)
            check_harmless(page + legend(read, frame, colours))
            assert len(page) < 200_000


def test_the_style_loads_nothing() -> None:
    assert "url(" not in style()
    assert "@import" not in style()
