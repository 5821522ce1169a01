"""Uploads and dry runs through the operator: journals, receipts, XComs, log lines and failures of each."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_kognic.core import errors
from tests.golden import access
from tests.golden.kognic import POST, Kognic, Store, TaskInstance, ended, logged
from tests.golden.world import (
    DATASET,
    GROUP,
    HOST,
    Files,
    World,
    as_json,
    files_in,
    masked,
    number_of,
    prediction,
    scene,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RUN, NEXT_RUN = "manual__2026-11-01", "manual__2026-11-02"


def content(number: int = 0, name: str = "Car") -> dict[str, Any]:
    """A small document without a fault, different for each number."""
    stream = {"text": [{"name": "stream", "val": "CAM"}]}
    box = {"name": "box", "val": [10, 20, 30, 40], "attributes": stream}
    frame = {"frame_properties": {"timestamp": 0}, "objects": {"1": {"object_data": {"bbox": [box]}}}}
    return {
        "openlabel": {
            "metadata": {"schema_version": "1.0.0", "comment": f"number {number}"},
            "streams": {"CAM": {"type": "camera"}},
            "objects": {"1": {"name": "car", "type": name}},
            "frames": {"0": frame},
        }
    }


def row(number: int, document: Any = None) -> dict[str, Any]:
    return {"sceneUuid": scene(number), "openlabelContent": content(number) if document is None else document}


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [row(number) for number in numbers]


def no_answer() -> errors.KognicError:
    return errors.KognicNoAnswerError("sent, and no answer came: ReadTimeout", **POST)


def refused(status: int, message: str) -> errors.KognicError:
    return errors.KognicRequestError(message, status=status, **POST)


def not_found() -> errors.KognicError:
    return errors.KognicNotFoundError("unknown", status=404, **POST)


NO_LISTING = errors.KognicNotFoundError(
    "Not Found", status=404, method="GET", url=f"https://{HOST}/v1/predictions"
)


@dataclass
class Try:
    """One run of the operator.

    Attributes:
        arguments: Of the operator, besides those that all have.
        kognic: Changes the server before it.
        run_id: The Dag run.
        number: The try.
        store: Whether there is a task state store.
        early: Whether it ends before its source does: how far others had got by then differs.
        streaks: Whether its failures may come one after the other, or not: that differs, and what is said of it.
        alike: Whether its predictions all fare alike, and not all are sent: several readers run a race, so that it
            differs which are.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    kognic: Callable[[Kognic], None] = lambda _: None
    run_id: str = RUN
    number: int = 1
    store: bool = False
    early: bool = False
    streaks: bool = False
    alike: bool = False

    def is_steady(self, line: str) -> bool:
        """Tell whether a line of the log is the same each time."""
        if self.early and "The journal knows" in line:
            return False
        return not self.streaks or ("in a row without success" not in line and "answers again" not in line)


