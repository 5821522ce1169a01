"""PNGs of class ids, from the file to the PNG in the document: numpy says which pixels there are."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.models import Prediction, Refused
from tests.core.sources.converting.support import (
    documents,
    one_scene_each,
    opened,
    scene,
    write_json,
    write_scenes,
)
from tests.core.sources.formats.painted import Found, levels_in, names_in, png_of

DATA = Path(__file__).parent / "data"
HEIGHT, WIDTH = 24, 40
CLASSES = {"2": "Car", "9": "Person"}
BACKGROUND = "_background"


def image(**rectangles: tuple[int, int, int, int]) -> Any:
    """An image of zeros with rectangles `_9=(left, top, right, bottom)` of other numbers."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint16)
    for number, (left, top, right, bottom) in rectangles.items():
        pixels[top:bottom, left:right] = int(number[1:])
    return pixels


def of_pngs(folder: Path, pngs: dict[str, bytes], **options: Any) -> tuple[dict[str, Found], Any]:
    """The documents of a folder of PNGs, by key, and the counts; each PNG is a scene of its own."""
    place = folder / "masks"
    place.mkdir(exist_ok=True)
    for name, png in pngs.items():
        (place / f"{name}.png").write_bytes(png)
    sizes = options.pop("sizes", {})
    given = {"format": "masks", "classes": CLASSES} | options
    source = opened(place, one_scene_each(folder, pngs, **sizes), **given)
    found = documents(source)
    return {key: found[scene(n)] for n, key in enumerate(pngs) if scene(n) in found}, source.counts


def named(pixels: Any, names: dict[int, str]) -> Any:
    """The names of an image's numbers."""
    return np.vectorize(lambda number: names.get(int(number), BACKGROUND), otypes=[object])(pixels)


def check_cityscapes(folder: Path) -> None:
    """Hold the two numbers that Cityscapes has for each class apart.

    A car is 26 or 13, road 7 or 0: `json2labelImg.py` of cityscapesScripts draws them so.
    """
    areas = {"road": (0, 12, 40, 24), "car": (5, 14, 16, 20)}
    for label_ids, numbers in (("labelIds", {"road": 7, "car": 26}), ("trainIds", {"road": 0, "car": 13})):
        pixels = np.full((HEIGHT, WIDTH), 0 if label_ids == "labelIds" else 255, np.uint8)
        expected = np.full((HEIGHT, WIDTH), BACKGROUND, object)
        for name, (left, top, right, bottom) in areas.items():
            pixels[top:bottom, left:right] = numbers[name]
            expected[top:bottom, left:right] = {"road": "Road", "car": "PassengerCar"}[name]
        found, counts = of_pngs(
            folder,
            {"street": png_of(pixels)},
            classes={"car": "PassengerCar", "road": "Road"},
            arguments={"label_ids": label_ids},
        )
        assert counts.is_clean
        assert (names_in(found["street"]) == expected).all()
        assert counts.skipped == {"background": 1}


def check_scaled(folder: Path) -> None:
    """Hold an image that is brought to another size to what numpy says."""
    pixels = image(_2=(3, 4, 20, 13), _9=(10, 8, 33, 24)).astype(np.uint8)
    for height, width in ((48, 120), (12, 20), (31, 17)):
        found, _ = of_pngs(
            folder,
            {"a": png_of(pixels)},
            sizes={"image_width": width, "image_height": height},
            arguments={"scale": "nearest"},
        )
        ys = np.floor((np.arange(height) + 0.5) * HEIGHT / height).astype(int)
        xs = np.floor((np.arange(width) + 0.5) * WIDTH / width).astype(int)
        expected = named(pixels[np.ix_(ys, xs)], {2: "Car", 9: "Person"})
        assert (names_in(found["a"]) == expected).all()


def test_the_number_of_a_pixel_is_its_class(tmp_path: Path) -> None:
    """Of greyscale with 8 and 16 bits, and of a palette; of a folder, and compressed."""
    pixels = image(_2=(3, 4, 20, 13), _9=(10, 8, 33, 24))
    palette = [0, 0, 0, 9, 9, 9, 200, 0, 0] + [7] * 21
    pngs = {
        "eight": png_of(pixels.astype(np.uint8)),
        "sixteen": png_of(pixels),
        "palette": png_of(pixels.astype(np.uint8), palette=palette),
    }
    found, counts = of_pngs(tmp_path, pngs)
    assert counts.is_clean
    assert counts.taken == 6
    for key in pngs:
        assert (names_in(found[key]) == named(pixels, {2: "Car", 9: "Person"})).all()
        assert found[key]["ontologies"]["0"]["classifications"] == {
            "0": BACKGROUND,
            "1": "Car",
            "2": "Person",
        }
    packed = tmp_path / "eight.png.gz"
    packed.write_bytes(gzip.compress(pngs["eight"]))
    one = documents(opened(packed, one_scene_each(tmp_path, ["eight"]), format="masks", classes=CLASSES))
    assert (levels_in(one[scene(0)]) == levels_in(found["eight"])).all()


