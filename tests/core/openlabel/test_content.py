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


@pytest.mark.parametrize("before", [0, 1 << 20, (1 << 20) - 40, (3 << 20) + 7])
def test_it_says_where_a_document_is_no_utf_8(before: int) -> None:
    """However far in it is: a long one is looked through in pieces, and a character may lie on two of them."""
    good = b'{"openlabel": {"text": "' + "\u65e5".encode() * (before // 3) + b"x" * (before % 3)
    check_content(good + b'"}}')
    with pytest.raises(
        Refused, match=f"decode byte 0xff in position {len(good)}: invalid start byte"
    ) as caught:
        check_content(good + b'\xff"}}')
    assert caught.value.reason == "not_json"
    cut = good + b"\xe6\x97"  # the last character is not whole
    with pytest.raises(Refused, match=f"in position {len(good)}"):
        check_content(cut + b'"}}')
