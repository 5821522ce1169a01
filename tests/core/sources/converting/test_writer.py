"""The numbers of a document, to the last letter."""

import random
import struct
from pathlib import Path

from airflow_provider_kognic.core.models import Prediction
from tests.core.sources.converting.support import box, one_scene_each, opened, write_json

# Where Python's own text of a number becomes another: exponents, and the numbers next to them.
AT_LIMITS = (1e16, 9999999999999998.0, 1e22, 1e-4, 9.999999999999999e-05, 1e-5, 1.5e-5, 1e-7, 5e-324, 1e308)


def any_float(dice: random.Random) -> float:
    """A number that is above 0: of any size, or short as people write them, or of single precision."""
    kind = dice.randrange(4)
    if kind == 0:
        found: float = struct.unpack("d", struct.pack("Q", dice.getrandbits(62)))[0]
        return found or 1.0
    if kind == 1:
        return round(dice.uniform(0.001, 2000), dice.randrange(3, 8))
    if kind == 2:
        single: float = struct.unpack("f", struct.pack("f", dice.uniform(0.001, 2000)))[0]
        return single
    return dice.uniform(0.1, 10) * 10.0 ** dice.randrange(-6, 18)


def test_numbers_are_what_repr_writes(tmp_path: Path) -> None:
    """That is the contract, whatever writes them: other letters would make each finished upload a changed one."""
    dice = random.Random(13)
    sizes = [
        *((value, 1.5) for value in AT_LIMITS),
        *((any_float(dice), any_float(dice)) for _ in range(3000)),
    ]
    scores = [dice.choice((None, 0.0, 1.0, 1e-5, 2.5e-5, 1e-4, 1e-7, dice.random())) for _ in sizes]
    rows = [box("a", bbox=(0.0, 0.0, *size), score=score) for size, score in zip(sizes, scores, strict=True)]
    (entry,) = opened(
        write_json(tmp_path / "r.json", rows), one_scene_each(tmp_path, ["a"]), classes={"1": "Car"}
    )
    assert isinstance(entry, Prediction)
    document = entry.read().decode()
    at = 0
    for (width, height), score in zip(sizes, scores, strict=True):
        values = ",".join(map(repr, (width / 2, height / 2, width, height)))
        sure = "" if score is None else f',"num":[{{"name":"confidence","val":{score!r}}}]'
        attributes = f'"attributes":{{"text":[{{"name":"stream","val":"CAM"}}]{sure}}}'
        wanted = f'{{"name":"bbox","val":[{values}],{attributes}}}'
        found = document.find(wanted, at)
        assert found > 0, wanted
        at = found