def test_colours_are_what_the_table_says(tmp_path: Path) -> None:
    """In RGB, in RGBA without transparency, and in a palette; classes by name or number, many to one."""
    colours = {"#000000": "_background", "128, 64, 128": "road", "0 0 142": 26, "#0000e6": 26}
    table = write_json(tmp_path / "colours.json", colours)
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    expected = np.full((HEIGHT, WIDTH), BACKGROUND, object)
    for colour, name, rows in (
        ((128, 64, 128), "Road", slice(12, 24)),
        ((0, 0, 142), "Car", slice(3, 6)),
        ((0, 0, 230), "Car", slice(6, 7)),
    ):
        pixels[rows, 5:30] = colour
        expected[rows, 5:30] = name
    palette = [0, 0, 0, 128, 64, 128, 0, 0, 142, 0, 0, 230]
    # Of the last band the four values differ.
    indices = np.select([pixels[..., 2] == blue for blue in palette[2::3]], range(4))
    pngs = {
        "rgb": png_of(pixels),
        "rgba": png_of(pixels, "RGBA"),
        "palette": png_of(indices.astype(np.uint8), palette=palette),
    }
    found, counts = of_pngs(
        tmp_path, pngs, classes={"road": "Road", "26": "Car"}, arguments={"colours": table}
    )
    assert counts.is_clean
    for key in pngs:
        assert (names_in(found[key]) == expected).all()
    without, counts = of_pngs(tmp_path, {"rgb": pngs["rgb"]})
    assert without == {"rgb": "bad_row"}
    assert "without a table" in counts.named["broken_png"][0]


def test_names_of_colours_are_classes_without_a_classes_file(tmp_path: Path) -> None:
    table = write_json(tmp_path / "colours.json", {"#000000": "_background", "#010203": "Road"})
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[3:9, 4:30] = 1, 2, 3
    found, counts = of_pngs(tmp_path, {"a": png_of(pixels)}, classes=None, arguments={"colours": table})
    assert counts.is_clean
    assert (names_in(found["a"]) == np.where(pixels[..., 0] > 0, "Road", BACKGROUND)).all()


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"[1]", "no object of colours"),
        (b"{}", "no object of colours"),
        (b"{", "no JSON"),
        (b'{"red": 1}', "no colour"),
        (b'{"300, 0, 0": 1}', "no colour"),
        (b'{"#000000": null}', "and its class"),
        (b'{"#000000": 1, "0 0 0": 2}', "more than once"),
    ],
)
def test_a_table_that_is_none_says_so(tmp_path: Path, raw: bytes, says: str) -> None:
    (tmp_path / "colours.json").write_bytes(raw)
    with pytest.raises(KognicInputError, match=says):
        of_pngs(tmp_path, {"a": png_of(image())}, arguments={"colours": tmp_path / "colours.json"})


def test_label_ids_and_colours_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(KognicInputError, match="give one of them"):
        of_pngs(tmp_path, {"a": b""}, arguments={"colours": tmp_path / "c", "label_ids": "trainIds"})


def test_the_numbers_of_cityscapes_are_held_apart(tmp_path: Path) -> None:
    check_cityscapes(tmp_path)


def test_label_ids_that_are_said_to_be_train_ids_are_refused(tmp_path: Path) -> None:
    """The whole image: its other numbers mean something else, too."""
    pixels = image(_7=(0, 12, 40, 24), _26=(5, 14, 16, 20)).astype(np.uint8)
    found, counts = of_pngs(
        tmp_path, {"a": png_of(pixels)}, classes={"*": "Thing"}, arguments={"label_ids": "trainIds"}
    )
    assert found == {"a": "bad_row"}
    assert counts.refused == {"wrong_label_ids": 1}
    (text,) = counts.named["wrong_label_ids"]
    assert text.startswith(f"{tmp_path / 'masks' / 'a.png'}, key a: ")
    assert "Are these labelIds?" in text


