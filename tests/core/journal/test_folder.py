"""The journal in a folder: what was acknowledged is read back, whatever happened; all else is a clear error."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_kognic.core import files
from airflow_provider_kognic.core.errors import (
    KognicJournalError,
    KognicJournalFormatError,
    KognicStoppedError,
)
from airflow_provider_kognic.core.journal import parts
from airflow_provider_kognic.core.journal.folder import FolderLog
from airflow_provider_kognic.core.journal.format import Header
from tests.core.journal.folders import (
    GROUP,
    HEADER,
    HOST,
    REPOSITORY,
    TearingStore,
    append_all,
    leases_of,
    line,
    lines_of,
    log_in,
    never,
    part_files,
    parts_in,
    read_all,
    start_python,
    write_raw,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]


def test_what_was_appended_is_read_back(folder: Any) -> None:
    """In order, over several attempts, and of all sources that share the folder."""
    append_all(folder, [line(1), line(2)], [line(3)])
    append_all(folder, [line(4)], source="another")
    append_all(folder, [line(5)])
    assert read_all(folder) == [line(number) for number in range(1, 6)]


def test_an_attempt_that_writes_nothing_leaves_nothing(folder: Any) -> None:
    """Re-running a finished upload, say; its lease stays, as the last number must."""
    append_all(folder, [line(1)])
    before = [path.name for path in part_files(folder)]
    for _ in range(3):
        assert read_all(folder) == [line(1)]
    assert [path.name for path in part_files(folder)] == before
    leases = [name for name in files.names(log_in(folder).folder) if name.endswith(".lease")]
    assert len(leases) <= 1


def test_groups_and_hosts_have_folders_of_their_own(tmp_path: Path) -> None:
    """Also hosts that differ only in what cannot stand in a file's name, or by their length."""
    hosts = ["a.example", "a.example:80", "a.example/80", "a_example", "..", "a" * 300, "a" * 301]
    for number, host in enumerate(hosts):
        log = FolderLog(tmp_path, Header(host, GROUP), source_key="x")
        log.open(never)
        assert lines_of(log) == []
        log.append([line(number)])
        log.close()
    for number, host in enumerate(hosts):
        log = FolderLog(tmp_path, Header(host, GROUP.upper()), source_key="x")
        log.open(never)
        with pytest.raises(KognicJournalFormatError, match="another predictions group"):
            lines_of(log)
        log.close()
        log = FolderLog(tmp_path, Header(host, GROUP), source_key="x")
        log.open(never)
        assert lines_of(log) == [line(number)]
        log.close()
    assert (tmp_path / "a.example" / GROUP).is_dir()


def write_version_1(
    folder: Any, typed: str, *lines: bytes, name: str = "000001-aaaaaaaa-0001.jsonl", host: str | None = None
) -> Any:
    """Write a part as the provider did when it named a host as it was typed; returns it."""
    header = Header(typed, GROUP, "an older version").to_json() | {"version": 1, "host": host or typed}
    where = FolderLog(folder, Header(typed, GROUP), source_key="x").folder
    files.make_folder(folder, where.parent.name, GROUP)
    write_raw(where / name, b"".join(one + b"\n" for one in (json.dumps(header).encode(), *lines)))
    return where / name


SPELLINGS = [
    "dataset.app.kognic.com:443",
    "dataset.app.kognic.com:0443",
    "dataset.app.kognic.com.",
    "dataset.app.kognic.com.:443",
    "dataset.app.kognic.com:80",
    "\uff44ataset.app.kognic.com",
]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_a_journal_under_another_spelling_of_the_host_is_found(folder: Any, typed: str) -> None:
    """Of version 1; it comes first, is never written to, and is read by every later attempt, too."""
    old = write_version_1(folder, typed, line(1), line(2))
    content = files.read(old)
    assert list(log_in(folder).peek()) == [b'["v",1]', line(1), line(2)]
    append_all(folder, [line(3)])
    append_all(folder, [line(4)])
    assert read_all(folder) == [line(number) for number in range(1, 5)]
    assert files.read(old) == content
    assert {path.name.partition("-")[0] for path in part_files(folder)} == {"000002", "000003"}


def test_parts_of_many_spellings(folder: Any) -> None:
    """Sorted by their generations; beside other hosts, other groups, and files that are none of its business."""
    write_version_1(folder, SPELLINGS[0], line(1), name="000001-aaaaaaaa-0001.jsonl")
    write_version_1(folder, HOST, line(2), name="000002-bbbbbbbb-0001.jsonl")
    write_version_1(folder, SPELLINGS[2], line(3), name="000003-cccccccc-0001.jsonl")
    write_version_1(folder, SPELLINGS[0], line(4), name="000017-dddddddd-0001.jsonl")
    write_version_1(folder, "else.example:443", line(5))
    write_version_1(folder, f"{HOST}:8443", line(6))
    files.make_folder(folder, "notes-0123abcd", "x")
    write_raw(folder / "readme-0123abcd", b"hello")
    assert read_all(folder) == [line(1), line(2), line(3), line(4)]
    append_all(folder, [line(7)])
    assert "000018" in {path.name.partition("-")[0] for path in part_files(folder)}
    assert read_all(folder)[-1] == line(7)


