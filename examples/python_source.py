"""python_source.py - a source written in Python: rows from your own code, kept current like those of any provider.

Usage: python examples/python_source.py [FOLDER]        FOLDER gets the lake; default: a temporary one. Needs lochan and pyarrow.
"""
import datetime
import math
import sys
import tempfile

import pyarrow as pa

import lochan

DATASET = """
name: high_water
source: tides
description: the level of the sea at noon
default_start: 2026-01-01
time_column: day
asset_column: harbour
request_options: {date_chunk_months: 1}
settle_days: 0
columns: {asset_id: string, time: date, level: float64}
primary_key: [asset_id, time]
validation:
  - {rule: range, column: level, min: -10, max: 10}
"""


class Tides:
    """Asks nobody: what it gives could come from a database, a file, or a library of a provider's."""

    name = "tides"
    options = {"mean": "1.5"}
    harbours = {"Brest": 3.5, "Hamburg": 1.9, "Oban": 1.3}

    def __init__(self):
        self.down = True

    def fetch(self, scope):
        if self.down and scope.start.month == 3:
            raise ConnectionError("no answer from the gauge")  # tried again, then the scope has failed
        mean = float(scope.request.options["mean"])
        for harbour, range_ in self.harbours.items():
            days = [scope.start + datetime.timedelta(days=i) for i in range((scope.end - scope.start).days + 1)]
            levels = [round(mean + range_ * math.sin(day.toordinal() / 29.53 * 2 * math.pi), 2) for day in days]
            yield pa.table({"harbour": [harbour] * len(days), "day": days, "level": levels})


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = sys.argv[1] if len(sys.argv) > 1 else f"{temporary}/lake"
        with lochan.DataLake.open(folder, create=True) as lake:
            tides = Tides()
            lake.sources.register(tides)
            lake.datasets.add(DATASET)
            try:
                lake.update.dataset("tides/high_water", end="2026-06-30", max_retries=1, retry_backoff_seconds=0.05)
            except lochan.PartialError as e:
                print(f"{e.report.scopes_failed} of {e.report.scopes} scopes failed: {e.__cause__!r}")
            print(lake.gaps("tides/high_water", end="2026-06-30"), end="\n\n")
            tides.down = False
            print(lake.update.dataset("tides/high_water", end="2026-06-30"), end="\n\n")  # asks for March only
            print(lake.scan("tides/high_water", where="asset_id = 'Oban'", limit=3).to_table(), end="\n\n")
            report = lake.verify(deep=True)
            print(report)
            return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