def test_images_that_cityscapes_draws_have_the_classes_that_it_says(tmp_path: Path) -> None:
    """A road and two cars: how many pixels of each the four images have is what cityscapesScripts printed."""
    canvas = Image.new("I", (60, 40), 0)
    draw = ImageDraw.Draw(canvas)
    for at, polygon in enumerate(
        (
            [(0, 20), (59, 20), (59, 39), (0, 39)],
            [(5, 22), (20, 22), (20, 30), (5, 30)],
            [(30, 22), (45, 22), (45, 30), (30, 30)],
        ),
        1,
    ):
        draw.polygon(polygon, fill=at)
    drawn = np.asarray(canvas)
    colours = np.array([(0, 0, 0, 255), (128, 64, 128, 255), (0, 0, 142, 255), (0, 0, 142, 255)], np.uint8)
    table = write_json(
        tmp_path / "colours.json", {"#000000": BACKGROUND, "#804080": "road", "#00008e": "car"}
    )
    cases: tuple[tuple[Any, dict[str, Any]], ...] = (
        (np.array([0, 7, 26, 26], np.uint8)[drawn], {"label_ids": "labelIds"}),
        (np.array([255, 0, 13, 13], np.uint8)[drawn], {"label_ids": "trainIds"}),
        (np.array([0, 7, 26000, 26001], np.uint16)[drawn], {"label_ids": "labelIds"}),
        (colours[drawn], {"colours": table}),
    )
    for pixels, arguments in cases:
        found, counts = of_pngs(
            tmp_path, {"a": png_of(pixels)}, classes={"road": "Road", "car": "Car"}, arguments=arguments
        )
        assert counts.is_clean
        names, areas = np.unique(names_in(found["a"]).astype(str), return_counts=True)
        assert dict(zip(names.tolist(), areas.tolist(), strict=True)) == {
            BACKGROUND: 1200,
            "Road": 912,
            "Car": 288,
        }


def test_instances_of_cityscapes_become_their_classes(tmp_path: Path) -> None:
    pixels = image(_7=(0, 12, 40, 24), _26000=(5, 14, 16, 20), _26001=(20, 14, 30, 20))
    found, counts = of_pngs(
        tmp_path,
        {"a": png_of(pixels)},
        classes={"26": "Car", "road": "Road"},
        arguments={"label_ids": "labelIds"},
    )
    assert counts.taken == 3
    assert (names_in(found["a"]) == named(pixels, {7: "Road", 26000: "Car", 26001: "Car"})).all()


def test_numbers_are_scaled_where_that_is_asked_for(tmp_path: Path) -> None:
    check_scaled(tmp_path)


def test_another_size_is_refused_with_both_otherwise(tmp_path: Path) -> None:
    found, counts = of_pngs(
        tmp_path,
        {"a": png_of(image(_2=(1, 1, 9, 9)))},
        sizes={"image_width": HEIGHT, "image_height": WIDTH},
    )
    assert found == {"a": "bad_row"}
    (text,) = counts.named["mask_size"]
    assert "40 x 24 pixels does not fit an image of 24 x 40" in text


def test_unknown_numbers_are_what_unknown_class_says(tmp_path: Path) -> None:
    """The others go up, and what is left out is background."""
    pixels = image(_2=(3, 4, 20, 13), _9=(10, 8, 33, 24), _77=(30, 0, 40, 5))
    png = {"a": png_of(pixels)}
    known = {2: "Car", 9: "Person"}
    for unknown, names in (("error", known), ("skip", known), ("keep", known | {77: "77"})):
        found, counts = of_pngs(tmp_path, png, unknown_class=unknown)
        assert (names_in(found["a"]) == named(pixels, names)).all()
        assert counts.refused.get("unknown_class", 0) == (unknown == "error")
        assert counts.skipped["unknown_class"] == (unknown == "skip")
    found, _ = of_pngs(tmp_path, png, classes_only=["Person"])
    assert (names_in(found["a"]) == named(pixels, {9: "Person"})).all()


def test_zero_is_background_unless_the_classes_file_names_it(tmp_path: Path) -> None:
    """Also before `"*"`; what a network trained without a background writes has a class for it."""
    pixels = image(_2=(3, 4, 20, 13))
    for classes, names in (
        ({"2": "Car"}, {2: "Car"}),
        ({"*": "Car"}, {2: "Car"}),
        ({"2": "Car", "0": "Road"}, {2: "Car", 0: "Road"}),
        ({"2": "Car", "0": "_background"}, {2: "Car"}),
    ):
        found, counts = of_pngs(tmp_path, {"a": png_of(pixels)}, classes=classes)
        assert counts.is_clean
        assert (names_in(found["a"]) == named(pixels, names)).all()


def test_an_image_of_background_is_an_empty_scene(tmp_path: Path) -> None:
    pngs = {"a": png_of(image()), "b": png_of(image(_2=(1, 1, 5, 5)))}
    found, counts = of_pngs(tmp_path, pngs)
    assert list(found) == ["b"]
    assert counts.empty_scenes == 1
    assert counts.unseen_keys == 0
    found, _ = of_pngs(tmp_path, pngs, empty_scenes="send")
    assert found["a"]["frames"]["0"]["objects"] == {}


