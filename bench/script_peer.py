"""What a researcher writes by hand: fetch windows in threads, read CSV, sort, one Parquet file a month, fsync each.
Usage: script_peer.py URL FOLDER
"""
import concurrent.futures
import datetime
import io
import os
import sys
import urllib.request

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet


def windows():
    first = datetime.date(2020, 1, 1)
    while first < datetime.date(2023, 1, 1):
        following = (first.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
        yield first, following - datetime.timedelta(days=1)
        first = following


def fetch(url, window):
    with urllib.request.urlopen(f"{url}/daily.csv?start={window[0]}&end={window[1]}") as answer:
        return window, answer.read()


def write(folder, window, body):
    table = pyarrow.csv.read_csv(io.BytesIO(body))
    if table.num_rows == 0:
        return
    table = table.sort_by([("trade_date", "ascending"), ("ts_code", "ascending")])
    target = os.path.join(folder, f"year={window[0].year}", f"month={window[0].month:02d}")
    os.makedirs(target, exist_ok=True)
    path = os.path.join(target, "part.parquet")
    pyarrow.parquet.write_table(table, path + ".tmp", compression="zstd")
    with open(path + ".tmp", "rb") as file:
        os.fsync(file.fileno())
    os.rename(path + ".tmp", path)


def main():
    url, folder = sys.argv[1:]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for window, body in pool.map(lambda w: fetch(url, w), windows()):
            write(folder, window, body)


main()
