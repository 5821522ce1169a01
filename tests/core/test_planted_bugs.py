"""The tests of the checker, tested: bugs are planted in it, one at a time, and the rulebook has to notice each."""

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import airflow_provider_kognic.core
from airflow_provider_kognic.core.rules import RULES

from .rulebook import faults_of

CORE = Path(str(airflow_provider_kognic.core.__file__)).parent
PACKAGE = airflow_provider_kognic.core.__name__
MODULES = (
    *("bitmaps", "findings", "hints", "openlabel", "parsing", "pieces", "quick", "rules", "schema"),
    *("shapes", "thorough"),
)


class _Planter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module with other source than its file has."""

    def __init__(self, name: str, source: str) -> None:
        self.name = f"{PACKAGE}.{name}"
        self.source = source

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, f"{self.name} with a bug", "exec"), module.__dict__)


@contextmanager
def planted(module: str, old: str, new: str) -> Iterator[Callable[[bytes], Any]]:
    """The checker with a bug: in one of its modules, `old`, which occurs once, is `new`."""
    source = (CORE / f"{module}.py").read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{module} has {old!r} {source.count(old)} times"
    names = [f"{PACKAGE}.{name}" for name in MODULES]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    for name in names:
        airflow_provider_kognic.core.__dict__.pop(name.rpartition(".")[2], None)
    planter = _Planter(module, source.replace(old, new))
    sys.meta_path.insert(0, planter)
    try:
        yield importlib.import_module(f"{PACKAGE}.openlabel").check
    finally:
        sys.meta_path.remove(planter)
        for name in names:
            sys.modules.pop(name, None)
            airflow_provider_kognic.core.__dict__.pop(name.rpartition(".")[2], None)
        for name, loaded in kept.items():
            sys.modules[name] = loaded
            setattr(airflow_provider_kognic.core, name.rpartition(".")[2], loaded)


def test_without_a_bug_there_is_nothing_to_notice() -> None:
    with planted("findings", "self.counts[rule] += 1", "self.counts[rule] += 1  # no bug") as check:
        assert list(faults_of(check)) == []


@pytest.mark.parametrize("rule", [rule.identifier for rule in RULES])
def test_a_rule_that_is_switched_off_is_noticed(rule: str) -> None:
    counting = "        self.counts[rule] += 1\n"
    with planted(
        "findings", counting, f"        if rule == {rule!r}:\n            return\n{counting}"
    ) as check:
        assert any(fault.startswith(f"{rule}:") for fault in faults_of(check))


BUGS = [
    # The quick way: what it overlooks is never explained.
    ("quick", "if lidars - {LIDAR} or (LIDAR in streams and not lidars):", "if lidars - {LIDAR}:"),
    ("quick", "if lidars - {LIDAR} or (LIDAR in streams and not lidars):", "if LIDAR in streams and not lidars:"),
    ("quick", "cameras=streams.keys() - lidars", "cameras=streams.keys()"),
    ("quick", "if name not in declared:", "if False:"),
    ("quick", "if self._stream(box.attributes) not in cameras:", "if not self._stream(box.attributes):"),
    ("quick", "<= _HIGHEST and has_lidar", "and has_lidar"),
    ("quick", "(_LOWEST <= sqrt(", "(sqrt("),
    ("quick", "x * x + y * y + z * z + w * w", "y * y + z * z + w * w"),
    ("quick", "x * x + y * y + z * z + w * w", "x * x + z * z + w * w"),
    ("quick", "x * x + y * y + z * z + w * w", "x * x + y * y + w * w"),
    ("quick", "<= _HIGHEST and has_lidar", "<= _HIGHEST"),
    ("quick", "if self._stream(cuboid.attributes) != LIDAR:", "if not self._stream(cuboid.attributes):"),
    ("quick", "if name not in known.bitmaps or not known.levels:", "if not known.levels:"),
    ("quick", "if self._stream(image.attributes) not in known.cameras:", "if False:"),
    ("quick", "if image.attributes and image.attributes.num:", "if False:"),
    ("quick", "if not grey_levels(image.val) <= known.levels:", "if not grey_levels(image.val):"),
    ("quick", "elif text.name in _NAMES:", "elif False:"),
    ("quick", "and not given and 0 <= num.val <= 1", "and 0 <= num.val <= 1"),
    ("quick", "and not given and 0 <= num.val <= 1", "and not given and 0 <= num.val"),
    ("quick", "and not given and 0 <= num.val <= 1", "and not given and num.val <= 1"),
    ("quick", "elif num.name in _NAMES:", "elif False:"),
    ("quick", "if any(item.name in _NAMES for", "if any(False for"),
    ("quick", 'json.count(b":") != _encode(decoded).count(b":")', "False"),
    ("quick", 'or b"\\\\u003" in json', ""),
    ("quick", "if findings.counts:", "if False:"),
    ("quick", "if len(set(facts.timestamps)) != len(facts.timestamps) or not facts.timestamps:", "if False:"),
    ("quick", "facts.vehicles += 1", "facts.vehicles += 2"),
    ("quick", "facts.wide_vehicles += width > length", "facts.wide_vehicles += width > 2 * length"),
    ("quick", "facts.others += 1", "pass"),
    ("quick", "facts.wide_others += is_very_wide(width, length)", "facts.wide_others += 1"),
    ("quick", "facts.empty_frames += 1", "pass"),
    ("quick", "name if not facts.empty_frames else facts.first_empty", "name"),
    # The schema.
    ("schema", "_BoxSize = Annotated[float, Meta(gt=0,", "_BoxSize = Annotated[float, Meta(ge=0,"),
    ("schema", "_CuboidSize = Annotated[float, Meta(gt=0,", "_CuboidSize = Annotated[float, Meta(ge=0,"),
    ("schema", "tuple[float, float, _BoxSize, _BoxSize]", "tuple[float, float, _BoxSize, float]"),
    ("schema", "_CuboidSize, _CuboidSize, _CuboidSize]", "_CuboidSize, _CuboidSize, float]"),
    ("schema", "Meta(ge=0, le=MOST_TIMESTAMP,", "Meta(le=MOST_TIMESTAMP,"),
    ("schema", "Meta(ge=0, le=MOST_TIMESTAMP,", "Meta(ge=0,"),
    ("schema", 'r"^[0-9]+\\Z"', 'r"^-?[0-9]+\\Z"'),
    ("schema", "[0-9a-fA-F]{12})\\Z", "[0-9a-fA-F]{12})$"),
    ("schema", "[0-9a-fA-F]{12})\\Z", "[0-9a-fA-F]{11,12})\\Z"),
    ("schema", "|25[0-5])", "|25[0-9])"),
    ("schema", "(?:[0-9]|[1-9][0-9]|", "(?:[0-9]|[0-9][0-9]|"),
    ("schema", "                Annotated[str, Meta(min_length=1)],", "                str,"),
    ("schema", 'Annotated[str, Meta(min_length=1, extra={"rule": "object_type"})]', "str"),
    ("schema", 'Literal["base64"]', "str"),
    ("schema", 'Literal["image/png"]', "str"),
    ("schema", 'Literal["1.0.0"], Meta', "str, Meta"),
    ("schema", 'Literal["camera", "lidar"], Meta', 'Literal["camera", "lidar", "radar"], Meta'),
    ("schema", "Meta(max_length=0)", "Meta(max_length=1)"),
    ("schema", "    poly3d: Unsupported = UNSET\n", "    poly3d: Maybe[list[Any]] = UNSET\n"),
    ("schema", "    cuboid: Static = UNSET\n", "    cuboid: Maybe[list[Any]] = UNSET\n"),
    ("schema", "omit_defaults=True, forbid_unknown_fields=True", "omit_defaults=True"),
    ("schema", "if given not in TRANSFORMS:", "if False:"),
    # The thorough way.
    ("thorough", 'if (kind == "lidar") != (name == LIDAR) and', 'if (kind == "lidar") and name != LIDAR and'),
    ("thorough", "elif identifier not in self._objects:", "elif identifier.lower() not in self._objects:"),
    ("thorough", "if stamp in self._stamps:", "if stamp in list(self._stamps)[-1:]:"),
    ("thorough", "for index in given[1:]:", "for index in given[2:]:"),
    ("thorough", "elif stream not in self._streams:", "elif stream and stream not in self._streams:"),
    ("thorough", "!= _SENSOR[kind]:", '!= "camera":'),
    ("thorough", "and not 0 <= value <= 1:", "and not 0 <= value <= 100:"),
    ("thorough", "            seen = True", "            seen = False"),
    ("thorough", "if abs(length - 1) > QUATERNION_TOLERANCE:", "if length - 1 > QUATERNION_TOLERANCE:"),
    ("thorough", "hypot(*value[3:7])", "hypot(*value[4:7])"),
    ("thorough", "hypot(*value[3:7])", "hypot(*value[3:6])"),
    ("thorough", "unnamed = sorted(levels - self._levels)", "unnamed = sorted(levels - self._levels)[1:]"),
    ("thorough", 'if kind not in {"", BITMAP}:', "if kind in {BITMAP}:"),
    ("thorough", "enumerate(_list(data, kind))", "enumerate(_list(data, kind)[1:])"),
    ("rules", "QUATERNION_TOLERANCE = 0.01", "QUATERNION_TOLERANCE = 0.05"),
    ("rules", "MOST_TIMESTAMP = 2**53 - 1", "MOST_TIMESTAMP = 2**53"),
    # How JSON is read.
    ("parsing", "if len(value) == len(pairs):", "if len(value) <= len(pairs):"),
    ("parsing", "number if math.isfinite(number) else _not_finite(written)", "number"),
    ("parsing", "parse_constant=_not_finite", "parse_constant=float"),
    ("parsing", "if len(path) > MOST_DEPTH:", "if len(path) > 10 * MOST_DEPTH:"),
    ("parsing", "            msgspec.json.decode(document)\n", "            pass\n"),
    ("parsing", "except RecursionError:", "except ZeroDivisionError:"),
    # How the schema is walked.
    ("shapes", "rule if element else own", "own"),
    ("shapes", "not isinstance(value, bool) or isinstance(shape, inspect.BoolType)", "True"),
    ("shapes", "if shape.forbid_unknown_fields:", "if False:"),
    ("shapes", "elif field.required:", "elif False:"),
    ("shapes", "not least <= len(value) <= most", "not least <= len(value)"),
    ("shapes", "(*path, index), rule)", "path, rule)"),
    # Bitmaps.
    ("bitmaps", "(depth, colour) != (_DEPTH, _GREYSCALE)", "depth != _DEPTH"),
    ("bitmaps", "(depth, colour) != (_DEPTH, _GREYSCALE)", "colour != _GREYSCALE"),
    ("bitmaps", "if width * height > MOST_PIXELS:", "if width > MOST_PIXELS:"),
    ("bitmaps", "if count)", "if count > 1)"),
    ("bitmaps", "validate=True", "validate=False"),
    ("bitmaps", "if zlib.crc32(view[position + 4 : end - 4]) !=", "if 0 > "),
    # Warnings.
    ("hints", "_MOST_EMPTY = 0.5", "_MOST_EMPTY = 0.7"),
    ("hints", "_MOST_EMPTY = 0.5", "_MOST_EMPTY = 0.4"),
    ("hints", 'facts.first_frame != "0" or stamps[0] != 0', "stamps[0] != 0"),
    ("hints", 'facts.first_frame != "0" or stamps[0] != 0', 'facts.first_frame != "0"'),
    ("hints", "_CLOSEST_MS = 5", "_CLOSEST_MS = 1"),
    ("hints", "_CLOSEST_MS = 5", "_CLOSEST_MS = 50"),
    ("hints", "steps[len(steps) // 2] < _CLOSEST_MS", "steps[0] < _CLOSEST_MS"),
    ("hints", "ordered = sorted(stamps)", "ordered = stamps"),
    ("hints", "range(1_000_000_000, 4_000_000_000)", "range(1_000_000_000, 4_000_000_000_000)"),
    ("hints", "2 * facts.wide_vehicles > facts.vehicles", "2 * facts.wide_vehicles >= facts.vehicles"),
    ("hints", "2 * facts.wide_vehicles > facts.vehicles", "facts.wide_vehicles >= facts.vehicles"),
    ("hints", "_FEWEST_UNKNOWN = 10", "_FEWEST_UNKNOWN = 1"),
    ("hints", "_MOST_UNKNOWN = 0.75", "_MOST_UNKNOWN = 0.5"),
    ("hints", "_VERY_WIDE = 1.5", "_VERY_WIDE = 1.2"),
    ("hints", '|vehicle"', '"'),
]  # fmt: skip


@pytest.mark.parametrize(("module", "old", "new"), BUGS)
def test_a_bug_is_noticed(module: str, old: str, new: str) -> None:
    with planted(module, old, new) as check:
        try:
            noticed = next(faults_of(check), None)
        except Exception as error:  # noqa: BLE001 - a crash is noticed, too
            noticed = repr(error)
    assert noticed
