"""The test bed itself: what the faulty proxy does is what a client of the store sees."""

import socket

import pytest

from airflow_provider_kognic.task.paths import to_path
from tests.stores import faults
from tests.stores.s3 import AS_OWNER, S3


def test_without_faults_all_goes_through(s3: S3) -> None:
    s3.put("day/a b#1.json", b"{}")
    folder = to_path("s3://ml@preds/day/")
    assert [path.name for path in folder.iterdir()] == ["a b#1.json"]
    assert (folder / "a b#1.json").read_bytes() == b"{}"
    (folder / "written.json").write_bytes(b"[]" * 100_000)
    assert s3.get("day/written.json") == b"[]" * 100_000
    assert s3.keys() == ["day/a b#1.json", "day/written.json"]
    assert "day/" in s3.proxy.asked("list")
    assert s3.proxy.asked("read") == ["day/a b#1.json"]


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (faults.SLOW_DOWN, "SlowDown|reduce your request rate"),
        (faults.UNAVAILABLE, "ServiceUnavailable|unable to handle"),
        (faults.INTERNAL_ERROR, "internal error"),
        (faults.EXPIRED_TOKEN, "expired"),
        (faults.DENIED, "Access Denied|Forbidden"),
        (faults.UNKNOWN_KEY_ID, "Access Key Id"),
        (faults.NO_BUCKET, "bucket does not exist"),
        (faults.NO_KEY, "key does not exist"),
        (faults.WRONG_REGION, "addressed|301|redirect"),
        (faults.WRONG_REGION_SIGNED, "malformed"),
        (faults.RESET, "connect|reset"),
        (faults.RESET_IN_BODY, "payload|onnection|reset"),
        (faults.SHORT_BODY, "payload|onnection"),
    ],
    ids=lambda value: "" if isinstance(value, str) else getattr(value, "code", str(value)),
)
def test_what_goes_wrong_reaches_the_client(s3: S3, trouble: faults.Trouble, told: str) -> None:
    s3.put("a.json", b"{}" * 50_000)
    fault = s3.proxy.add(trouble, "read", where=r"a\.json$")
    with pytest.raises(Exception, match=f"(?i){told}"):
        to_path("s3://ml@preds/a.json").read_bytes()
    assert fault.happened


def test_a_fault_ends_after_so_many_times_and_begins_after_so_many(s3: S3) -> None:
    s3.put_all({"a.json": b"a", "b.json": b"b"})
    fault = s3.proxy.add(faults.DENIED, "read", where="a", times=1, after=1)
    a, b = to_path("s3://ml@preds/a.json"), to_path("s3://ml@preds/b.json")
    assert b.read_bytes() == b"b"
    assert a.read_bytes() == b"a"
    with pytest.raises(PermissionError):
        a.read_bytes()
    assert a.read_bytes() == b"a"
    assert fault.happened == 1


def test_silence_lasts_until_the_faults_are_cleared(s3: S3) -> None:
    s3.put("a.json", b"abcd")
    s3.proxy.add(faults.STALLED, "read")
    owner = "".join(f"{name}: {value}\r\n" for name, value in AS_OWNER.items())
    with socket.create_connection(("127.0.0.1", s3.proxy.port), timeout=60) as connection:
        connection.sendall(f"GET /preds/a.json HTTP/1.1\r\nHost: 127.0.0.1\r\n{owner}\r\n".encode())
        told = b""
        while not told.endswith(b"ab"):
            told += (more := connection.recv(4096))
            assert more, told
        assert b"content-length: 4\r\n" in told
        s3.proxy.clear()
        assert connection.recv(4096) == b""


def test_another_writer_may_come_between_a_look_and_the_reading(s3: S3) -> None:
    s3.put("a.json", b"old")
    s3.proxy.add(faults.Does(lambda: s3.put("a.json", b"changed")), "read", times=1)
    path = to_path("s3://ml@preds/a.json")
    with path.open("rb") as file, pytest.raises(OSError, match=r"no longer exists|pre-condition"):
        file.read()
    assert s3.proxy.asked() == ["a.json", "a.json"]
    assert s3.get("a.json") == b"changed"
