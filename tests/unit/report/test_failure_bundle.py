"""The failure bundle holds what a bug report needs, and no password or key in whatever form."""

import tarfile
from pathlib import Path

import pytest

from hotplug_kit.report import bundle
from hotplug_kit.report.bundle import HIDDEN, write_bundle
from ReportLibrary.failures import bed_text, secrets

PASSWORD = 'pa"ss<w>ord'


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        found = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.removeprefix("failure-bundle/")] = file.read().decode()
        return found


def test_texts_and_logs_are_in_one_archive_and_disks_are_not(tmp_path: Path) -> None:
    logs = tmp_path / "artifacts"
    logs.mkdir()
    (logs / "vhost.log").write_text("it died")
    (logs / "Aio0.img").write_bytes(bytes(1000))
    write_bundle(tmp_path / "bundle.tar.gz", {"versions.txt": "7.2"}, {"artifacts": logs}, [])
    assert contents(tmp_path / "bundle.tar.gz") == {"versions.txt": "7.2", "artifacts/vhost.log": "it died"}
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_secrets_are_hidden_as_they_are_as_json_and_as_html(tmp_path: Path) -> None:
    logs = tmp_path / "artifacts"
    logs.mkdir()
    (logs / "a.log").write_text(f"ssh said {PASSWORD}")
    (logs / "b.jsonl").write_text('{"password": "pa\\"ss<w>ord"}')
    (logs / "c.txt").write_text("pa&quot;ss&lt;w&gt;ord -----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    write_bundle(tmp_path / "b.tar.gz", {"command": f"robot -v GUEST_PASSWORD:{PASSWORD}"}, {"": logs}, [PASSWORD])
    everything = "".join(contents(tmp_path / "b.tar.gz").values())
    assert everything.count(HIDDEN) == 5
    for part in ("ss<w>", "ss&lt;w", "abc"):
        assert part not in everything


def test_long_file_keeps_its_beginning_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_OF_A_FILE", 10)
    logs = tmp_path / "artifacts"
    logs.mkdir()
    (logs / "vhost.log").write_text("first" + "x" * 100 + "last!")
    write_bundle(tmp_path / "b.tar.gz", {}, {"a": logs}, [])
    text = contents(tmp_path / "b.tar.gz")["a/vhost.log"]
    assert text.startswith("first") and text.endswith("last!") and "100 bytes left out" in text


def test_secrets_of_a_test_bed_are_found_by_name_and_hidden() -> None:
    bed = {"target": "spdk", "guest_password": PASSWORD, "nvme": [{"auth_token": "t0ken", "address": "1.2.3.4"}]}
    assert set(secrets(bed)) == {PASSWORD, "t0ken"}
    text = bed_text(bed)
    assert "1.2.3.4" in text and "t0ken" not in text and "ss<w" not in text
