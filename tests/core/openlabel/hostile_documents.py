"""Documents that are made to do harm, each with the rules of which it has to break one; none if it is valid.

Run as a program with a limit (bytes of address space) and a name, it checks one and prints what was found.
"""

import json
import resource
import sys
import time
from collections.abc import Callable

from airflow_provider_kognic.core.openlabel import check
from tests.core.documents import OBJECT, boxes, encode, png, segmentation

MB = 1_000_000


def put_in(value: bytes) -> bytes:
    """A document with a value, already JSON, where the schema allows anything."""
    return encode(boxes()).replace(b'"external_id": ""', b'"mine": %s' % value, 1)


def filled(item: Callable[[int], bytes], size: int = 200 * MB) -> bytes:
    """So many bytes of items, made without more memory than they take."""
    data = bytearray()
    number = 0
    while len(data) < size:
        data += b",".join(item(number + i) for i in range(1000)) + b","
        number += 1000
    del data[-1:]
    return bytes(data)


def frames(item: Callable[[int], bytes], size: int = 200 * MB) -> bytes:
    """A document full of frames."""
    start = (
        b'{"openlabel":{"metadata":{"schema_version":"1.0.0"},"streams":{"C":{"type":"camera"}},"objects":{"1":'
        b'{"name":"","type":"Car"}},"frames":{'
    )
    return start + filled(item, size) + b"}}}"


BOX = b'{"name":"","val":[1,2,3,4],"attributes":{"text":[{"name":"stream","val":"C"}]}}'
WRONG = b'{"name":"","val":[1,2,3]}'
DATA = b'"objects":{"1":{"object_data":{"bbox":[%s]}}}'


def honest(number: int) -> bytes:
    data = DATA % b",".join([BOX] * 60)
    return b'"%d":{"frame_properties":{"timestamp":%d},%s}' % (number, 100 * number, data)


def faulty(number: int) -> bytes:
    data = DATA % b",".join([WRONG] * 100)
    return b'"%d":{"frame_properties":{"timestamp":-1},%s}' % (number, data)


def picture(value: bytes) -> bytes:
    """A segmentation with another value."""
    document = encode(segmentation())
    start = document.index(b'"val": "') + len(b'"val": "')
    return document[:start] + value + document[document.index(b'"', start) :]


def bitmap(content: bytes) -> bytes:
    """A segmentation with another PNG."""
    return encode(segmentation(content))


def nested_attributes(depth: int) -> bytes:
    opening, closing = b',"attributes":{"text":[{"val":""' * depth, b"}]}" * depth
    return encode(boxes()).replace(b'"val": "CAM"', b'"val": "CAM"' + opening + closing, 1)


