"""What a preview tells of many documents, which ones it draws, and with what lies beside them."""

import json
import math
import random
import struct
import threading
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_kognic.core.errors import KognicInputError, KognicStoreError
from airflow_provider_kognic.core.geometry import Cuboid
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.preview.beside import IMAGES, POINTS, Beside, dots_of, picture_of
from airflow_provider_kognic.core.preview.page import MOST_CHARACTERS, Look, page_of
from airflow_provider_kognic.core.preview.sampled import SampledSource
from airflow_provider_kognic.core.preview.survey import Survey
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.opening import open_source
from tests.drawing.pages import check_harmless, document
from tests.drawing.test_drawing import odd_documents


def scene(number: int) -> str:
    return str(uuid.UUID(int=number + 1))


def entry(number: int, content: bytes) -> Prediction:
    return Prediction(scene(number), f"/docs/{scene(number)}.json", lambda: content)


def cuboids(many: int, *, yaw: float = math.pi / 2, length: float = 4.5, width: float = 1.9) -> bytes:
    """A document of cars in a row."""
    rows = [Cuboid.from_yaw((4.0 * n, 20, 0), yaw, length, width, 1.6).to_kognic() for n in range(many)]
    return document([("cuboid", list(row)) for row in rows])


def survey_of(contents: list[bytes], wanted: int = 4) -> Survey:
    survey = Survey(wanted)
    for number, content in enumerate(contents):
        survey.look(number + 1, entry(number, content), content)
    return survey


def test_the_fullest_the_first_the_last_and_the_emptiest_are_drawn() -> None:
    survey = survey_of([cuboids(many) for many in (3, 2, 9, 1, 4)])
    assert [(one.scene_uuid, one.why) for one in survey.chosen()] == [
        (scene(2), "fullest"),
        (scene(0), "first"),
        (scene(4), "last"),
        (scene(3), "emptiest"),
    ]
    assert (survey.documents, survey.geometries, survey.empty) == (5, 19, 0)


def test_the_order_in_which_documents_are_read_changes_nothing() -> None:
    """Also where several threads read at the same time."""
    contents = [cuboids(random.Random(number).randrange(0, 9)) for number in range(40)]
    expected = survey_of(contents, 6)
    survey = Survey(6)
    shuffled = list(enumerate(contents))
    random.Random(7).shuffle(shuffled)

    def read(part: list[tuple[int, bytes]]) -> None:
        for number, content in part:
            survey.look(number + 1, entry(number, content), content)

    threads = [threading.Thread(target=read, args=(shuffled[at::4],)) for at in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.position for one in survey.chosen()] == [one.position for one in expected.chosen()]
    assert survey.classes["Car"].looks == expected.classes["Car"].looks
    assert survey.classes["Car"].length.value == expected.classes["Car"].length.value


def test_scenes_that_are_asked_for_are_drawn() -> None:
    survey = Survey(2, scenes={scene(1), scene(77)})
    for number in range(3):
        survey.look(number + 1, entry(number, cuboids(1)), cuboids(1))
    assert [one.scene_uuid for one in survey.chosen()] == [scene(1)]
    assert f"there is no document of scene {scene(77)}" in survey.doubts()


@pytest.mark.parametrize("wanted", [0, -1, 101])
def test_a_page_has_room_for_some(wanted: int) -> None:
    with pytest.raises(KognicInputError, match="1 to 100"):
        Survey(wanted)


def test_sizes_are_medians_and_headings_are_told_by_their_sides() -> None:
    contents = [cuboids(1, yaw=math.pi / 2, length=4 + number / 100) for number in range(101)]
    contents += [cuboids(10, yaw=0, length=4.5)]
    car = survey_of(contents).classes["Car"]
    assert car.length.value == pytest.approx(4.5, rel=0.01)
    assert car.width.value == pytest.approx(1.9, rel=0.01)
    assert car.looks == "+y 91 %, +x 9 %"
    assert car.confidences.value == pytest.approx(0.5, rel=0.01)


def test_swapped_sizes_are_doubted() -> None:
    assert not survey_of([cuboids(20)]).doubts()
    (doubt,) = survey_of([cuboids(20, length=1.9, width=4.5)]).doubts()
    assert doubt.startswith("Car: 20 of 20 cuboids are wider than long")


