"""The sixteen Tushare datasets over the feed, against an oracle in plain Python that reads the same CSV files: it knows neither
the feed nor lochan's decoder. With page caps, revisions, late rows, duplicate records and a token that must show nowhere."""
import csv
import datetime
import json
import os
import pathlib
import random

import pytest

from conftest import Feed, lochan

TOKEN = "marked-token-4711"
DAY = datetime.timedelta(days=1)
MARKET = ("daily", "daily_basic", "adj_factor")
STATEMENTS = ("income", "balancesheet", "cashflow")
EVENTS = ("forecast", "express", "fina_audit")
STOCKS = [f"{n:06d}.{'SZ' if n % 2 else 'SH'}" for n in range(1, 9)]
KEPT_INDEXES = {"000300.SH", "000905.SH", "000852.SH"}
INDEXES = sorted(KEPT_INDEXES) + ["399001.SZ", "399006.SZ"]


def compact(day):
    return day.strftime("%Y%m%d")


def days(first, last):
    return [first + n * DAY for n in range((last - first).days + 1)]


def write(folder, name, header, rows):
    with open(pathlib.Path(folder) / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


class Provider:
    """Rows of every dataset as the provider holds them at one time."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tables = {}
        first, last = datetime.date(2023, 11, 1), datetime.date(2024, 2, 15)
        trading = [d for d in days(first, last) if d.weekday() < 5]
        self.market(trading)
        self.indexes([trading[0] - 4000 * DAY] + trading)
        self.announcements()
        self.references(first, last)

    def number(self):
        return round(self.random.uniform(1, 100), 2)

    def market(self, trading):
        header = "ts_code trade_date open high low close pre_close change pct_chg vol amount".split()
        self.tables["daily"] = (header, [[s, compact(d)] + [self.number() for _ in header[2:]]
                                         for d in reversed(trading) for s in STOCKS])
        self.tables["daily_basic"] = ("ts_code trade_date close turnover_rate pe pb".split(),
                                      [[s, compact(d), self.number(), self.number(), "" if s == STOCKS[0] else self.number(),
                                        self.number()] for d in trading for s in STOCKS])
        self.tables["adj_factor"] = ("ts_code trade_date adj_factor".split(),
                                     [[s, compact(d), self.number()] for d in trading for s in STOCKS])

    def indexes(self, trading):
        self.tables["index_daily"] = ("ts_code trade_date close open".split(),
                                      [[s, compact(d), self.number(), self.number()] for d in trading for s in INDEXES])
        self.tables["index_weight"] = ("index_code con_code trade_date weight".split(),
                                       [[i, s, compact(d), self.number()] for d in trading[::21] for i in INDEXES for s in STOCKS])

    def announcements(self):
        for name in STATEMENTS:
            rows = []
            for stock in STOCKS:
                for period in ("20230630", "20230930", "20231231"):
                    told = datetime.datetime.strptime(period, "%Y%m%d").date() + self.random.randrange(20, 60) * DAY
                    for flag in ("0", "1"):  # two records of one period are no mistake
                        # a restatement keeps the day of the first announcement, by which the provider chooses
                        restated = told + 45 * DAY if flag == "1" else told
                        rows.append([stock, compact(told), compact(restated), period, "1", "1", flag, self.number(),
                                     self.number()])
            rows.append(list(rows[0]))  # sent twice by the provider
            self.tables[name] = ("ts_code ann_date f_ann_date end_date report_type comp_type update_flag total_revenue "
                                 "n_income".split(), rows)
        for name in EVENTS:
            rows = [[s, compact(datetime.date(2024, 1, 1) + self.random.randrange(40) * DAY), "20231231", f"kind {n}", self.number()]
                    for s in STOCKS for n in range(3)]
            rows.append(list(rows[-1]))
            self.tables[name] = ("ts_code ann_date end_date kind value".split(), rows)

    def references(self, first, last):
        self.tables["stock_basic"] = ("ts_code symbol name area industry market list_date".split(),
                                      [[s, s[:6], f"name, {s}", "Shenzhen", "Bank", "Main", "19910403"] for s in STOCKS])
        self.tables["index_basic"] = ("ts_code name".split(), [[s, f"index {s}"] for s in INDEXES])
        self.tables["namechange"] = ("ts_code name start_date end_date".split(),
                                     [[s, f"{s} {n}", f"20{n}0101", f"20{n}1231" if n < 12 else ""] for s in STOCKS
                                      for n in (10, 11, 12)])
        self.tables["stock_st"] = ("ts_code name start_date end_date".split(),
                                   [[s, f"ST {s}", "20200101", "20210101"] for s in STOCKS[:2]])
        self.tables["trade_cal"] = ("exchange cal_date is_open pretrade_date".split(),
                                    [["SSE", compact(d), int(d.weekday() < 5), compact(d - DAY)] for d in days(first, last)])

    def write(self, folder):
        for name, (header, rows) in self.tables.items():
            write(folder, name, header, rows)

    def change(self):
        """The provider revises one price and delivers one late row; a company restates."""
        header, rows = self.tables["daily"]
        rows[0][header.index("close")] = 777.25
        rows.append(["000099.SZ", rows[0][1]] + [1.5] * (len(header) - 2))
        header, rows = self.tables["income"]
        rows[-2][header.index("n_income")] = 888.5


ROLES = {"asset_id": {"index_weight": "index_code", "trade_cal": "cal_date"}}


def oracle(provider, name):
    """What the table should hold: dicts of text by canonical names."""
    header, rows = provider.tables[name]
    time_field = {"income": "f_ann_date", "balancesheet": "f_ann_date", "cashflow": "f_ann_date", "forecast": "ann_date",
                  "express": "ann_date", "fina_audit": "ann_date"}.get(name, "trade_date")
    asset = ROLES["asset_id"].get(name, "ts_code")
    names = {asset: "asset_id", time_field: "time"}
    if name in STATEMENTS + EVENTS:
        names["end_date"] = "period"
    found = []
    for row in rows:
        record = {names.get(k, k): str(v) for k, v in zip(header, row)}
        if name in ("index_basic", "index_daily", "index_weight") and record["asset_id"] not in KEPT_INDEXES:
            continue
        found.append(record)
    if name in MARKET + ("index_daily", "index_weight"):
        return found
    return [dict(r) for r in {tuple(sorted(r.items())) for r in found}]


def plain(value):
    """One cell of `lochan scan --json` as the oracle writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (int, float)):
        return repr(float(value))
    return value.replace("-", "") if len(value) == 10 and value[4] == value[7] == "-" else value


