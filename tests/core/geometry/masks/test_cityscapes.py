"""The two numbers of a class of Cityscapes."""

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.geometry.masks.cityscapes import LabelIds


def test_a_car_is_26_or_13() -> None:
    """As in images that cityscapesScripts drew of the same polygons."""
    labels, trained = LabelIds("labelIds").names, LabelIds("trainIds").names
    assert (labels[26], labels[7], labels[0]) == ("car", "road", "unlabeled")
    assert (trained[13], trained[0]) == ("car", "road")
    assert (sorted(labels), sorted(trained)) == (list(range(34)), list(range(19)))
    assert trained[18] == labels[33] == "bicycle"
    assert set(trained.values()) < set(labels.values())


def test_what_cannot_be_these_numbers_is_refused() -> None:
    LabelIds.TRAIN_IDS.check([0, 18, 255])
    LabelIds.LABEL_IDS.check([0, 33, 255])
    with pytest.raises(
        KognicInputError, match=r"pixels of 24, 26, which are no trainIds .* Are these labelIds\?"
    ):
        LabelIds.TRAIN_IDS.check([26, 7, 24])
    with pytest.raises(
        KognicInputError, match=r"pixels of 34, which are no labelIds \(0 to 33, and 255 .*\)\.$"
    ):
        LabelIds.LABEL_IDS.check([34, 7])
    with pytest.raises(KognicInputError, match="26000, which"):
        LabelIds.TRAIN_IDS.check([26_000])