def test_a_damaged_journal_under_another_spelling(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which host it is cannot be told any more; the group is this one, so that what was sent is unknown."""
    monkeypatch.setattr(parts, "PAUSES", ())
    old = write_version_1(folder, SPELLINGS[0], line(1))
    write_raw(old, b"\0" * 100)
    with pytest.raises(KognicJournalFormatError, match="without a header") as caught:
        read_all(folder)
    assert str(old) in str(caught.value)


CORRUPT = {
    "no JSON": (1, b"{broken", "is no part of a journal"),
    "a document": (1, b'{"openlabel": {}}', "is no part of a journal"),
    "a list": (1, b'["i"]', "is no part of a journal"),
    "empty": (1, b"", "is no part of a journal"),
    "a newer version": (1, json.dumps(HEADER.to_json() | {"version": 3}).encode(), "format version 3"),
    "no version": (1, b'{"format": "kognic-journal"}', "format version None"),
    "another host": (
        1,
        json.dumps(HEADER.to_json() | {"host": "x.example"}).encode(),
        "another host: 'x.example'",
    ),
    "another group": (
        1,
        json.dumps(HEADER.to_json() | {"predictions_group_uuid": "x"}).encode(),
        "another predictions group: 'x'",
    ),
}


@pytest.mark.parametrize("kind", CORRUPT)
def test_what_is_no_journal_is_an_error_that_names_it(folder: Any, kind: str) -> None:
    """Never a journal without lines."""
    where, bad, said = CORRUPT[kind]
    append_all(folder, [line(1), line(2)])
    append_all(folder, [line(3)])
    part = part_files(folder)[0]
    rows = files.read(part).split(b"\n")
    rows[where - 1] = bad
    write_raw(part, b"\n".join(rows))
    with pytest.raises(KognicJournalFormatError, match=said) as caught:
        read_all(folder)
    assert f"{part}, line {where}" in str(caught.value)
    assert "nothing was sent" in str(caught.value)


def test_it_says_where_a_line_stands(folder: Any) -> None:
    """So that whoever reads it can name the file and line of what cannot be understood."""
    append_all(folder, [line(1), line(2)])
    append_all(folder, [line(3)])
    log = log_in(folder)
    log.open(never)
    places = [log.where() for one in log.read() if not one.startswith(b'["v"')]
    log.close()
    first, second = part_files(folder)
    assert places == [f"{first}, line 2", f"{first}, line 3", f"{second}, line 2"]


def test_a_store_that_does_not_answer_is_never_an_empty_one(
    folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever question it is that fails."""
    append_all(folder, [line(1)])

    def fail(*_: object, **__: object) -> None:
        raise PermissionError("AccessDenied")

    asked = {"listed", "read", "write", "create", "exists"}
    if files.is_local(folder):
        asked -= {"write", "exists"}
    for name in sorted(asked):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, fail)
            if files.is_local(folder) and name == "read":
                patch.setattr(files, "open_to_read", fail)
            log = log_in(folder, ttl=0.5)
            with pytest.raises(KognicJournalError, match="AccessDenied"):  # noqa: PT012 - whichever of them it is
                log.open(never)
                lines_of(log)
                log.append([line(2)])
            log.close()
    log = log_in(folder, ttl=0.5)
    log.open(never)
    assert lines_of(log)[0] == line(1)
    log.close()


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """It is said at once, with the folder."""
    (tmp_path / HOST).write_text("")
    with pytest.raises(
        KognicJournalError, match=f"{tmp_path}.*cannot be used: (NotADirectory|FileExists)Error"
    ):
        read_all(tmp_path)


def test_after_a_take_over_nothing_can_be_appended(folder: Any) -> None:
    """Nor can anything that was appended before be lost by it."""
    if not files.is_local(folder) and isinstance(folder.fs, TearingStore):
        pytest.skip("nothing keeps attempts apart there")
    first = log_in(folder, ttl=0.3)
    first.open(never)
    first.append([line(1)])
    leases_of(first)[0]._ended.set()  # no more signs of life, as of a process that hangs
    second = log_in(folder, ttl=0.3)
    second.open(never)
    assert lines_of(second) == [line(1)]
    with pytest.raises(KognicJournalError, match="may not write to the journal"):
        first.append([line(2)])
    second.append([line(3)])
    first.close()
    second.append([line(4)])
    second.close()
    found = read_all(folder)
    assert [one for one in found if one != line(2)] == [line(1), line(3), line(4)]


