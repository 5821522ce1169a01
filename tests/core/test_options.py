"""What an upload may be told: each value is checked when the record is made."""

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.options import UploadOptions


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "256 MiB", None])
def test_a_limit_that_is_no_number_of_bytes_is_refused(value: object) -> None:
    """Before anything is read."""
    with pytest.raises(KognicInputError, match="max_document_bytes must be"):
        UploadOptions.of(max_document_bytes=value)


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "128 MiB", None])
def test_memory_is_a_number_of_bytes(value: object) -> None:
    """Before anything is read; a document may well be larger."""
    with pytest.raises(KognicInputError, match="max_memory_bytes must be"):
        UploadOptions.of(max_memory_bytes=value)
    assert UploadOptions().max_memory_bytes < UploadOptions().max_document_bytes


def test_the_strict_check_has_a_limit_of_its_own() -> None:
    """What could never pass is said early; without the check it may pass."""
    more = (256 << 20) + 1
    with pytest.raises(KognicInputError, match="validation='off'"):
        UploadOptions.of(max_document_bytes=more)
    assert UploadOptions.of(max_document_bytes=more, validation="off").max_document_bytes == more
    assert UploadOptions.of(max_document_bytes=more - 1).max_document_bytes == more - 1


@pytest.mark.parametrize("value", ["9" * 5000, pytest.param(10**5000, id="digits"), f" {'9' * 5000} "])
def test_more_refusals_than_can_be_counted_may_be(value: object) -> None:
    """Python neither reads nor writes a number of thousands of digits."""
    most = UploadOptions.of(max_failures=value).max_failures
    assert most.allows(10**12, 10**12)
    assert len(str(most)) < 40


@pytest.mark.parametrize("name", ["max_document_bytes", "max_memory_bytes"])
def test_more_bytes_than_there_are_is_no_number_of_bytes(name: str) -> None:
    with pytest.raises(KognicInputError, match=f"{name} must be"):
        UploadOptions.of(**{name: 10**5000})