class Place:
    """Where the runs of a case keep their files, and what is seen of each."""

    def __init__(self, root: Path, world: World) -> None:
        self.root = root
        self.kognic = Kognic()
        self.store = Store()
        self._world = world
        self._seen: dict[str, Any] = {}
        self._keys: dict[str, str] = {}

    def run(self, one: Try) -> dict[str, Any]:
        """Run the operator once."""
        from airflow_provider_kognic.operators.predictions import UploadPredictionsOperator

        self._world.next_attempt()
        one.kognic(self.kognic)
        sent = len(self.kognic.sent)
        ti = TaskInstance(run_id=one.run_id, try_number=one.number)
        context: Any = {"ti": ti}
        if one.store:
            context["task_state_store"] = self.store
        given = {"task_id": "upload", "predictions_group_uuid": GROUP, "settle_after": 0, **one.arguments}
        for name, value in given.items():
            if isinstance(value, str) and "{root}" in value:
                given[name] = value.replace("{root}", str(self.root))
        with self.kognic.reached(), logged() as lines:
            operator = UploadPredictionsOperator(**given)
            self.kognic.kill = operator.on_kill
            self._learn_key(given)
            how = ended(lambda: operator.execute(context), root=self.root)
        left = ti.xcoms.pop("summary")
        assert how.get("returned", left) == left
        if "returned" in how:
            how["returned"] = _first_keys(left)
        elif left["counted"] or left["total"]:
            ti.xcoms["summary"] = _first_keys(left)
        if "text" in how:
            how["text"] = steady(how["text"])
        said = [line for line in lines.texts(root=self.root) if one.is_steady(line)]
        now_sent = sorted(number_of(uuid) for uuid in self.kognic.sent[sent:])
        if one.alike:
            how["text"], said = nameless(how["text"]), list(map(nameless, said))
        return {
            **how,
            "logged": said,
            "xcoms": ti.xcoms,
            "sent": now_sent if not one.alike else len(now_sent),
            "files": self._new_files() if not one.early else _rough(self._new_files()),
            **({"store": self._journal_of_store()} if one.store else {}),
        }

    def _learn_key(self, given: dict[str, Any]) -> None:
        """Remember the digest of a source key, which is in the name of a lease, and differs with the folder."""
        with contextlib.suppress(errors.KognicInputError):
            key = access.key_of(given.get("predictions"), given.get("manifest"))
            digested = hashlib.sha256(key.encode()).hexdigest()[:16]
            self._keys[digested] = f"<{masked(key, root=self.root)}>"

    def _new_files(self) -> dict[str, Any]:
        """The files written since the last look."""
        before, self._seen = self._seen, self._files()
        return {name: what for name, what in self._seen.items() if before.get(name) != what}

    def _files(self) -> dict[str, Any]:
        """The files written so far: lines of JSON in an order of their own, as several threads write them."""
        found: dict[str, Any] = {}
        for path, raw in files_in(self.root).items():
            text = masked(raw.decode().rstrip(), root=self.root).splitlines()
            name = path
            for digested, key in self._keys.items():
                name = name.replace(digested, key)
            if "journal/" in name and name.endswith(".jsonl"):
                found[name] = [text[0], *by_scene(text[1:])]
            elif name.endswith(".lease"):
                found[name] = []  # what is in them, other data has
            elif name.endswith(".html"):
                continue  # a drawing for people: how it looks is promised to nobody
            elif name.endswith(".jsonl") and not name.startswith("in"):
                found[name] = sorted(text)
            elif not name.startswith("in"):
                found[name] = text
        return dict(sorted(found.items()))  # by their names in the data

    def _journal_of_store(self) -> dict[str, Any]:
        """The state store's values, the lines in them in an order of their own."""
        values = copy.deepcopy(self.store.values)
        for value in values.values():
            if "lines" in value:
                texts = [json.dumps(line, separators=(",", ":")) for line in value["lines"]]
                value["lines"] = by_scene(texts)
        return values


_LATER_KEYS = {
    *("predictions_group", "dataset_uuid", "dataset", "link", "source", "counted", "error", "receipts"),
    *("task_id", "map_index", "try_number"),
}


