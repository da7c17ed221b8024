"""Archives are read by their content, up to a bound, and refused in one line where broken."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpi_bt.errors import InputError
from hpi_bt.sources import archives, tables
from hpi_bt.sources.archives import check_size, opened
from hpi_bt.sources.base import Locations
from hpi_bt.sources.chains import read_chain
from hpi_bt.sources.files import CsvSource, ParquetSource

BARS = "date,open,high,low,close\n" + "".join(
    f"2024-01-{day:02d},1,2,1,1.{day}\n" for day in (2, 3, 4, 5, 8, 9, 10, 11, 12)
)


def zipped(data: bytes, *names: str) -> bytes:
    """A zip of that content under each name."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return whole.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    ".zip": lambda data: zipped(data, "bars.csv", "__MACOSX/._bars.csv"),
}


def refused(folder: Path, name: str) -> str:
    """What bars and chains say of a file; both in one line that begins with its name."""
    said = []
    for read in (
        lambda: CsvSource(path=name).read(Locations((folder,)), "XNYS"),
        lambda: read_chain(name, where=Locations((folder,))),
    ):
        with pytest.raises(InputError) as error:
            read()
        said.append(str(error.value))
        assert said[-1].startswith(f"{name}: ")
        assert "\n" not in said[-1]
    return said[0]


@pytest.mark.parametrize("suffix", PACK)
def test_an_archive_reads_as_the_file_in_it(suffix: str, tmp_path: Path):
    for name in (f"bars.csv{suffix}", "bars.csv"):  # a suffix that promises nothing is no matter
        (tmp_path / name).write_bytes(PACK[suffix](BARS.encode()))
        frame = CsvSource(path=name).read(Locations((tmp_path,)), "XNYS")
        assert frame["close"].tolist() == [1.2, 1.3, 1.4, 1.5, 1.8, 1.9, 1.10, 1.11, 1.12]


@pytest.mark.parametrize("suffix", PACK)
def test_a_false_an_empty_and_half_an_archive_are_refused(suffix: str, tmp_path: Path):
    whole = PACK[suffix](BARS.encode() * 400)
    contents = {"false": BARS.encode(), "half": whole[: len(whole) // 2], "head": whole[:12]}
    for kind, content in contents.items():
        (tmp_path / f"{kind}.csv{suffix}").write_bytes(content)
        assert "cannot be read (" in refused(tmp_path, f"{kind}.csv{suffix}")
    (tmp_path / f"empty.csv{suffix}").write_bytes(b"")
    assert "empty" in refused(tmp_path, f"empty.csv{suffix}")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_an_archive_with_a_damaged_byte_is_refused(suffix: str, tmp_path: Path):
    whole = bytearray(PACK[suffix](BARS.encode()))
    whole[len(whole) // 2] ^= 255
    (tmp_path / f"bars.csv{suffix}").write_bytes(whole)
    assert "cannot be read (" in refused(tmp_path, f"bars.csv{suffix}")


@pytest.mark.parametrize("suffix", PACK)
def test_an_archive_that_grows_without_end_is_refused(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archives, "MOST_BYTES", 100_000)
    head, row = BARS.encode().split(b"\n")[:2]
    (tmp_path / f"bomb.csv{suffix}").write_bytes(PACK[suffix](head + b"\n" + (row + b"\n") * 9000))
    assert "holds more than 100,000 bytes when decompressed" in refused(
        tmp_path, f"bomb.csv{suffix}"
    )
    (tmp_path / f"line.csv{suffix}").write_bytes(PACK[suffix](b'{"data": "' + b"a" * 200_000))
    assert "holds more than 100,000 bytes" in refused(tmp_path, f"line.csv{suffix}")


def test_reading_stops_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 5_000_000)
    path = tmp_path / "zeros.gz"
    path.write_bytes(gzip.compress(b"\0" * 50_000_000))
    with opened(path, "zeros.gz") as file:
        assert len(file.read(4_000_000)) == 4_000_000
        with pytest.raises(InputError, match="more than 5,000,000"):
            file.read(2_000_000)
    with pytest.raises(InputError, match="more than 5,000,000"):
        check_size(path, "zeros.gz")


def test_a_plain_file_has_no_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 10)
    (tmp_path / "bars.csv").write_text(BARS)
    assert len(CsvSource(path="bars.csv").read(Locations((tmp_path,)), "XNYS")) == 9


@pytest.mark.parametrize(
    ("names", "told"), [(("a.csv", "b.csv"), "holds 2 files"), ((), "holds 0 files")]
)
def test_a_zip_of_none_or_several_is_refused(names: tuple[str, ...], told: str, tmp_path: Path):
    (tmp_path / "bars.zip").write_bytes(zipped(BARS.encode(), *names))
    assert f"{told}; wanted an archive of one table" in refused(tmp_path, "bars.zip")


def test_a_zip_with_a_password_is_refused(tmp_path: Path):
    whole = bytearray(zipped(BARS.encode(), "bars.csv"))
    whole[6] |= 1  # the flag of encryption, in both headers
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "bars.zip").write_bytes(whole)
    assert "cannot be read (" in refused(tmp_path, "bars.zip")


def test_a_parquet_of_countless_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "_MOST_ROWS", 5)
    days = [row.split(",") for row in BARS.split()[1:]]
    table = pa.table(
        {n: [row[i] for row in days] for i, n in enumerate(BARS.split()[0].split(","))}
    )
    pq.write_table(table, tmp_path / "bars.parquet")
    with pytest.raises(InputError, match=r"^bars.parquet: 9 rows; wanted at most 5, cut the file"):
        ParquetSource(path="bars.parquet").read(Locations((tmp_path,)), "XNYS")
