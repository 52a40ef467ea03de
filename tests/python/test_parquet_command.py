"""lochan parquet info, schema, head, verify, cat."""
import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import lochan as run


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("command") / "sample.parquet"
    data = pa.table({"id": range(1000), "name": [None if i % 7 == 3 else f"n{i % 10}" for i in range(1000)],
                     "tags": [["a", None, "b"][:i % 4] for i in range(1000)]})
    data = data.replace_schema_metadata({"made by": "a test"})
    pq.write_table(data, path, row_group_size=250, compression="zstd", write_page_checksum=True,
                   sorting_columns=[pq.SortingColumn(0)])
    return path, data


def rows_of(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_info(sample):
    text = run("parquet", "info", sample[0], "--chunks").stdout
    for part in ("1,000 rows", "3 columns", "4 row groups", "parquet-cpp", "made by: a test", "tags.list.element", "zstd",
                 "RLE_DICTIONARY", "999", "n9"):
        assert part in text, part
    info = json.loads(run("parquet", "info", "--json", "--chunks", sample[0]).stdout)
    assert info["rows"] == 1000 and info["metadata"]["made by"] == "a test" and info["file"] == str(sample[0])
    assert [g["rows"] for g in info["row_groups"]] == [250] * 4 and info["row_groups"][1]["sorting"] == "id"
    assert info["column_list"][0]["min"] == "0" and info["column_list"][0]["max"] == "999"
    assert info["column_list"][1]["nulls"] == 143 and len(info["chunks"]) == 12
    assert len(rows_of(run("parquet", "info", "--json", sample[0], sample[0]))) == 2


def test_schema(sample):
    text = run("parquet", "schema", sample[0]).stdout
    assert "int64" in text and "BYTE_ARRAY" in text and "STRING" in text
    columns = rows_of(run("parquet", "schema", "--json", sample[0]))
    assert [c["column"] for c in columns] == ["id", "name", "tags.list.element"]
    assert columns[2]["max_repetition"] == 1


def test_head_and_cat(sample):
    path, data = sample
    assert rows_of(run("parquet", "head", "--json", path)) == data.slice(0, 10).to_pylist()
    assert "n4" in run("parquet", "head", path, "--limit", "5").stdout
    assert rows_of(run("parquet", "cat", path)) == data.to_pylist()
    asked = run("parquet", "cat", path, "--columns", "name,id", "--where", "id < 12 and name = 'n1'", "--format", "csv")
    assert list(csv.reader(io.StringIO(asked.stdout))) == [["name", "id"], ["n1", "1"], ["n1", "11"]]
    assert len(rows_of(run("parquet", "cat", path, path, "--limit", "1500"))) == 1500
    assert "==>" in run("parquet", "head", path, path).stdout


def test_cat_writes_parquet(sample, tmp_path):
    path, data = sample
    out = tmp_path / "out.parquet"
    done = run("parquet", "cat", path, "--where", "id >= 900", "--output", out, "--compression", "snappy",
               "--row-group-rows", "30")
    assert "wrote 100 rows" in done.stderr
    assert pq.read_table(out).to_pylist() == data.slice(900).to_pylist()
    assert pq.read_metadata(out).num_row_groups == 4
    again = run("parquet", "cat", path, "--output", out, check=False)
    assert again.returncode == 4 and "--overwrite" in again.stderr
    run("parquet", "cat", path, "--output", out, "--overwrite", "--quiet")
    assert pq.read_metadata(out).num_rows == 1000 and [p.name for p in tmp_path.iterdir()] == ["out.parquet"]


def test_verify(sample, tmp_path):
    path = sample[0]
    assert "sound" in run("parquet", "verify", path).stdout
    damaged = bytearray(path.read_bytes())
    chunks = json.loads(run("parquet", "info", "--json", "--chunks", path).stdout)["chunks"]
    hit = next(c for c in chunks if c["row_group"] == 2 and c["column"] == "name")
    damaged[hit["offset"] + hit["compressed_bytes"] - 1] ^= 1
    bad, cut = tmp_path / "bad.parquet", tmp_path / "cut.parquet"
    bad.write_bytes(damaged)
    cut.write_bytes(path.read_bytes()[:-1])
    done = run("parquet", "verify", bad, cut, path, check=False)
    assert done.returncode == 6 and "checksum" in done.stdout and "footer" in done.stdout and "sound" in done.stdout
    assert "2 problems" in done.stderr
    lines = rows_of(run("parquet", "verify", "--json", bad, check=False))
    assert lines[0]["problems"] == 1 and lines[1]["column"] == "name" and lines[1]["row_group"] == 2
    assert hit["offset"] <= lines[1]["offset"] < hit["offset"] + hit["compressed_bytes"]


@pytest.mark.parametrize("arguments, code, text", [
    (["info", "none.parquet"], 3, "none.parquet"), (["info"], 2, "FILE"), (["inf"], 2, "parquet info"),
    (["cat", "{}", "--columns", "nam"], 3, "did you mean 'name'"), (["cat", "{}", "--where", "id >"], 2, "predicate"),
    (["cat", "{}", "--format", "xml"], 2, "ndjson"), (["cat", "{}", "--format", "parquet"], 2, "--output"),
    (["cat", "{}", "{}", "--format", "csv"], 2, "one file"), (["cat", "{}", "--output", "x", "--format", "csv"], 2, "--output"),
    (["cat", "{}", "--output", "/tmp/x.parquet", "--compression", "zip"], 2, "zstd"),
    (["head", "{}", "--limit", "-1"], 2, "--limit"), (["info", "/"], 2, "folder")])
def test_wrong_use(sample, arguments, code, text):
    done = run("parquet", *[str(sample[0]) if a == "{}" else a for a in arguments], check=False)
    assert done.returncode == code and text in done.stderr, done.stderr
    error = json.loads(run("parquet", *[str(sample[0]) if a == "{}" else a for a in arguments], "--json",
                           check=False).stderr) if "--format" not in arguments else {"error": 1}
    assert error


def test_damage_ends_with_its_place(sample, tmp_path):
    path = tmp_path / "a.parquet"
    data = bytearray(sample[0].read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    done = run("parquet", "cat", path, check=False)
    assert done.returncode == 6 and "a.parquet" in done.stderr


def test_help_has_examples():
    for name in ("info", "schema", "head", "verify", "cat"):
        text = run("parquet", name, "--help").stdout
        assert "Example:" in text and f"lochan parquet {name}" in text


def test_cat_writes_as_it_is_told(sample, tmp_path):
    path, data = sample
    out = tmp_path / "out.parquet"
    run("parquet", "cat", path, "--output", out, "--bloom", "id,tags.list.element", "--page-version", "2", "--page-rows", "100",
        "--encodings", "id=delta_binary_packed,name=delta_byte_array", "--compression", "none", "--row-group-rows", "500")
    chunks = json.loads(run("parquet", "info", "--json", "--chunks", out).stdout)["chunks"]
    assert len(chunks) == 6 and chunks[0]["bloom_filter"] and not chunks[1]["bloom_filter"] and chunks[2]["bloom_filter"]
    assert "DELTA_BINARY_PACKED" in chunks[0]["encodings"] and "DELTA_BYTE_ARRAY" in chunks[1]["encodings"]
    assert chunks[0]["min"] == "0" and chunks[0]["offset_index"]
    assert pq.read_table(out).to_pylist() == data.to_pylist() and "sound" in run("parquet", "verify", out).stdout
    info = json.loads(run("parquet", "info", "--json", out).stdout)
    assert "ARROW:schema" in info["metadata"] and "ARROW:schema" not in run("parquet", "info", out).stdout
    run("parquet", "cat", path, "--output", out, "--overwrite", "--no-statistics", "--no-dictionary", "--no-page-index",
        "--no-arrow-schema")
    info = json.loads(run("parquet", "info", "--json", "--chunks", out).stdout)
    assert info["metadata"] == {} and info["chunks"][0]["min"] is None and not info["chunks"][0]["offset_index"]
    assert not any(chunk["dictionary"] for chunk in info["chunks"])
    for wrong in (["--encodings", "id"], ["--encodings", "id=no"], ["--bloom", "none"], ["--page-version", "3"]):
        assert run("parquet", "cat", path, "--output", out, "--overwrite", *wrong, check=False).returncode != 0


def test_rows_fields_and_layouts(tmp_path):
    path, out = tmp_path / "a.parquet", tmp_path / "b.parquet"
    data = pa.table({"id": range(1000), "at": [{"x": i, "name": f"n{i % 5}"} for i in range(1000)]})
    pq.write_table(data, path, row_group_size=300)
    asked = ["--columns", "at.name,id", "--rows", "5:7,299:301,998:", "--map"]
    ids = [5, 6, 299, 300, 998, 999]
    assert rows_of(run("parquet", "cat", path, *asked)) == [{"at": {"name": f"n{i % 5}"}, "id": i} for i in ids]
    assert [r["id"] for r in rows_of(run("parquet", "head", path, "--json", *asked, "--limit", "3"))] == ids[:3]
    assert rows_of(run("parquet", "cat", path, "--rows", ":2", "--columns", "at.x")) == [{"at": {"x": 0}}, {"at": {"x": 1}}]
    assert run("parquet", "cat", path, "--rows", "5000:").stdout == ""
    run("parquet", "cat", path, *asked, "--strings", "large_string", "--output", out)
    assert pq.read_schema(out).field("at").type == pa.struct([("name", pa.large_string())])
    assert pq.read_table(out)["id"].to_pylist() == ids


@pytest.mark.parametrize("option, value", [("--rows", "5"), ("--rows", "a:b"), ("--rows", "1:2:3"), ("--rows", "9:1"),
                                           ("--rows", "0:5,3:9"), ("--rows", "99999999999999999999:"), ("--rows", ","),
                                           ("--rows", "-1:3"), ("--strings", "text"), ("--max-page-bytes", "much")])
def test_wrong_options_are_told(sample, option, value):
    done = run("parquet", "cat", sample[0], option, value, check=False)
    assert done.returncode == 2 and ("rows" if option == "--rows" else option) in done.stderr and done.stdout == ""


def test_a_page_that_its_bytes_hardly_explain(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": ["a" * (20 << 20)]}), path, compression="brotli", use_dictionary=False, write_statistics=False)
    for command in ("cat", "verify"):
        done = run("parquet", command, path, check=False)
        assert done.returncode != 0 and "max_page_bytes" in done.stderr and "16777216" in done.stderr
        run("parquet", command, path, "--max-page-bytes", "32MiB")
