"""The lines of a journal, letter by letter: what is on disk never changes."""

import json
import uuid
from typing import Any

import pytest

from airflow_provider_kognic.core.errors import KognicJournalFormatError
from airflow_provider_kognic.core.journal.format import (
    AttemptBegins,
    Baseline,
    BaselineTaken,
    BegunAnew,
    Created,
    Header,
    InDoubt,
    Intent,
    NotARecordError,
    Record,
    Refused,
    Unsent,
    decode,
    digest_kept,
    encode,
    scene_of_intent,
    to_bytes,
    to_text,
)
from tests.core.journal.lines import BAD_LINES

SCENE, PREDICTION, OTHER = (uuid.UUID(int=number).bytes for number in (1, 2, 3))
S, P, O = SCENE.hex(), PREDICTION.hex(), OTHER.hex()  # noqa: E741 - as they stand in the table
DIGEST = "ab" * 32
D = DIGEST[:32]

LINES: list[tuple[Record, str]] = [
    (Intent(SCENE, digest_kept(DIGEST), 1764112241.123, covered=True), f'["i","{S}","{D}",1764112241.123,1]'),
    (Intent(SCENE, digest_kept(DIGEST), 2.0, covered=False), f'["i","{S}","{D}",2.0,0]'),
    (Created(SCENE, PREDICTION), f'["c","{S}","{P}"]'),
    (Created(SCENE, PREDICTION, resent=True), f'["c","{S}","{P}",1]'),
    (Refused(SCENE, 422, 'said "no"\n'), f'["r","{S}",422,"said \\"no\\"\\n"]'),
    (Refused(SCENE), f'["r","{S}",null,""]'),
    (InDoubt(SCENE, 3.5, None, "no answer é"), f'["d","{S}",3.5,null,"no answer \\u00e9"]'),
    (InDoubt(SCENE, 3.5, 504, ""), f'["d","{S}",3.5,504,""]'),
    (Unsent(SCENE), f'["u","{S}"]'),
    (Baseline(SCENE, (PREDICTION, OTHER), "dag/run/task/-1"), f'["b","{S}",["{P}","{O}"],"dag/run/task/-1"]'),
    (Baseline(SCENE, (), "x"), f'["b","{S}",[],"x"]'),
    (BaselineTaken("dag/run/task/-1"), '["B","dag/run/task/-1"]'),
    (BegunAnew(SCENE, "x forced"), f'["f","{S}","x forced"]'),
]


@pytest.mark.parametrize(("record", "line"), LINES, ids=[line[:4] for _, line in LINES])
def test_each_record_has_its_line(record: Record, line: str) -> None:
    """To the byte, and back."""
    assert encode(record) == line.encode("ascii")
    assert decode(line.encode("ascii")) == record


def test_a_message_is_cut_and_a_digest_too() -> None:
    """Half of a SHA-256, and 300 characters of what a server said."""
    assert json.loads(encode(Refused(SCENE, 400, "é" * 500)))[3] == "é" * 300
    assert json.loads(encode(InDoubt(SCENE, 1.0, 500, "x" * 301)))[4] == "x" * 300
    assert digest_kept(DIGEST).hex() == DIGEST[:32]
    assert digest_kept("") == b""


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (f'["r","{S}"]', Refused(SCENE)),
        (f'["d","{S}",1]', InDoubt(SCENE, 1.0)),
        (f'["c","{S}","{P}",0]', Created(SCENE, PREDICTION)),
        (f'["u","{S}","more",7]', Unsent(SCENE)),
        (f' [ "i" , "{S.upper()}", "", "2.5", 1, "more"]', Intent(SCENE, b"", 2.5, covered=True)),
    ],
)
def test_what_means_the_same_is_read_the_same(line: str, record: Record) -> None:
    """What another hand wrote, or a later version that has more to say."""
    assert decode(line.encode()) == record


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_what_is_no_record(bad: bytes) -> None:
    """It is one kind of error, whatever is wrong with it."""
    with pytest.raises(NotARecordError):
        decode(bad)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("[1]", "not a row"),
        ('["i"]', "list index out of range"),
        (f'["x","{S}"]', "b'x' is not a valid State"),
        ('["u","abcd"]', "'abcd' is not 32 hexadecimal digits"),
        (f'["c","{S}","abcd"]', "'abcd' is not 32 hexadecimal digits"),
        (f'["d","{S}","x"]', "could not convert string to float: 'x'"),
    ],
)
def test_it_says_what_is_wrong(bad: str, said: str) -> None:
    with pytest.raises(NotARecordError) as caught:
        decode(bad.encode())
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("row", "scene"),
    [
        (["i", S, D, 1.0, 1], S),
        (["i", 7], "7"),
        (["i"], None),
        (["c", S, P], None),
        ([], None),
        ({"i": S}, None),
        ("is", None),
        (None, None),
    ],
)
def test_the_scene_of_an_intent(row: object, scene: str | None) -> None:
    assert scene_of_intent(row) == scene