def _first_keys(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what a summary had from the first, in its order; what came later has to be there.

    Likewise that one is left of every task: at first there were those of failures alone.
    """
    later = _LATER_KEYS if "dry_run" in summary else {*_LATER_KEYS, "reasons"}
    assert later < set(summary)
    assert type(summary["duration_s"]) is float
    assert type(summary["rate_per_s"]) is float
    first = {name: value for name, value in summary.items() if name not in later}
    return {**first, "duration_s": "#", "rate_per_s": "#"}


_NAMED = re.compile(r"(?m)^- (?:refused|in_doubt|unsent): .*\n?")
_SCENE = re.compile(r"5ce00000-0000-4000-8000-[0-9a-f]{12}|(?<=predictions\[)\d+")
_LISTS = re.compile(r"(Reasons: )([^.]+)")


def steady(text: str) -> str:
    """Put what a failure lists into an order of its own: several readers run a race.

    Of several predictions that are named none is left, as it differs which are the first.
    """
    text = _LISTS.sub(lambda found: found[1] + ", ".join(sorted(found[2].split(", "))), text)
    named = _NAMED.findall(text)
    return f"{_NAMED.sub('', text).rstrip()}\n{len(named)} named" if len(named) > 1 else text


def nameless(text: str) -> str:
    """Put a sign in the place of each scene, and of its place in the source."""
    return _SCENE.sub("#", text)


def _rough(files: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs with how far others had got when a run ended: journals, which documents were read."""
    return {
        name: [re.sub(r'"digest": ("sha256:\w+"|null)', '"digest": "#"', line) for line in text]
        for name, text in files.items()
        if not name.startswith("journal/")
    }


def by_scene(lines: list[str]) -> list[str]:
    """Put a journal's lines into the order of their scenes; those of one scene stay in the order as written."""
    return sorted(lines, key=lambda line: str(json.loads(line)[1]))


def write(folder: Path, **files: Any) -> None:
    """Write files: rows of JSON lines, or text."""
    folder.mkdir(exist_ok=True)
    for name, what in files.items():
        text = what if isinstance(what, str) else "".join(json.dumps(one) + "\n" for one in what)
        (folder / name.replace("__", ".")).write_text(text)


JOURNAL = {"journal": "{root}/journal"}
RECEIPTS = {"receipts": "{root}/r.jsonl"}
REPORT = {"dry_run": True, "report": "{root}/plan.jsonl"}


def _answers(kognic: Kognic) -> None:
    kognic.posts = {
        1: [refused(422, "no such class: 'Car'")],
        3: [errors.KognicAnswerError("201, but no uuid", status=201, **POST)],
        4: [no_answer()],
        5: [not_found()],
        6: [errors.KognicServerError("oops", status=500, **POST)],
    }


def _settled(kognic: Kognic) -> None:
    """Of two lost answers one was executed; of a scene there was a prediction before."""
    kognic.listed = [(800, 2), (801, 99)]
    kognic.posts = {1: [lambda: _executed(kognic, 1)], 2: [no_answer()]}


def _executed(kognic: Kognic, number: int) -> errors.KognicError:
    kognic.listed.append((700 + number, number))
    return no_answer()


def _unauthorized(kognic: Kognic) -> None:
    error = errors.KognicUnauthorizedError("expired", status=401, **POST)
    kognic.posts = {2: [error, error]}


def _rate_limited(kognic: Kognic) -> None:
    error = errors.KognicRateLimitError("slow down", status=429, retry_after=0.5, **POST)
    kognic.posts = {0: [error] * 3}


def _killed(kognic: Kognic) -> None:
    def kill() -> str:
        kognic.kill()
        return prediction(1)

    kognic.posts = {1: [kill]}


def _all(*numbers: int, answer: Callable[[], Any]) -> Callable[[Kognic], None]:
    def change(kognic: Kognic) -> None:
        kognic.posts = {number: [answer()] * 3 for number in numbers}

    return change


STRANGE: list[Any] = [
    row(0),
    {"sceneUuid": scene(1)},
    "no row",
    row(0, content(7)),
    {"sceneUuid": "scene 2", "openlabelContent": content()},
    row(3, {"openlabel": {"metadata": {}, "frames": []}}),
    row(4, content(4, "Tram")),
    row(5, {"openlabel": content()["openlabel"] | {"padding": "x" * 3000}}),
    row(6, {"no": "openlabel"}),
    row(90),
    row(7),
]


def _files(root: Path) -> None:
    write(
        root / "in",
        one__json=json.dumps(content(1)),
        two__json="{",
        three__json="[]",
        five__json='{"openlabel": 1}',
    )
    manifest = "".join(
        f"{scene(number)},{path}\n"
        for number, path in enumerate(["one.json", "two.json", "three.json", "four.json", "five.json", ""])
    )
    write(root / "in", manifest__csv=f"scene_uuid,path\n{manifest}7,one.json\n")


def _json_lines(root: Path) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in [row(0), row(1), {"a": 1}, row(0), row(2)])
    write(root / "in", rows__jsonl=f"{lines}no json\n\n")


def _nothing(_: Path) -> None:
    pass


