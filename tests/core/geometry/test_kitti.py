"""KITTI's calibrations: read as they are written, and exact."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from airflow_provider_kognic.core.geometry import Calibration, Cuboid, cuboid_from_kitti, cuboid_to_kitti
from tests.core.geometry.devkits import calibrations, cases, part, worst

R0 = "R0_rect: 9.999000e-01 1.000000e-02 -1.000000e-02 -1.000000e-02 9.999500e-01 0.000000e+00 1.000000e-02 1.000000e-04 9.999500e-01"  # noqa: E501
TR = "Tr_velo_to_cam: 0 -1 0 0.5 0 0 -1 -0.25 1 0 0 -0.125"
TEXT = f"P0: 7 0 6 0 0 7 1 0 0 0 1 0\n\n{R0}\n{TR} \nTr_imu_to_velo: 1 0 0 0 0 1 0 0 0 0 1 0\n"


def test_it_is_the_rectification_after_the_way_to_the_camera() -> None:
    """In exact fractions; and back by an inverse, as neither matrix is quite a rotation."""
    rectification = [Fraction(n) for n in R0.split()[1:]]
    tr = [Fraction(n) for n in TR.split()[1:]]
    point = (Fraction(80), Fraction(-30), Fraction(2))
    in_camera = [sum(tr[4 * row + k] * point[k] for k in range(3)) + tr[4 * row + 3] for row in range(3)]
    rectified = [float(sum(rectification[3 * row + k] * in_camera[k] for k in range(3))) for row in range(3)]

    calibration = Calibration.parse(TEXT)
    assert calibration.to_rectified.apply((80, -30, 2)) == pytest.approx(rectified, abs=1e-12)
    x, y, z = rectified
    assert calibration.to_velodyne.apply((x, y, z)) == pytest.approx((80, -30, 2), abs=1e-11)
    assert math.hypot(*calibration.to_velodyne.orientation) == pytest.approx(1, abs=1e-15)


def test_there_and_back_is_where_it_was() -> None:
    """Through the devkit's cases, as far as 140 m away."""
    for case in cases("kitti"):
        calibration = calibrations()[case["calibration"]]
        object_ = cuboid_from_kitti(**case["given"])
        again = object_.moved_by(calibration.to_velodyne).moved_by(calibration.to_rectified)
        assert worst(again.corners(), object_.corners()) < 1e-9
        dimensions, location, _ = cuboid_to_kitti(again)
        assert dimensions == pytest.approx(case["given"]["dimensions"], abs=1e-12)
        assert location == pytest.approx(case["given"]["location"], abs=1e-9)


def test_the_shortcut_is_not_it() -> None:
    """A yaw of -(ry + pi / 2), and half the height added to the lidar's z."""
    off = 0.0
    for case in cases("kitti"):
        if case["calibration"] in (0, 1) and max(case["given"]["dimensions"]) < 10:
            calibration = calibrations()[case["calibration"]]
            height, width, length = case["given"]["dimensions"]
            x, y, z = calibration.to_velodyne.apply(case["given"]["location"])
            yaw = -(case["given"]["rotation_y"] + math.pi / 2)
            short = Cuboid.from_yaw((x, y, z + height / 2), yaw, length, width, height)
            exact = cuboid_from_kitti(**case["given"]).moved_by(calibration.to_velodyne)
            off = max(off, worst(short.corners(), exact.corners()))
    assert off > 0.01


def test_the_files_of_tracking_have_other_names() -> None:
    """`R_rect` and `Tr_velo_cam`, without a colon."""
    tracking = TEXT.replace("R0_rect:", "R_rect").replace("Tr_velo_to_cam:", "Tr_velo_cam")
    assert Calibration.parse(tracking.replace("\n", "\r\n")) == Calibration.parse(TEXT)


def test_a_file_of_the_devkits_is_read() -> None:
    text = part("kitti")["cases"][-1]["calibrations"][0]
    assert Calibration.parse(text.rstrip("\n")) == Calibration.parse(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("R0_rect", "R1_rect", "the calibration has neither a row R0_rect nor R_rect"),
        ("Tr_velo_to_cam", "Tr", "the calibration has neither a row Tr_velo_to_cam nor Tr_velo_cam"),
        ("-0.125", "", "the calibration's Tr_velo_to_cam has 11 numbers, not 12 numbers"),
        ("-0.125", "x", "the calibration's Tr_velo_to_cam holds what is no number: .*'x'"),
        ("-0.125", "nan", "the calibration's Tr_velo_to_cam number 12 is nan, not a finite number"),
        ("0 -1 0 0.5", "0 -2 0 0.5", "Tr_velo_to_cam scales or shears: its row 1 has the length 2, not 1"),
        ("9.999000e-01", "-9.999000e-01", "R0_rect shears: its rows 1 and 2 are not at right angles"),
        ("0 -1 0 0.5", "0 1 0 0.5", "Tr_velo_to_cam mirrors: its determinant is -1, not 1"),
    ],
)
def test_what_is_no_calibration_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration.parse(TEXT.replace(old, new))