def test_uuids_as_bytes_and_as_text() -> None:
    text = "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10"
    assert to_bytes(text) == to_bytes(text.replace("-", "").upper()) == uuid.UUID(text).bytes
    assert to_text(to_bytes(text)) == text
    with pytest.raises(ValueError, match="is not 32 hexadecimal digits"):
        to_bytes(text[:-2])


HEADER = Header("dataset.app.kognic.com", "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "a tést")


def test_the_header() -> None:
    """To the byte; who wrote it is nobody's business but people's."""
    line = HEADER.to_line()
    assert line == (
        b'{"format": "kognic-journal", "version": 2, "host": "dataset.app.kognic.com", "predictions_group_uuid":'
        b' "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "writer": "a t\\u00e9st"}'
    )
    assert HEADER.check_line(line, "here") == AttemptBegins(2)
    Header(HEADER.host, HEADER.predictions_group_uuid, "another").check_line(line, "here")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "here is no part of a journal"),
        (b"{", "here is no part of a journal"),
        (b"[" * 100_000, "here is no part of a journal"),
        (b'["i"]', "here is no part of a journal"),
        (b'{"format": "else"}', "here is no part of a journal"),
        (b'{"format": "kognic-journal", "version": 3}', "here has the format version 3"),
        (b'{"format": "kognic-journal", "version": true}', "here has the format version True"),
        (b'{"format": "kognic-journal", "version": [1]}', "here has the format version"),
        (Header("else", HEADER.predictions_group_uuid).to_line(), "here is of another host: 'else'"),
        (Header(HEADER.host, "else").to_line(), "here is of another predictions group: 'else'"),
    ],
)
def test_the_header_of_another(line: bytes, said: str) -> None:
    with pytest.raises(KognicJournalFormatError, match=said):
        HEADER.check_line(line, "here")


OF_VERSION_1 = (
    b'{"format": "kognic-journal", "version": 1, "host": "%s", "predictions_group_uuid":'
    b' "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "writer": "a t\\u00e9st"}'
)


def test_the_header_of_version_1() -> None:
    """It is read, and who reads says of which version a part is; that is never written."""
    begins = HEADER.check_line(OF_VERSION_1 % HEADER.host.encode(), "here")
    assert begins == AttemptBegins(1)
    assert encode(begins) == b'["v",1]'
    assert decode(b'["v",1]') == begins


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("dataset.app.kognic.com:443", "dataset.app.kognic.com"),
        ("dataset.app.kognic.com:0443", "dataset.app.kognic.com"),
        ("dataset.app.kognic.com.", "dataset.app.kognic.com"),
        ("dataset.app.kognic.com:80", "dataset.app.kognic.com"),  # of http, for all that it says
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("gateway.example.:443/kognic", "gateway.example/kognic"),
        ("gateway.example:08443/kognic", "gateway.example:8443/kognic"),
    ],
)
def test_the_host_of_version_1_is_as_it_was_typed(typed: str, host: str) -> None:
    line = OF_VERSION_1 % json.dumps(typed)[1:-1].encode()
    assert Header(host, HEADER.predictions_group_uuid).check_line(line, "here") == AttemptBegins(1)
    for other in ("else.example", f"{host}:8444", f"{host}/else"):
        with pytest.raises(KognicJournalFormatError, match="here is of another host"):
            Header(other, HEADER.predictions_group_uuid).check_line(line, "here")


def test_of_version_2_a_port_is_no_matter_of_spelling() -> None:
    """What stands there has its normal form already, which knew the scheme."""
    line = Header("dataset.app.kognic.com:80", HEADER.predictions_group_uuid).to_line()
    with pytest.raises(KognicJournalFormatError, match="here is of another host"):
        HEADER.check_line(line, "here")


def check_of_version_1(found: Any, where: str) -> None:
    """What the provider said to a header when it knew version 1 only, letter by letter."""
    if not isinstance(found, dict) or found.get("format") != "kognic-journal":
        raise KognicJournalFormatError(
            f"{where} is no part of a journal of this provider. Give the journal a place of its own; nothing"
            " was sent."
        )
    if found.get("version") != 1:
        raise KognicJournalFormatError(
            f"{where} has the format version {found.get('version')!r}, and this version of the provider knows"
            " 1. Use the version that wrote it, or newer; nothing was sent."
        )


def test_an_older_version_refuses_the_new_format() -> None:
    """It fails cleanly, and says what to do: it never takes such a part for a journal without lines."""
    check_of_version_1(json.loads(OF_VERSION_1 % b"x"), "here")
    with pytest.raises(
        KognicJournalFormatError, match=r"format version 2, and this version .* knows 1. Use .* newer"
    ):
        check_of_version_1(json.loads(HEADER.to_line()), "here")