def nest(opening: bytes, closing: bytes, size: int) -> bytes:
    """So many bytes of a list of values that are nested as deeply as may be, with next to no comma in it."""
    one = opening * 80 + b"1" + closing * 80
    return b"[%s]" % b",".join([one] * (size // (len(one) + 1)))


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "deep lists": (lambda: b"[" * (200 * MB), {"not_json", "too_large", "no_openlabel"}),
    "deep objects": (lambda: b'{"openlabel":' * (15 * MB), {"not_json", "too_large", "no_openlabel"}),
    "a deep value": (lambda: put_in(b"[" * MB + b"]" * MB), {"too_large"}),
    "a deep value in a large document": (lambda: put_in(b"[" * (5 * MB) + b"]" * (5 * MB)), {"too_large"}),
    "deep attributes": (lambda: nested_attributes(50_000), {"too_large"}),
    "deep attributes that no parser minds": (lambda: nested_attributes(90), {"too_large"}),
    "a number of many digits": (lambda: put_in(b"9" * 100_000), {"not_finite"}),
    "a number of very many digits": (lambda: put_in(b"9" * (50 * MB)), {"not_finite", "not_json"}),
    "a huge exponent": (lambda: put_in(b"1e999999999999"), {"not_finite"}),
    "a timestamp of many digits": (
        lambda: encode(boxes()).replace(b'"timestamp": 0', b'"timestamp": ' + b"9" * 100_000),
        {"not_finite"},
    ),
    "megabytes of one unknown key": (
        lambda: encode(boxes()).replace(b'"frames"', b'"%s": 1, "frames"' % (b"k" * (20 * MB))),
        {"unknown_key"},
    ),
    "megabytes of one allowed key": (lambda: put_in(b'{"%s": 1}' % (b"k" * (20 * MB))), set()),
    "megabytes of one id": (lambda: encode(boxes()).replace(OBJECT.encode(), b"7" * (10 * MB)), set()),
    "megabytes of one text": (lambda: encode(boxes()).replace(b"car 1", b"x" * (50 * MB)), set()),
    "megabytes of emoji": (
        lambda: encode(boxes()).replace(b"car 1", "\U0001f600".encode() * (10 * MB)),
        set(),
    ),
    "200 MB of spaces": (lambda: b" " * (200 * MB), {"not_json"}),
    "200 MB of empty lists": (lambda: put_in(b"[" + b"[]," * (66 * MB) + b"1]"), {"too_large"}),
    "200 MB of numbers": (lambda: put_in(b"[" + b"1," * (100 * MB) + b"1]"), {"too_large"}),
    "60 MB of lists in lists": (lambda: put_in(nest(b"[", b"]", 60 * MB)), {"too_large"}),
    "60 MB of objects in objects": (lambda: put_in(nest(b'{"a":', b"}", 60 * MB)), {"too_large"}),
    "as many objects in objects as may be": (lambda: put_in(nest(b'{"a":', b"}", 6 * MB - 1000)), set()),
    "200 MB of unknown keys": (
        lambda: b'{"openlabel":{%s}}' % filled(lambda i: b'"k%d":1' % i),
        {"unknown_key"},
    ),
    "200 MB of one key": (lambda: b'{"openlabel":{%s}}' % filled(lambda _: b'"frames":{}'), {"unknown_key"}),
    "200 MB of objects": (
        lambda: b'{"openlabel":{"objects":{%s}}}' % filled(lambda i: b'"%d":{}' % i),
        {"too_large"},
    ),
    "200 MB of empty frames": (lambda: frames(lambda i: b'"%d":{}' % i), {"timestamp_missing"}),
    "200 MB of frames": (
        lambda: frames(lambda i: b'"%d":{"frame_properties":{"timestamp":%d}}' % (i, i)),
        {"too_large"},
    ),
    "200 MB of frames with keys in escapes": (
        lambda: frames(lambda i: b'"%d":{"frame\\u005fproperties":{}}' % i),
        {"too_large"},
    ),
    "200 MB of an honest document": (lambda: frames(honest), set()),
    "100 MB of faults": (lambda: frames(faulty, 100 * MB), {"too_large"}),
    "a bomb": (lambda: bitmap(png(60_000, 60_000, levels=[], pixels=b"")), {"too_large"}),
    "a bitmap that is as large as may be": (lambda: bitmap(png(8_900, 8_900, levels=[0])), set()),
    "a bitmap of nothing": (lambda: picture(b""), {"bitmap_base64"}),
    "a bitmap of padding": (lambda: picture(b"=" * (50 * MB)), {"bitmap_base64"}),
    "a bitmap of zeros": (lambda: picture(b"A" * (40 * MB)), {"bitmap_png"}),
    "a bitmap of 100 MB": (lambda: picture(b"A" * (100 * MB)), {"too_large"}),
}


def main() -> None:
    """Check one."""
    limit, name = int(sys.argv[1]), sys.argv[2]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    document = HOSTILE[name][0]()
    start = time.process_time()
    found = check(document)
    took = time.process_time() - start
    issues = [issue.to_dict() for issue in found.issues]
    sys.stdout.write(json.dumps([len(document), took, found.valid, dict(found.counts), issues]))


if __name__ == "__main__":
    main()