def cases() -> dict[str, tuple[Callable[[Path], None], list[Try]]]:
    """Return the cases: what lies there before, and the runs of the operator one after the other."""
    strict = {
        "dataset": "a dataset",
        "class_mapping": {"Car": "Car", "pole": None},
        "predictions": STRANGE,
        "max_document_bytes": 3000,
    }
    everything = rows(0, 1, 2, 3, 4, 5, 6, 7)
    first = Try(
        {"predictions": everything, **JOURNAL, **RECEIPTS, "on_ambiguous": "skip"}, _answers, streaks=True
    )
    newer = [row(0, content(50)), *rows(1, 3, 7, 8), row(4, content(54)), row(9, {"openlabel": 3})]
    return {
        "answers_and_another_run": (
            _nothing,
            [
                first,
                Try({**first.arguments, "max_failures": "25%", "predictions": newer}, run_id=NEXT_RUN),
                Try(
                    {"predictions": newer, **JOURNAL, **RECEIPTS, "on_changed": "send"},
                    run_id=NEXT_RUN,
                    number=2,
                ),
                Try({"predictions": newer, **JOURNAL, **REPORT}),
                Try({"predictions": newer, **JOURNAL, "force": True}, _without_answers),
                Try({"predictions": newer, **JOURNAL, "force": True}, number=2),
            ],
        ),
        "checks_of_documents": (
            _nothing,
            [
                Try({**strict, **RECEIPTS, "journal": False}, _annotated),
                Try({**strict, **RECEIPTS, "journal": False, "max_failures": 20}, number=2),
                Try({**strict, **REPORT, "journal": False}),
            ],
        ),
        "files": (
            _files,
            [
                Try({"manifest": "{root}/in/manifest.csv", **RECEIPTS, **JOURNAL, "max_failures": 3}),
                Try({"manifest": "{root}/r.failed.jsonl", "receipts": "{root}/again.jsonl", **JOURNAL}),
                Try(
                    {"predictions": "{root}/in/*.json", **RECEIPTS, **JOURNAL, "validation": "off"},
                    run_id=NEXT_RUN,
                ),
                Try({"manifest": "{root}/in/manifest.csv", **REPORT, **JOURNAL, "validation": "off"}),
            ],
        ),
        "json_lines": (
            _json_lines,
            [Try({"predictions": "{root}/in/rows.jsonl", **RECEIPTS, **JOURNAL, "max_failures": 3})],
        ),
        "reconciled": (
            _nothing,
            [
                Try({"predictions": rows(0, 1, 2, 3), **JOURNAL, **RECEIPTS}, _settled),
                Try({"predictions": rows(0, 1, 2, 3), **JOURNAL, **RECEIPTS}, number=2),
            ],
        ),
        "without_a_listing": (
            _nothing,
            [
                Try({"predictions": rows(0, 1), **JOURNAL, **RECEIPTS}, _lost_without_listing),
                Try({"predictions": rows(0, 1), **JOURNAL, **RECEIPTS}, number=2),
                Try({"predictions": rows(0, 1), **JOURNAL, **REPORT, "on_ambiguous": "fail"}, number=2),
                Try({"predictions": rows(0, 1), **JOURNAL, **REPORT, "on_ambiguous": "resend"}, number=2),
                Try({"predictions": rows(0, 1), "journal": False, "on_ambiguous": "fail"}, _lost_again),
                Try({"predictions": rows(0, 1), **JOURNAL}, lambda kognic: setattr(kognic, "listing", None)),
                Try({"predictions": rows(0, 1), **JOURNAL, **RECEIPTS, "on_ambiguous": "resend"}),
            ],
        ),
        "sent_again": (
            _nothing,
            [
                Try(
                    {"predictions": rows(0, 1), **JOURNAL, **RECEIPTS, "on_ambiguous": "resend"},
                    _lost_again,
                ),
                Try({"predictions": rows(0, 1), **JOURNAL, **RECEIPTS}, number=2),
            ],
        ),
        "credentials": (
            _nothing,
            [Try({"predictions": rows(0, 1, 2, 3), "journal": False, **RECEIPTS}, _unauthorized, early=True)],
        ),
        "killed": (
            _nothing,
            [
                Try({"predictions": rows(0, 1, 2, 3), "journal": False, **RECEIPTS}, _killed, early=True),
            ],
        ),
        "permission": (
            _nothing,
            [
                Try(
                    {"predictions": rows(0), **JOURNAL, "retry_policy": None},
                    _all(0, answer=lambda: errors.KognicPermissionError("no", status=403, **POST)),
                    early=True,
                )
            ],
        ),
        "unknown_group": (
            _nothing,
            [
                Try({"predictions": rows(0), **JOURNAL, **RECEIPTS}, _all(0, answer=not_found), early=True),
                Try({"predictions": rows(0, 1), **JOURNAL, "dataset": DATASET}, _without_group),
                Try({"predictions": rows(0), "dataset": "no such dataset"}),
                Try({"predictions": rows(0), "predictions_group_uuid": "a group"}),
            ],
        ),
        "refused_alike": (
            _nothing,
            [
                Try(
                    {"predictions": rows(*range(25)), "journal": False},
                    lambda kognic: kognic.posts.update(
                        {n: [refused(422, f"scene {scene(n)} of 17 is odd")] for n in range(25)}
                    ),
                    early=True,
                    alike=True,
                )
            ],
        ),
        "outage": (
            _nothing,
            [
                Try(
                    {"predictions": rows(0), **JOURNAL, **RECEIPTS, "outage_timeout": 0},
                    _all(0, answer=lambda: errors.KognicConnectionError("refused: ConnectError", **POST)),
                    early=True,
                ),
                Try(
                    {"predictions": rows(0), **JOURNAL, "outage_timeout": 0},
                    _all(0, answer=lambda: errors.KognicServerError("down", status=503, **POST)),
                    number=2,
                    early=True,
                ),
                Try(
                    {"predictions": rows(0), **JOURNAL, "outage_timeout": 0},
                    _rate_limited,
                    number=3,
                    early=True,
                ),
            ],
        ),
        "nothing_to_send": (
            _nothing,
            [
                Try({"predictions": [], **RECEIPTS, "journal": "{root}/journal"}),
                Try({"predictions": [], **JOURNAL, "allow_empty": True}),
                Try({"predictions": [], "dry_run": True}),
                Try({"predictions": [], "dry_run": True, "allow_empty": True, **REPORT}),
                Try({"predictions": "{root}/nowhere"}),
                Try({"manifest": "{root}/nowhere.csv"}),
            ],
        ),
        "another_journal": (
            _another_journal,
            [
                Try({"predictions": rows(0), **JOURNAL}),
                Try({"predictions": rows(0), **JOURNAL}, lambda _: None),
                Try({"manifest": "{root}/in/receipts.jsonl", **JOURNAL}),
            ],
        ),
    }


