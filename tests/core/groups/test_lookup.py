"""Which group is meant."""

import pytest

from airflow_provider_kognic.core.api.client import KognicClient
from airflow_provider_kognic.core.api.dataset_api.records import PredictionsGroup
from airflow_provider_kognic.core.errors import KognicNotFoundError
from airflow_provider_kognic.core.groups.lookup import find_group, of_name, of_uuid, uuids_of
from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.testing import Emulator
from tests.core.support import UUID, settings_for

GROUPS = [PredictionsGroup("B" * 8, "night"), PredictionsGroup("a" * 8, "night"), PredictionsGroup("c", "")]


def test_a_group_is_found_in_its_dataset_only(emulator: Emulator, group: str) -> None:
    """By its uuid in any case; an unknown dataset is an error, not a group that is not there."""
    with KognicClient(settings_for(emulator)) as client:
        for given in (group, group.upper()):
            found = find_group(client, demo.DATASET_UUID, given)
            assert found is not None
            assert found.uuid == group
        assert find_group(client, demo.SEGMENTATION_DATASET_UUID, group) is None
        assert find_group(client, demo.DATASET_UUID, UUID) is None
        with pytest.raises(KognicNotFoundError):
            find_group(client, UUID, group)


def test_a_uuid_names_one_a_name_may_name_several() -> None:
    assert of_uuid(GROUPS, "b" * 8) is GROUPS[0]
    assert of_uuid(GROUPS, "b") is None
    assert of_name(GROUPS, "night") == GROUPS[:2]
    assert of_name(GROUPS, "Night") == of_name([], "night") == []
    assert uuids_of(GROUPS) == f"{'B' * 8}, {'a' * 8}, c"


def test_a_group_that_a_listing_shows_twice_is_one() -> None:
    """Looked up by its uuid; two groups of one name are two."""
    twice = [PredictionsGroup("b" * 8, "night"), PredictionsGroup("b" * 8, "night")]
    assert of_uuid(twice, "b" * 8) is twice[0]
