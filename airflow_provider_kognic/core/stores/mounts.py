"""Which folders lie on a disk, or in the memory, of this machine: there a read comes back, and soon.

What lies elsewhere (NFS, SMB, whatever is mounted by FUSE: s3fs, gcsfuse, sshfs) waits for a server, perhaps for
ever.
"""

from __future__ import annotations

import re
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")
# Whatever is not among these counts as remote: also what nobody has heard of yet.
_OF_THIS_MACHINE = frozenset(
    (
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs"),
        *("tmpfs", "ramfs", "overlay", "squashfs", "erofs", "vfat", "exfat", "ntfs3"),
    )
)
# Where in a line stands at what folder it is mounted.
_POINT = 4
_ESCAPED = re.compile(r"\\([0-7]{3})")


def is_of_this_machine(folder: Path, table: Path = _TABLE) -> bool:
    """Tell whether a folder certainly lies on a disk of this machine. May take as long as its file system does.

    Args:
        folder: The folder; links are followed.
        table: Linux' table of what is mounted where. Where there is none, nothing is certain.
    """
    try:
        real = str(folder.resolve(strict=True))
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except (OSError, RuntimeError, ValueError):  # the second for links to themselves, before Python 3.13
        return False
    longest, kind = -1, ""
    for line in lines:
        fields, _, about = line.partition(" - ")
        if len(told := fields.split(" ")) <= _POINT:
            continue
        point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), told[_POINT])
        # Of several at one place the last one is seen.
        if len(point) >= longest and (f"{real}/".startswith(f"{point.rstrip('/')}/")):
            longest, kind = len(point), about.split(" ")[0]
    return kind in _OF_THIS_MACHINE