def test_the_frame_of_a_map_a_camera_and_other_units_are_doubted() -> None:
    row = [600.0 * 1000, 9, 0, 0, 0, 0, 1, 2, 4, 1.5]
    assert "in the frame of a map" in survey_of([document([("cuboid", row)] * 6)]).doubts()[0]
    half = math.sqrt(0.5)
    lying = [5, 9, 0, half, 0, 0, half, 2, 4, 1.5]
    assert "lean by more than 45°" in survey_of([document([("cuboid", lying)] * 6)]).doubts()[0]
    assert "in metres?" in survey_of([cuboids(6, length=450, width=190)]).doubts()[0]
    parts = document([("bbox", [0.5, 0.5, 0.1, 0.2])] * 6)
    assert "parts of the image" in survey_of([parts]).doubts()[0]


def test_what_is_wrong_is_counted_and_named(tmp_path: Path) -> None:
    """A document against the rules, one that is no JSON, one that cannot be read, and a name that is no scene."""
    (tmp_path / f"{scene(0)}.json").write_bytes(cuboids(2))
    (tmp_path / f"{scene(1)}.json").write_bytes(document([("bbox", [1, 2, 3, -4])]))
    (tmp_path / f"{scene(2)}.json").write_bytes(b"{")
    (tmp_path / "other.json").write_bytes(b"{}")
    survey = Survey()

    survey.go_through(open_source(tmp_path / "*.json", None, resolve=Path))

    assert (survey.documents, survey.invalid, survey.refused) == (3, 2, Counter({"not_a_uuid": 1}))
    assert any("bbox_size" in one and scene(1) in one for one in survey.named)
    page = check_harmless(page_of(survey, Look("docs")))
    assert "no JSON that can be read" in page.words()
    assert "not_a_uuid: 1" in page.words()


def test_a_document_that_goes_away_is_said_to_have_gone() -> None:
    survey = Survey()

    def gone() -> bytes:
        raise Refused(Reason.UNREADABLE, "it is not there any more.")

    survey.look(1, Prediction(scene(0), "x", gone), cuboids(1))
    assert "it is not there any more." in check_harmless(page_of(survey, Look("docs"))).words()


def test_small_documents_are_not_read_twice_where_they_are_kept() -> None:
    survey = Survey(kept_bytes=len(cuboids(3)))

    def gone() -> bytes:
        raise KognicStoreError("the store does not answer.")

    for number, many in enumerate((3, 30)):
        survey.look(number + 1, Prediction(scene(number), "x", gone), cuboids(many))
    page = check_harmless(page_of(survey, Look("docs")))
    assert len(page.all("g", "cuboid")) == 3
    assert "the store does not answer." in page.words()


def test_a_page_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [cuboids(300) for _ in range(30)]
    survey = survey_of(contents, 30)
    whole = page_of(survey, Look("docs"))
    assert len(whole) < MOST_CHARACTERS
    monkeypatch.setattr("airflow_provider_kognic.core.preview.page.MOST_CHARACTERS", len(whole) // 4)
    page = page_of(survey, Look("docs"))
    assert len(page) < len(whole) / 2
    assert "more, not drawn: the page is large enough" in check_harmless(page).words()


def test_a_very_large_document_is_not_taken_apart() -> None:
    survey = Survey(most_bytes=100)
    survey.look(1, entry(0, cuboids(9)), cuboids(9))
    assert (survey.documents, survey.too_large, survey.chosen()) == (1, 1, [])


def test_a_source_is_seen_as_it_is_read_and_once() -> None:
    survey = Survey()
    refused = Result(scene_uuid=scene(5), source="x", outcome=Refused(Reason.BAD_ROW, "no").outcome)

    class Given:
        total = 3

        def __iter__(self) -> Any:
            return iter([entry(0, cuboids(1)), refused, entry(1, cuboids(2))])

    source = SampledSource(Given(), survey)
    first, second, third = source
    assert source.total == 3
    assert second is refused
    assert isinstance(first, Prediction)
    assert isinstance(third, Prediction)
    assert third.read() == third.read() == cuboids(2)
    assert survey.documents == 1
    assert [one.position for one in survey.chosen()] == [3]


def test_a_survey_that_fails_ends_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    survey = Survey()
    monkeypatch.setattr(survey, "look", lambda *_: 1 / 0)

    class Given:
        total = None

        def __iter__(self) -> Any:
            return iter([entry(0, cuboids(1))])

    (one,) = SampledSource(Given(), survey)
    assert isinstance(one, Prediction)
    assert one.read() == cuboids(1)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("n015/CAM_FRONT/a.jpg", "n015/CAM_FRONT/a.jpg"),
        ("n015/CAM_FRONT/a.jpg", "a.jpg"),
        ("000008", "000008.png"),
        ("142238", "000000142238.jpg"),
        ("0001/5", "0001/000005.png"),
        ("MOT17-02/1", "MOT17-02/img1/000001.jpg"),
        ("token", "CAM/token.jpg"),
        (None, "CAM/7.jpg"),
        (None, "7/CAM.png"),
        (None, "CAM/000007.png"),
        (None, f"{scene(0)}/CAM/7.jpg"),
        (None, f"{scene(0)}/7_CAM.JPG"),
        (None, f"{scene(0)}.jpeg"),
        (None, "CAM/700.webp"),
    ],
)
def test_images_are_found_by_the_names_that_people_give_them(
    key: str | None, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    spot = (scene(0), "7", "CAM")
    beside = Beside(tmp_path, IMAGES, {} if key is None else {spot: key})
    assert beside.find(spot, 700.0) == path
    assert beside.find((scene(1), "8", "CAM2"), None) is None
    assert (beside.found, beside.looked_for) == (1, 2)


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "a/../../secret", "..", "\0", "x" * 5000, ""])
def test_a_key_leads_nowhere_else(key: str, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"")
    folder = tmp_path / "images"
    folder.mkdir()
    spot = (scene(0), "0", "../")
    assert Beside(folder, IMAGES, {spot: key}).find(spot, None) is None


