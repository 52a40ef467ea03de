"""What a run has in a table: its buckets and their parts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

__all__ = ["PartMeta", "PartitionMeta", "TableManifest"]

VERSION = 1


class Record:
    """Fields can also be had as of a dict: manifest["partitions"]["000001"]["parts"][0]["rows"]."""

    def keys(self) -> list[str]:
        return [one.name for one in fields(self)]  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __len__(self) -> int:
        return len(self.keys())

    def __bool__(self) -> bool:
        return True


@dataclass
class PartMeta(Record):
    """One Parquet file."""

    path: str
    """Its name in the folder of its bucket."""
    rows: int
    bytes: int
    tick_min: int
    tick_max: int
    created_at: str


@dataclass
class PartitionMeta(Record):
    """The parts of one bucket, in the order of their appends."""

    bucket_id: int
    state: str
    """"ready": nothing else is ever seen."""
    tick_min: int
    tick_max: int
    row_count: int
    byte_size: int
    parts: list[PartMeta] = field(default_factory=list)


@dataclass(repr=False)
class TableManifest(Record):
    """The catalog's view of one table of one run. Keys of partitions are bucket numbers of six digits or more."""

    table: str
    version: int
    created_at: str
    updated_at: str
    partitions: dict[str, PartitionMeta]

    def to_json_obj(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def row_count(self) -> int:
        return sum(partition.row_count for partition in self.partitions.values())

    @property
    def byte_size(self) -> int:
        return sum(partition.byte_size for partition in self.partitions.values())

    def _title(self) -> str:
        from lochan import _show

        parts = sum(len(partition.parts) for partition in self.partitions.values())
        return (f"{self.table}: {_show.count(self.row_count, 'row')}, {_show.size(self.byte_size)}, {_show.count(parts, 'part')} in "
                f"{_show.count(len(self.partitions), 'bucket')}, {self.created_at[:19]} to {self.updated_at[:19]}")

    def _shown(self) -> tuple[str, list[str], list[tuple[Any, ...]], int]:
        names = ["bucket_id", "tick_min", "tick_max", "row_count", "byte_size", "parts"]
        first = list(self.partitions.values())[:20]
        rows = [(p.bucket_id, p.tick_min, p.tick_max, p.row_count, p.byte_size, len(p.parts)) for p in first]
        return self._title(), names, rows, len(self.partitions)

    def __repr__(self) -> str:
        from lochan import _show

        return _show.table_text(*self._shown())

    def _repr_html_(self) -> str:
        from lochan import _show

        return _show.table_html(*self._shown())


def from_rows(table: str, rows: list[dict[str, Any]]) -> TableManifest:
    """Of the rows of a manifest as the catalog lists them."""
    partitions: dict[str, PartitionMeta] = {}
    for row in rows:
        partition = partitions.setdefault(
            f"{row['bucket_id']:06d}",
            PartitionMeta(row["bucket_id"], row["state"], row["tick_min"], row["tick_max"], row["row_count"], row["byte_size"]))
        partition.parts.append(PartMeta(row["path"].rpartition("/")[2], row["rows"], row["bytes"], row["part_tick_min"],
                                        row["part_tick_max"], row["created_at"].isoformat()))
    times = sorted(part.created_at for partition in partitions.values() for part in partition.parts)
    if not times:
        times = [datetime.datetime.now(datetime.timezone.utc).isoformat()]
    return TableManifest(table, VERSION, times[0], times[-1], partitions)
