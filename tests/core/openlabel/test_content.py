"""The least that is asked of a document."""

import pytest

from airflow_provider_kognic.core.models import Refused
from airflow_provider_kognic.core.openlabel import check
from airflow_provider_kognic.core.openlabel.content import check_content


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'\xef\xbb\xbf{"openlabel": {}}', "not_json"),
        (b'{"openlabel": "\xff"}', "not_json"),
        (b'{"openlabel": ' + b"[" * 100_000, "not_json"),
        (b"[]", "no_openlabel"),
        (b"{}", "no_openlabel"),
        (b'{"openlabel": 1}', "no_openlabel"),
    ],
)
def test_the_content_check_asks_for_little(document: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        check_content(document)
    assert caught.value.reason == reason
    assert not check(document).valid


def test_the_content_check_takes_anything_with_an_object_openlabel() -> None:
    check_content(b'{"openlabel": {"anything": 1}}')
