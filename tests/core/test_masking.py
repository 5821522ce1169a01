"""What is cut out of texts, and what is not."""

import json
from pathlib import Path

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import is_masked, masked, masked_as
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.emulator import demo


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:hunter2@host/a.json", "https://***@host/a.json"),
        ("s3://AKIAX:se/cr+et@bucket/a.json", "s3://***@bucket/a.json"),
        ("s3://AKIAX:123/45@bucket/a.json", None),  # as it may be a port
        ("s3://AKIAX:12345@bucket/a@b:c.json", "s3://***@bucket/a@b:c.json"),
        ("https://h/a?X-Amz-Date=1&X-Amz-Signature=abc", "https://h/a?X-Amz-Date=1&X-Amz-Signature=***"),
        ("https://h/a?x-amz-security-token=t%2F&b=1", "https://h/a?x-amz-security-token=***&b=1"),
        ("https://h/a?X-Goog-Signature=abc#x", "https://h/a?X-Goog-Signature=***#x"),
        (
            "https://a.blob.core.windows.net/c/a?sv=1&sig=abc%3D",
            "https://a.blob.core.windows.net/c/a?sv=1&sig=***",
        ),
        ("https://h/a?AWSAccessKeyId=A&Signature=b", "https://h/a?AWSAccessKeyId=***&Signature=***"),
        ("https://h/a?access_token=b&api_key=c", "https://h/a?access_token=***&api_key=***"),
        ("no 's3://a:secret@b/c', nor \"http://d:e@f\".", "no 's3://***@b/c', nor \"http://***@f\"."),
        (
            "Max retries exceeded with url: /a?sig=abc (Caused",
            "Max retries exceeded with url: /a?sig=*** (Caused",
        ),
        ("GET /a?X-Amz-Signature=abc", "GET /a?X-Amz-Signature=***"),
        ("https://h/a.jsonl?sig=a:b:12: it is cut", "https://h/a.jsonl?sig=***:12: it is cut"),
        ("https://h/a.jsonl?sig=ab:12", "https://h/a.jsonl?sig=***:12"),
        ("s3://connection@bucket/a@b.json", None),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("http://localhost:9000/bucket/a@b.json", None),
        ("http://[::1]:9000/bucket/a@b.json", None),
        ("https://h/a?page=2&monkey=b&x=sig", None),
        ("s3://bucket/a:b@c/d?e.json", None),
        ("/data/a:b@c/d?sig=e.json", None),
        ("file:///data/a:b@c/d?sig=e.json", None),
        ("the key=value of a text, and a:b@c", None),
    ],
)
def test_what_is_masked(text: str, shown: str | None) -> None:
    assert masked(text) == (text if shown is None else shown)
    assert masked(masked(text)) == masked(text)
    if " " not in text:
        assert is_masked(masked(text)) is (shown is not None)


def test_what_a_library_quotes_by_itself() -> None:
    """The id of a connection that it looks for in vain, or what it has decoded."""
    url = "s3://key:se%2Fcret@bucket/a?sig=ab%3Dcd"
    said = "The conn_id `key:se%2Fcret` isn't defined; se/cret; ab=cd; ab%3Dcd; key"
    assert masked_as(said, url) == "The conn_id `***` isn't defined; ***; ***; ***; key"
    assert masked_as(said, "s3://key@bucket/a") == said


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/a.json",
        "https://h/a.json?X-Amz-Signature=cafe",
        "https://h/a.jsonl?sig=cafe:7",
    ],
)
def test_a_receipt_that_keeps_no_secret_is_said_to_lead_nowhere(url: str, tmp_path: Path) -> None:
    """It stands under the same name in the next receipts; and what has an id of a connection is found again."""
    receipts = tmp_path / "failed.jsonl"
    found = "s3://connection@bucket/a.json"
    receipts.write_text(
        "".join(
            json.dumps({"scene_uuid": demo.scene_uuid(number), "source": source}) + "\n"
            for number, source in enumerate([masked(url), found])
        )
    )
    asked: list[str] = []

    def resolve(text: str) -> Path:
        asked.append(text)
        return tmp_path / "not there"

    first, second = open_source(None, receipts, resolve=resolve)
    assert isinstance(first, Result)
    assert (first.source, first.reason) == (masked(url), Reason.UNREADABLE)
    assert "no receipt keeps" in str(first.message)
    assert isinstance(second, Prediction)
    assert asked == [found]


def test_a_manifest_names_its_documents_without_what_their_urls_hide(tmp_path: Path) -> None:
    """They are read from the URL as it is."""
    manifest = tmp_path / "manifest.csv"
    url = "https://user:hunter2@h/a.json?sig=cafe"
    manifest.write_text(f"scene_uuid,path\n{demo.scene_uuid(0)},{url}\n")
    asked: list[str] = []

    def resolve(text: str) -> Path:
        asked.append(text)
        raise ValueError(f"nobody knows {text}, as user:hunter2 is no connection")

    (entry,) = open_source(None, manifest, resolve=resolve)
    assert asked == [url]
    assert isinstance(entry, Result)
    assert "hunter2" not in repr(entry)
    assert "cafe" not in repr(entry)


def test_no_error_and_no_refusal_shows_any() -> None:
    url = "https://user:hunter2@host/a?sig=abcdef"
    for error in (KognicInputError(f"{url} is not there"), Refused(Reason.UNREADABLE, f"{url} is not there")):
        assert str(error) == error.message == "https://***@host/a?sig=*** is not there"
