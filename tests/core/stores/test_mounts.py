"""What is of this machine, as Linux' table of mounts says."""

from pathlib import Path

import pytest

from airflow_provider_kognic.core.stores.mounts import is_of_this_machine


def line(point: str, kind: str) -> str:
    return f"36 35 98:0 / {point} rw,noatime shared:1 - {kind} source rw,errors=continue"


def table(tmp_path: Path, *mounts: tuple[str, str]) -> Path:
    """A table of `/` on a disk, and of what else is mounted."""
    path = tmp_path / "mountinfo"
    path.write_text("".join(f"{line(*mount)}\n" for mount in (("/", "ext4"), *mounts)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "day 1"
    made.mkdir(parents=True)
    return made


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs"])
def test_disks_and_memory_are(tmp_path: Path, folder: Path, kind: str) -> None:
    assert is_of_this_machine(folder, table(tmp_path, (str(tmp_path), kind)))


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "fuse.s3fs", "fuse.gcsfuse", "fuse", "9p", "ceph", "autofs", "new"],
)
def test_what_a_server_has_is_not_nor_what_nobody_knows(tmp_path: Path, folder: Path, kind: str) -> None:
    assert not is_of_this_machine(folder, table(tmp_path, (str(tmp_path), kind)))


def test_the_mount_that_is_nearest_and_the_last_of_one_place_count(tmp_path: Path, folder: Path) -> None:
    """And no part of a name is taken for a folder; blanks are written as numbers."""
    data, day = str(folder.parent), str(folder).replace(" ", r"\040")
    assert not is_of_this_machine(folder, table(tmp_path, (data, "ext4"), (day, "nfs4")))
    assert is_of_this_machine(folder, table(tmp_path, (day, "ext4"), (data, "nfs4")))
    assert not is_of_this_machine(folder, table(tmp_path, (day, "ext4"), (day, "nfs4")))
    assert is_of_this_machine(folder, table(tmp_path, (data[:-1], "nfs4")))


@pytest.mark.parametrize("sign", ["\x1c", "\x85", "\u2028"])
def test_whatever_a_mount_is_called(tmp_path: Path, folder: Path, sign: str) -> None:
    """Linux writes only blanks, tabs, line feeds and backslashes as numbers: no other sign ends a line."""
    odd = folder / f"a{sign}b"
    odd.mkdir()
    mounts = table(tmp_path, (str(odd).replace(" ", r"\040"), "nfs4"))
    assert is_of_this_machine(folder, mounts)
    assert not is_of_this_machine(odd, mounts)


def test_links_are_followed(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert not is_of_this_machine(tmp_path / "link", table(tmp_path, (str(folder.parent), "cifs")))


def test_without_a_table_or_a_folder_nothing_is_certain(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert not is_of_this_machine(folder, tmp_path / "no such table")
    assert not is_of_this_machine(folder / "none", table(tmp_path))
    assert not is_of_this_machine(tmp_path / "itself", table(tmp_path))


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux has that table")
def test_what_is_no_disk_here_either(tmp_path: Path) -> None:
    """The kernel's own files; it is this machine's table that is asked."""
    assert not is_of_this_machine(Path("/proc/self"))