def alike(text):
    try:
        return repr(float(text))
    except ValueError:
        return text


def scan(lake, name, columns):
    done = lochan("scan", f"tushare/{name}", "--json", lake=lake)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted(tuple(alike(plain(r.get(c))) for c in columns) for r in rows)


def expect(lake, provider, name):
    wanted = oracle(provider, name)
    columns = sorted(wanted[0])
    assert scan(lake, name, columns) == sorted(tuple(alike(r[c]) for c in columns) for r in wanted), name


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tushare")
    data = folder / "data"
    data.mkdir()
    provider = Provider(7)
    provider.write(data)
    (data / "feed.yaml").write_text(f"token: {TOKEN}\npage_cap: 300\n")
    feed = Feed(data, folder)
    lake = folder / "lake"
    os.environ["TUSHARE_TOKEN"] = TOKEN
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    lochan("init", lake)
    lochan("source", "add", "tushare", lake=lake)
    lochan("source", "set", "tushare", f"url={feed.url}", "rate_limit.per_minute=1000000", lake=lake)
    assert "16" in lochan("dataset", "add", "tushare", lake=lake).stdout
    world = {"lake": lake, "provider": provider, "feed": feed, "data": data, "folder": folder}
    yield world
    world["feed"].stop()


def test_all_sixteen_in_one_call(world):
    done = lochan("update", "--source", "tushare", "--start", "2010-01-01", "--end", "2024-02-29", "--json", lake=world["lake"])
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) == 16 and all(r["status"] == "OK" for r in reports)
    order = [r["dataset"] for r in reports]
    assert order.index("stock_basic") < order.index("income") and order.index("index_basic") < order.index("index_daily")
    for name in world["provider"].tables:
        expect(world["lake"], world["provider"], name)


def test_nothing_is_asked_twice(world):
    done = lochan("update", "tushare/daily", "tushare/income", "--start", "2010-01-01", "--end", "2024-02-29", "--json",
                  lake=world["lake"])
    for line in done.stdout.splitlines():
        report = json.loads(line)
        assert report["requests"] == 0 and report["nothing_to_do"]


def test_revisions_late_rows_and_restatements(world):
    world["provider"].change()
    world["provider"].write(world["data"])
    world["feed"].stop()
    world["feed"] = Feed(world["data"], world["folder"])
    lochan("source", "set", "tushare", f"url={world['feed'].url}", lake=world["lake"])
    lochan("update", "tushare/daily", "tushare/income", "--start", "2010-01-01", "--end", "2024-02-29", "--force", lake=world["lake"])
    expect(world["lake"], world["provider"], "daily")
    expect(world["lake"], world["provider"], "income")


def test_replaced_windows_leave_what_lies_before(world):
    before = scan(world["lake"], "income", ["asset_id", "time", "n_income"])
    lochan("update", "tushare/income", "--assets", f"{STOCKS[0]},{STOCKS[1]}", "--start", "2024-01-01", "--end", "2024-02-29",
           "--force", lake=world["lake"])
    assert scan(world["lake"], "income", ["asset_id", "time", "n_income"]) == before


