"""The lines of a journal, letter by letter: what is on disk never changes."""

import json
import uuid

import pytest

from airflow_provider_kognic.core.errors import KognicJournalFormatError
from airflow_provider_kognic.core.journal.format import (
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
        b'{"format": "kognic-journal", "version": 1, "host": "dataset.app.kognic.com", "predictions_group_uuid":'
        b' "6c0e2b1a-4f0e-4a55-9d3e-0f6f3b7f2a10", "writer": "a t\\u00e9st"}'
    )
    HEADER.check_line(line, "here")
    Header(HEADER.host, HEADER.predictions_group_uuid, "another").check_line(line, "here")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "here is no part of a journal"),
        (b"{", "here is no part of a journal"),
        (b"[" * 100_000, "here is no part of a journal"),
        (b'["i"]', "here is no part of a journal"),
        (b'{"format": "else"}', "here is no part of a journal"),
        (b'{"format": "kognic-journal", "version": 2}', "here has the format version 2"),
        (Header("else", HEADER.predictions_group_uuid).to_line(), "here is of another host: 'else'"),
        (Header(HEADER.host, "else").to_line(), "here is of another predictions group: 'else'"),
    ],
)
def test_the_header_of_another(line: bytes, said: str) -> None:
    with pytest.raises(KognicJournalFormatError, match=said):
        HEADER.check_line(line, "here")
