"""The peer of bench/update_providers.py: bagelquant-data updates a dataset of the same feed. Run as a process of its own, by a
Python that has the package: update_peer.py URL TOKEN LAKE DATASET by_daily|by_asset FILE END, where FILE lists the
days or assets
"""
import json
import pathlib
import sys
import threading
import urllib.request

import polars
from bagelquant_data import DataLake, DatasetSpec

FORM = {"Content-Type": "application/json"}


class Tushare:
    """Tushare's protocol by plain HTTP, as the package's own adapter does it through pandas."""

    name = "tushare"

    def __init__(self, url, token):
        self.url, self.token, self.local = url, token, threading.local()

    def configure(self, **options):
        pass

    def test_connection(self):
        pass

    def fetch(self, dataset, request):
        names = {"start": "start_date", "end": "end_date", "date": "trade_date", "id": "ts_code"}
        params = {names.get(key, key): str(value).replace("-", "") if "date" in names.get(key, key) else value
                  for key, value in request.items()}
        body = json.dumps({"api_name": dataset, "token": self.token, "params": params, "fields": ""}).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url, body, FORM), timeout=60) as answer:
            data = json.load(answer)["data"]
        return polars.DataFrame(data["items"], schema=data["fields"], orient="row", infer_schema_length=None)


def main():
    url, token, lake, dataset, kind, scopes, end = sys.argv[1:]
    lake = DataLake.open(lake)
    lake.admin.sources.register(Tushare(url, token))
    values = pathlib.Path(scopes).read_text().split()
    column = {"by_asset": "asset_id", "by_daily": "time"}[kind]
    frame = polars.DataFrame({column: values, "is_open": [1] * len(values)})
    lake.ingest(DatasetSpec("scopes", "general", source="tushare"), frame)
    date = "trade_date" if dataset == "daily" else "ann_date"
    lake.admin.datasets.register(DatasetSpec(
        dataset, kind, source="tushare", asset_list="scopes" if kind == "by_asset" else None,
        calendar="scopes" if kind == "by_daily" else None, field_mappings={"ts_code": "asset_id", date: "time"},
        date_param="trade_date" if kind == "by_daily" else None))
    report = lake.update.dataset(dataset, source="tushare", start="2018-01-01", end=end, workers=4, progress=False)
    print(report.status, report)


if __name__ == "__main__":
    main()