def test_a_wrong_token_is_fatal_and_shows_nowhere(world):
    wrong = "another-marked-token-4712"
    os.environ["TUSHARE_TOKEN"] = wrong
    try:
        done = lochan("update", "tushare/trade_cal", lake=world["lake"], check=False)
    finally:
        os.environ["TUSHARE_TOKEN"] = TOKEN
    assert done.returncode != 0
    assert wrong not in done.stdout + done.stderr
    expect(world["lake"], world["provider"], "trade_cal")
    for path in pathlib.Path(world["lake"]).rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert wrong.encode() not in content and TOKEN.encode() not in content, path


def test_gaps_and_scopes_tell_of_assets(world):
    gaps = lochan("gaps", "tushare/income", "--start", "2010-01-01", "--end", "2024-03-10", "--json", lake=world["lake"]).stdout
    found = [json.loads(line) for line in gaps.splitlines()]
    assert {g["asset"] for g in found} == set(STOCKS)
    assert {(g["day_from"], g["day_to"], g["reason"]) for g in found} == {("2024-03-01", "2024-03-10", "never asked")}
    scopes = lochan("scopes", "tushare/income", "--json", lake=world["lake"]).stdout.splitlines()
    assert len(scopes) <= 2 * len(STOCKS)


def add(world, name, text):
    path = world["folder"] / f"{name}.yaml"
    path.write_text(text)
    lochan("dataset", "add", path, lake=world["lake"])


def report(world, *args):
    return json.loads(lochan("update", *args, "--json", lake=world["lake"]).stdout.splitlines()[-1])


PRICES = """
asset_column: ts_code
time_column: trade_date
columns: {asset_id: string, time: date, close: float64}
primary_key: [asset_id, time]
"""


def test_by_date_asks_for_days_of_the_calendar_only(world):
    add(world, "daily_by_date", "name: daily_by_date\nsource: tushare\nsource_dataset: daily\nrequest_planner: by_date\n"
        "request_options: {params: {trade_date: '{date}'}}\n"
        "calendar: {dataset: trade_cal, column: asset_id, where: is_open = 1}\n" + PRICES)
    done = report(world, "tushare/daily_by_date", "--start", "2024-01-01", "--end", "2024-01-31")
    assert done["scopes"] == 23 and done["rows_new"] == 23 * len(STOCKS)
    assert report(world, "tushare/daily_by_date", "--start", "2024-01-01", "--end", "2024-01-31")["requests"] == 0


def test_a_batch_shapes_requests_and_not_the_ledger(world):
    add(world, "daily_by_asset", "name: daily_by_asset\nsource: tushare\nsource_dataset: daily\nrequest_planner: by_asset\n"
        "request_options: {reference_dataset: stock_basic, request_param: ts_code, params: {start_date: '{start}', "
        "end_date: '{end}'}}\n" + PRICES)
    window = ("--start", "2024-01-01", "--end", "2024-01-31")
    assert report(world, "tushare/daily_by_asset", *window, "--assets", ",".join(STOCKS[:2]))["requests"] == 2
    done = report(world, "tushare/daily_by_asset", *window, "--batch-size", "4")
    assert done["scopes"] == 2 and done["rows_new"] == 6 * 23  # the six that were missing, four and two
    assert report(world, "tushare/daily_by_asset", *window, "--batch-size", "1")["nothing_to_do"]


def test_params_keep_a_series_each(world):
    add(world, "calendars", "name: calendars\nsource: tushare\nsource_dataset: trade_cal\nrequest_planner: params\n"
        "request_options: {param_sets: [{exchange: SSE}, {exchange: SZSE}]}\nasset_column: cal_date\n"
        "columns: {asset_id: date, exchange: string}\ndeduplication: none\nupdate_mode: snapshot_replace\n")
    done = report(world, "tushare/calendars")
    assert done["scopes"] == 2 and done["rows_new"] == 107
    scopes = lochan("scopes", "tushare/calendars", "--json", lake=world["lake"]).stdout.splitlines()
    assert {json.loads(s)["variant"]: json.loads(s)["state"] for s in scopes} == {"exchange=SSE": "success", "exchange=SZSE": "empty"}


def test_by_period_asks_for_whole_periods(world):
    add(world, "by_quarter", "name: by_quarter\nsource: tushare\nsource_dataset: income\nrequest_planner: by_period\n"
        "request_options: {params: {period: '{period}'}}\nasset_column: ts_code\ntime_column: f_ann_date\nperiod_column: end_date\n"
        "columns: {asset_id: string, time: date, period: date}\nupdate_mode: replace_asset\ndeduplication: exact_record_hash\n")
    done = report(world, "tushare/by_quarter", "--start", "2023-02-01", "--end", "2024-01-15", "--dry-run")
    assert done["scopes"] == 5


@pytest.mark.parametrize("args", [("--workers", "-3"), ("--start", "2024-02-01", "--end", "2024-01-01"), ("--batch-size", "0"),
                                  ("--validate", "lenient"), ("--force", "--repair"), ("--start", "yesterday")])
def test_wrong_requests_are_errors(world, args):
    done = lochan("update", "tushare/daily", *args, lake=world["lake"], check=False)
    assert done.returncode == 2, done.stderr