def test_two_files_of_one_key_are_named(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.png.gz").write_bytes(gzip.compress(png_of(image(_9=(1, 1, 5, 5)))))
    found, counts = of_pngs(tmp_path, {"a": png_of(image(_2=(1, 1, 5, 5)))})
    assert "Car" in names_in(found["a"])
    assert counts.refused == {"duplicate_key": 1}
    assert "a.png.gz, key a: " in counts.named["duplicate_key"][0]


def test_a_file_without_a_scene_is_named_and_not_read(tmp_path: Path) -> None:
    place = tmp_path / "masks"
    place.mkdir()
    (place / "nobody.png").write_bytes(b"no PNG")
    _, counts = of_pngs(tmp_path, {"a": png_of(image(_2=(1, 1, 5, 5)))})
    assert counts.refused == {"no_scene": 1}
    assert "nobody.png" in counts.named["no_scene"][0]


def test_a_file_that_changes_before_it_is_painted_refuses_its_document(tmp_path: Path) -> None:
    """What was counted is what is sent."""
    png = tmp_path / "a.png"
    png.write_bytes(png_of(image(_2=(1, 1, 5, 5))))
    (tmp_path / "b.png").write_bytes(png.read_bytes())
    table = one_scene_each(tmp_path, ["a", "b"])
    a, b = (
        entry
        for entry in opened(tmp_path, table, format="masks", classes=CLASSES)
        if isinstance(entry, Prediction)
    )
    png.write_bytes(png_of(image(_2=(1, 1, 5, 6))))
    (tmp_path / "b.png").unlink()
    with pytest.raises(Refused, match="has changed since it was read"):
        a.read()
    with pytest.raises(Refused, match=r"b\.png"):
        b.read()


def test_a_table_may_name_several_cameras(tmp_path: Path) -> None:
    rows = [
        {"key": key, "scene_uuid": scene(0), "stream": stream}
        for key, stream in (("l", "LEFT"), ("r", "RIGHT"))
    ]
    table = write_scenes(tmp_path / "s.csv", rows)
    pixels = {"l": image(_2=(1, 1, 5, 5)), "r": image(_9=(2, 2, 30, 9))}
    for key, one in pixels.items():
        (tmp_path / f"{key}.png").write_bytes(png_of(one))
    (found,) = documents(opened(tmp_path, table, format="masks", classes=CLASSES)).values()
    assert (names_in(found, "LEFT") == named(pixels["l"], {2: "Car"})).all()
    assert (names_in(found, "RIGHT") == named(pixels["r"], {9: "Person"})).all()


def test_a_folder_may_have_any_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also one that is no text of UTF-8: receipts cannot name it, so it is refused, and nothing crashes."""
    place = tmp_path / os.fsdecode(b"m\xe4sks")
    try:
        place.mkdir()
    except OSError:
        pytest.skip("the file system has names of UTF-8 only")
    (place / "a.png").write_bytes(png_of(image(_2=(1, 1, 5, 5))))
    table = one_scene_each(tmp_path, ["a"])
    with caplog.at_level("INFO"):
        source = opened(place, table, format="masks", classes=CLASSES)
    assert (source.counts.is_clean, source.counts.taken) == (True, 1)
    assert documents(source) == {scene(0): "unreadable"}
    assert r"/m\udce4sks:" in caplog.text


def test_it_is_recognised_where_it_is_certain(tmp_path: Path) -> None:
    """Greyscale and palettes; not colours, which may be COCO's panoptic ones."""
    table = one_scene_each(tmp_path, ["a"])
    for pixels in (image(_2=(1, 1, 5, 5)), image(_2=(1, 1, 5, 5)).astype(np.uint8)):
        (tmp_path / "a.png").write_bytes(png_of(pixels))
        assert len(documents(opened(tmp_path / "a.png", table, format=None, classes=CLASSES))) == 1
    for other in (
        png_of(np.zeros((4, 5, 3), np.uint8)),
        png_of(np.zeros((4, 5), bool)),
        b"\x89PNG\r\n\x1a\n",
    ):
        (tmp_path / "a.png").write_bytes(other)
        with pytest.raises(KognicInputError, match="cannot be told for certain"):
            opened(tmp_path / "a.png", table, format=None)


def test_the_bytes_of_a_document_are_kept() -> None:
    """Other bytes for the same input would make every finished upload a changed one."""
    source = opened(
        DATA / "masks", DATA / "scenes_of_masks.csv", classes=DATA / "classes_of_masks.json", format="masks"
    )
    (entry,) = (entry for entry in source if isinstance(entry, Prediction))
    assert entry.source == f"{DATA / 'masks'}#street"
    assert entry.read() == (DATA / "masks_documents" / f"{entry.scene_uuid}.json").read_bytes()
    assert json.loads(entry.read())