SLEEPER = """
import sys
from pathlib import Path
from tests.core.journal.folders import line, log_in
where = sys.argv[2]
log = log_in(Path(sys.argv[1]), ttl=float(sys.argv[3]))
log.open(lambda: False)
log.append([line(1)])


def sleep_here(function):
    def with_a_nap(*arguments, **more):
        print("now", flush=True)
        sys.stdin.readline()
        return function(*arguments, **more)
    return with_a_nap

if where == "before the look":
    log._leases.check = sleep_here(log._leases.check)
elif where == "between look and write":
    log._parts.append = sleep_here(log._parts.append)
if where == "before the look":
    once = log._leases.check
    checks = iter([once])
    plain = type(log._leases).check.__get__(log._leases)
    log._leases.check = lambda **more: next(checks, plain)(**more)
try:
    log.append([line(2)])
except Exception as error:
    print(type(error).__name__, flush=True)
else:
    print("appended", flush=True)
"""


@pytest.mark.parametrize("where", ["before the look", "between look and write"])
def test_a_sleeper_that_wakes_up_after_the_take_over(tmp_path: Path, where: str) -> None:
    """SIGSTOP stops a holder at the worst place; its successor goes on, and it itself appends nothing any more."""
    process = start_python(SLEEPER, tmp_path, where, 1.0, stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGSTOP)
    second = log_in(tmp_path, ttl=1.0)
    second.open(never)
    assert lines_of(second) == [line(1)]
    second.append([line(3)])
    process.stdin.write("\n")
    process.stdin.flush()
    process.send_signal(signal.SIGCONT)
    assert process.stdout.readline() == "KognicJournalError\n"
    process.communicate(timeout=30)
    second.append([line(4)])
    second.close()


def test_waiting_ends_when_it_is_pointless(folder: Any) -> None:
    """The task was killed meanwhile, say."""
    if not files.is_local(folder) and isinstance(folder.fs, TearingStore):
        pytest.skip("nobody waits there")
    first = log_in(folder)
    first.open(never)
    looks = iter([False, False, True])
    second = log_in(folder)
    with pytest.raises(KognicStoppedError, match="nothing was sent"):
        second.open(lambda: next(looks, True))
    second.close()
    first.append([line(1)])
    first.close()
    assert read_all(folder) == [line(1)]


def test_uploads_of_other_sources_share_the_folder(folder: Any) -> None:
    """At the same time, without waiting for each other."""
    logs = [log_in(folder, f"source {number}") for number in range(5)]
    for log in logs:
        log.open(never)
    for turn in range(4):
        for number, log in enumerate(logs):
            log.append([line(10 * number + turn)])
    for log in logs:
        log.close()
    found = read_all(folder)
    assert sorted(found) == sorted(line(10 * number + turn) for number in range(5) for turn in range(4))
    for number in range(5):
        own = [line(10 * number + turn) for turn in range(4)]
        assert [one for one in found if one in own] == own


def test_a_log_that_is_not_open(tmp_path: Path) -> None:
    """Nothing can be appended to it, and it may be closed twice."""
    log = log_in(tmp_path)
    with pytest.raises(KognicJournalError, match="is not open"):
        log.append([line(1)])
    log.open(never)
    log.close()
    log.close()
    with pytest.raises(KognicJournalError, match="is not open"):
        log.append([line(1)])
    shutil.rmtree(tmp_path)


def test_the_commands_in_the_documentation(tmp_path: Path) -> None:
    """They count states and find what is in doubt, past torn lines and scenes that were begun anew."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    page = (REPOSITORY / "docs" / "journal.md").read_text(encoding="utf-8")
    count, doubts = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    scenes = [f"{number:032x}" for number in range(6)]
    rows: list[list[Any]] = [["i", scene, "a1" * 16, 1.5, 1] for scene in scenes]
    rows += [["c", scenes[0], scenes[0]], ["c", scenes[1], scenes[1]], ["r", scenes[2], 422, "no"]]
    rows += [
        ["d", scenes[3], 2.5, None, ""],
        ["b", scenes[0], [scenes[5]], "u"],
        ["B", "u"],
        ["f", scenes[1], "u"],
    ]
    append_all(tmp_path, [json.dumps(row).encode() for row in rows])
    append_all(tmp_path, [json.dumps(["u", scenes[4]]).encode()])
    (part, _) = parts_in(tmp_path)
    part.write_bytes(part.read_bytes() + b'["c","00')

    def said(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=part.parent, check=True, capture_output=True, text=True
        )
        return done.stdout

    assert json.loads(said(count)) == {"c": 1, "d": 1, "i": 1, "r": 1, "u": 1}
    assert said(doubts).split() == [scenes[3], scenes[5]]