def test_an_image_is_made_smaller_and_is_only_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4000, 1000), (200, 30, 30)).save(path)
    picture = picture_of(path)
    assert not isinstance(picture, str)
    assert (picture.width, picture.height) == (4000, 1000)
    assert picture.href.startswith("data:image/jpeg;base64,")
    assert len(picture.href) < 100_000
    path.write_bytes(b"<svg onload='alert(1)'/>")
    assert "cannot be read" in str(picture_of(path))


def test_points_are_those_of_kitti_and_of_nuscenes(tmp_path: Path) -> None:
    kitti, nuscenes = tmp_path / "a.bin", tmp_path / "a.pcd.bin"
    kitti.write_bytes(struct.pack("<8f", 1, 2, 3, 0, 4, 5, 6, 0))
    nuscenes.write_bytes(struct.pack("<10f", 1, 2, 3, 0, 0, 4, math.nan, 6, 0, 0))
    assert dots_of(kitti) == [(1, 2), (4, 5)]
    assert dots_of(nuscenes) == [(1, 2)]
    kitti.write_bytes(b"abc")
    assert "are not 4 float32 each" in str(dots_of(kitti))
    kitti.write_bytes(struct.pack("<4f", 1, 2, 3, 0) * 200_000)
    assert len(dots_of(kitti)) < 40_000


def test_what_lies_beside_is_drawn_and_what_is_missing_is_said(tmp_path: Path) -> None:
    (tmp_path / "CAM").mkdir()
    Image.new("RGB", (640, 480)).save(tmp_path / "CAM" / "0.jpg")
    (tmp_path / f"{scene(0)}.bin").write_bytes(struct.pack("<8f", 1, 2, 3, 0, 4, 5, 6, 0))
    content = document([("bbox", [100, 100, 50, 50]), ("cuboid", [1, 2, 3, 0, 0, 0, 1, 2, 4, 1.5])])
    survey = survey_of([content])
    page = check_harmless(page_of(survey, Look("docs", images=tmp_path, points=tmp_path)))
    assert len(page.all("image", "photo")) == 1
    assert page.all("path", "dots")[0].attributes["d"].count("M") == 2
    assert "640 x 480 px" in page.words()
    survey = survey_of([content, json.dumps(json.loads(content)).replace("CAM", "LEFT").encode()])
    page = check_harmless(page_of(survey, Look("docs", images=tmp_path)))
    assert "1 of 2 images found; there is none named" in page.words()
    assert POINTS[0] == ".bin"


@given(st.lists(odd_documents(), max_size=4))
@settings(max_examples=60, deadline=None)
def test_nothing_in_documents_ends_a_preview(contents: list[bytes]) -> None:
    survey = survey_of(contents)
    page = check_harmless(page_of(survey, Look("docs", ["a line <b>"], {"<i>": "Car"})))
    assert survey.documents == len(contents)
    assert len(page.all("h2")) >= len(survey.chosen())