def state_store_cases() -> dict[str, tuple[Callable[[Path], None], list[Try]]]:
    """Return the cases that need a task state store, as Airflow 3.3 has it."""
    several = {"predictions": rows(0, 1, 2, 3, 4, 5, 6, 7)}
    return {
        "state_store": (
            _nothing,
            [
                Try(
                    {**several, "on_ambiguous": "skip", "max_failures": "50%"},
                    _answers,
                    store=True,
                    streaks=True,
                ),
                Try({**several, "on_ambiguous": "skip"}, store=True, number=2),
                Try({**several, "dry_run": True}, store=True, number=2),
                Try({**several, "force": True}, _without_answers, store=True, number=3),
            ],
        )
    }


def _another_journal(root: Path) -> None:
    folder = root / "journal" / HOST / GROUP
    folder.mkdir(parents=True)
    (folder / "000001-0123abcd-0001.jsonl").write_text('{"format": "kognic-journal", "version": 3}\n')
    receipt = {"scene_uuid": scene(0), "source": "a.json", "predictions_group_uuid": DATASET, "host": HOST}
    write(root / "in", receipts__jsonl=[receipt])


def _annotated(kognic: Kognic) -> None:
    kognic.annotated = tuple(range(10))


def _without_answers(kognic: Kognic) -> None:
    kognic.posts = {}


def _without_group(kognic: Kognic) -> None:
    kognic.groups = []


def _lost_without_listing(kognic: Kognic) -> None:
    kognic.listing = NO_LISTING
    kognic.posts = {1: [no_answer()]}


def _lost_again(kognic: Kognic) -> None:
    kognic.posts = {1: [no_answer()]}


def run(cases: dict[str, tuple[Callable[[Path], None], list[Try]]]) -> Files:
    """Run cases."""
    found = {}
    for name, (prepare, tries) in cases.items():
        with tempfile.TemporaryDirectory() as temporary, World().alive() as world:
            root = Path(temporary).resolve()
            prepare(root)
            place = Place(root, world)
            found[f"{name}.json"] = as_json([place.run(one) for one in tries])
    return found


def make() -> Files:
    """Write what is seen of each case."""
    return run(cases())


def make_with_state_store() -> Files:
    """Write what is seen of the cases that need a task state store."""
    return run(state_store_cases())
