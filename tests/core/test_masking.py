"""What is cut out of texts, and what is not."""

import json
import time
import traceback
from pathlib import Path

import pytest

from airflow_provider_kognic.core.errors import KognicInputError
from airflow_provider_kognic.core.masking import Quoted, is_masked, masked, masked_as, presentable
from airflow_provider_kognic.core.models import Prediction, Refused, Result
from airflow_provider_kognic.core.reasons import Reason
from airflow_provider_kognic.core.sources.opening import open_source
from airflow_provider_kognic.emulator import demo

_AZURE = ("abfs", "abfss", "az", "wasb", "wasbs")


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
        ("https://u:p@ss@host/x", "https://***@host/x"),
        ("https://u:p@ss@host/a@b", "https://***@host/a@b"),
        ("https://u:p'w@host/x", "https://***@host/x"),
        ('https://u:p"w@host/x', "https://***@host/x"),
        ("https://u:p<w@host/x", "https://***@host/x"),
        ("https://u:p?w@host/x", "https://***@host/x"),
        ("of 'http://localhost:9000','a@b'", None),
        ("https://host:80?mail=a@b", None),
        ("https://h/a?tok%65n=b", "https://h/a?tok%65n=***"),
        ("https://h/a?x=1;token=b", "https://h/a?x=1;token=***"),
        ("https://h/a#access_token=b", "https://h/a#access_token=***"),
        ("of 1https://h/a?sig=b", "of 1https://h/a?sig=***"),
        ("s3://a/b,https://h/a?sig=b", "s3://a/b,https://h/a?sig=***"),
        ("https://h/a?next=https://u:p@h/b?sig=c", "https://h/a?next=https://***@h/b?sig=***"),
        *((f"{scheme}://c@a/b?se=1&sig=c", f"{scheme}://c@a/b?se=1&sig=***") for scheme in _AZURE),
        *(
            (f"https://h/a?x=1&{name}=b&y=2", f"https://h/a?x=1&{name}=***&y=2")
            for name in [
                "private_token",
                "refresh_token",
                "refreshToken",
                "jwt",
                "code",
                "auth",
                "authorization",
                "auth_code",
                "subscription-key",
                "Ocp-Apim-Subscription-Key",
                "x-functions-key",
                "x-api-key",
                "apikey",
                "pass",
                "user_pass",
                "passphrase",
                "pwd",
                "hmac",
                "x-oss-signature",
                "x-cos-security-token",
                "OSSAccessKeyId",
                "auth_key",
                "wsSecret",
                "__token__",
                "hdnts",
                "md5",
                "secret",
                "client_assertion",
                "id_token",
                "auth[token]",
                "url_sig",
                "sas",
                "bearer",
                "ticket",
                "jsessionid",
                "key",
            ]
        ),
        *(
            (f"https://h/a?{name}=b", None)
            for name in [
                "monkey",
                "country_code",
                "status_code",
                "render_pass",
                "sort_key",
                "object_key",
                "session",
                "author",
            ]
        ),
        ("https://ghp_0123456789@host/a.json", "https://***@host/a.json"),
        ("HTTP://token@host:80/a.json", "HTTP://***@host:80/a.json"),
        ("https://host/a@b.json", None),
        ("https://host?mail=a@b", None),
        ("s3a://connection@bucket/a.json", None),
        ("gs://connection@bucket/a.json", None),
        # Names that are no query.
        ("https://h/cam=front&key=3", None),
        *(
            (f"{scheme}://ml@preds/{name}/x.json", None)
            for scheme in ("s3", "s3a", "gs", "gcs", "memory")
            for name in ("cam=front&key=3", "a?token=q", "day&sig=2", "a;key=1", "a?X-Amz-Signature=1")
        ),
        ("s3://ml:secret@preds/cam=front&key=3", "s3://***@preds/cam=front&key=3"),
        ("s3://ml@preds/a?token=***/x.json", None),
        ("/data/cam=front&key=3/a?token=q/x.json", None),
        ("local:///data/cam=front&key=3/a?token=q/x.json", None),
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


@pytest.mark.parametrize(
    "text",
    [
        "://" * 50_000,
        "://u:" * 50_000,
        "https://h/?a=" * 20_000,
        "https://h/?sig=***b" * 20_000,
        "a" * 200_000 + "=",
        "https://u:" + "@" * 100_000,
        "https://u:/" + "p:" * 100_000,
        "?key=" * 50_000,
        "x-amz-signature=" * 20_000,
    ],
    ids=lambda text: text[:12],
)
def test_long_texts_take_no_time(text: str) -> None:
    """Of the process itself: what else the machine does is not counted."""
    begun = time.process_time()
    masked_as(text, text)
    is_masked(text)
    assert time.process_time() - begun < 10


def test_an_error_is_presented_without_what_its_causes_quote() -> None:
    """The errors that quote nothing stay, as do their tracebacks."""
    secret = "cafe0123"

    def refuse() -> None:
        raise OSError(f"403, url='https://h/a?sig={secret}'")

    def look() -> None:
        try:
            try:
                try:
                    refuse()
                except OSError as error:
                    raise FileNotFoundError(f"https://h/a?sig={secret}") from error
            except FileNotFoundError as error:
                raise ValueError("no such thing") from error
        except ValueError:
            raise KognicInputError("it cannot be read")  # noqa: B904 - its context is shown, too

    with pytest.raises(KognicInputError) as raised:
        look()
    error = raised.value
    assert presentable(error) is error
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert secret not in text
    assert text.count("sig=***") == 2
    assert "FileNotFoundError: https://h/a?sig=***" in text
    assert "ValueError: no such thing" in text
    assert text.count(" in look") == 4
    quoted = presentable(OSError(f"https://h/a?sig={secret}"))
    assert isinstance(quoted, Quoted)
    assert str(quoted) == "OSError: https://h/a?sig=***"
    fine = KeyError("a")
    assert presentable(fine) is fine


def test_what_a_library_quotes_by_itself() -> None:
    """The id of a connection that it looks for in vain, or what it has decoded."""
    url = "az://key:se%2Fcret@bucket/a?sig=ab%3Dcd"
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


@pytest.mark.parametrize("folder", ["cam=front&key=3", "a?token=q", "day&sig=2"])
def test_receipts_of_odd_names_lead_back_to_the_documents(folder: str, tmp_path: Path) -> None:
    """A name on S3 is no query, so what failed can be read again from where its receipt says."""
    receipts = tmp_path / "failed.jsonl"
    url = f"s3://ml@preds/{folder}/{demo.scene_uuid(0)}.json"
    receipts.write_text(json.dumps({"scene_uuid": demo.scene_uuid(0), "source": masked(url)}) + "\n")
    asked: list[str] = []

    def resolve(text: str) -> Path:
        asked.append(text)
        return tmp_path / "not there"

    (again,) = open_source(None, receipts, resolve=resolve)
    assert isinstance(again, Prediction)
    assert asked == [url]
