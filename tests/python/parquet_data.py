"""Tables for the Parquet tests: every type, seeded values at the edges of their ranges, any schema."""
import datetime
import decimal
import random
import struct

import numpy
import pyarrow as pa
import pyarrow.compute as pc

EPOCH = datetime.datetime(1970, 1, 1)


def bits(rng, low, high):
    """A whole number in [low, high], often at or near an edge."""
    near = [low, high, 0, 1, -1, low + 1, high - 1]
    value = rng.choice(near) if rng.random() < 0.3 else rng.randint(low, high)
    return min(max(value, low), high)


def integer(width, signed):
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    return lambda rng: bits(rng, low, high)


def real(rng):
    kind = rng.random()
    if kind < 0.1:
        return rng.choice([float("nan"), float("inf"), float("-inf"), -0.0, 0.0])
    return rng.uniform(-1e3, 1e3) if kind < 0.9 else struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]


def single(rng):
    value = real(rng)
    return value if value != value or abs(value) > 3e38 and abs(value) == float("inf") else max(min(value, 3e38), -3e38)


def half(rng):
    return rng.choice([0.0, -0.0, 1.5, -2.25, 65504.0, float("inf"), float("nan")])


def text(rng):
    return rng.choice(["", "a", "same", "平安", "say \"hi\"", "\N{ROCKET}", "x" * rng.randrange(200),
                       f"n{rng.randrange(1000)}"])


def blob(rng):
    return rng.randbytes(rng.choice([0, 1, 7, 12, 13, 40]))


def number(precision, scale):
    def make(rng):
        unscaled = bits(rng, -(10**precision) + 1, 10**precision - 1)
        return decimal.Decimal(unscaled).scaleb(-scale, decimal.Context(prec=precision + 2))
    return make


# Types that come back as they went in, from files of any writer.
FLAT = {
    "bool": (pa.bool_(), lambda rng: rng.random() < 0.5),
    **{f"{'' if s else 'u'}int{w}": (getattr(pa, f"{'' if s else 'u'}int{w}")(), integer(w, s))
       for w in (8, 16, 32, 64) for s in (True, False)},
    "float16": (pa.float16(), half),
    "float32": (pa.float32(), single),
    "float64": (pa.float64(), real),
    "decimal9": (pa.decimal128(9, 2), number(9, 2)),
    "decimal18": (pa.decimal128(18, 6), number(18, 6)),
    "decimal38": (pa.decimal128(38, 10), number(38, 10)),
    "string": (pa.string(), text),
    "binary": (pa.binary(), blob),
    "fixed": (pa.binary(5), lambda rng: rng.randbytes(5)),
    "date": (pa.date32(), lambda rng: datetime.date(1970, 1, 1) + datetime.timedelta(days=rng.randint(-30000, 30000))),
    "time_ms": (pa.time32("ms"), lambda rng: rng.randrange(86400000)),
    "time_us": (pa.time64("us"), lambda rng: rng.randrange(86400000000)),
    "time_ns": (pa.time64("ns"), lambda rng: rng.randrange(86400000000000)),
    "ts_ms": (pa.timestamp("ms"), lambda rng: rng.randint(-(10**12), 10**13)),
    "ts_us": (pa.timestamp("us"), lambda rng: rng.randint(-(10**15), 10**16)),
    "ts_ns": (pa.timestamp("ns"), lambda rng: bits(rng, -(2**63), 2**63 - 1)),
    "ts_utc": (pa.timestamp("us", "UTC"), lambda rng: rng.randint(-(10**15), 10**16)),
}
# Those that Polars and DuckDB have too.
COMMON = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64",
          "decimal18", "string", "binary", "date", "ts_ms", "ts_us"]
NESTED = {
    "list": pa.list_(pa.field("element", pa.int64())),
    "strings": pa.list_(pa.field("element", pa.string())),
    "struct": pa.struct([("a", pa.int32()), ("b", pa.string())]),
    "deep": pa.list_(pa.field("element", pa.struct([("x", pa.float64()), ("tags", pa.list_(pa.field("element", pa.string())))]))),
    "map": pa.map_(pa.string(), pa.int64()),
}


def value(rng, type_, nulls):
    """A value for pa.array; null only where the type allows it. Nested floats without NaN, which is not equal to itself."""
    if nulls and rng.random() < nulls:
        return None
    if pa.types.is_list(type_):
        inner = nulls if type_.value_field.nullable else 0
        return [value(rng, type_.value_type, inner) for _ in range(rng.choice([0, 0, 1, 2, 5]))]
    if pa.types.is_struct(type_):
        return {f.name: value(rng, f.type, nulls if f.nullable else 0) for f in type_}
    if pa.types.is_map(type_):
        return [(f"k{i}", value(rng, type_.item_type, nulls)) for i in range(rng.choice([0, 1, 3]))]
    if pa.types.is_float16(type_):
        return numpy.float16(rng.randrange(-100, 100))
    if pa.types.is_floating(type_):
        return float(rng.randrange(-1000, 1000))
    return next(make for flat, make in FLAT.values() if flat == type_)(rng)


def array(rng, type_, rows, nulls):
    flat = next((make for t, make in FLAT.values() if t == type_), None)
    values = [None if nulls and rng.random() < nulls else flat(rng) if flat else value(rng, type_, nulls)
              for _ in range(rows)]
    if pa.types.is_float16(type_):
        return pa.array([None if v is None else numpy.float16(v) for v in values], type_)
    return pa.array(values, type_)


def table(seed, rows, nulls, names=None, nested=True):
    """nulls: share of them; 0 makes the columns required."""
    rng = random.Random(seed)
    types = {name: t for name, (t, _) in FLAT.items()}
    if nested:
        types |= NESTED
    names = names or list(types)
    fields = [pa.field(name, types[name], nullable=nulls > 0) for name in names]
    return pa.table([array(rng, f.type, rows, nulls) for f in fields], schema=pa.schema(fields))


def any_type(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        return rng.choice([t for t, _ in FLAT.values()])
    if kind < 0.7:
        return pa.list_(pa.field("element", any_type(rng, depth - 1), nullable=rng.random() < 0.7))
    if kind < 0.9:
        return pa.struct([pa.field(f"f{i}", any_type(rng, depth - 1), nullable=rng.random() < 0.7)
                          for i in range(rng.randrange(1, 4))])
    return pa.map_(pa.string(), any_type(rng, depth - 1))


def any_table(seed, rows=None):
    """A table of a schema of its own."""
    rng = random.Random(seed)
    rows = rng.choice([0, 1, 7, 8, 9, 63, 64, 65, 200]) if rows is None else rows
    fields = [pa.field(f"c{i}", any_type(rng, 3), nullable=rng.random() < 0.7) for i in range(rng.randrange(1, 8))]
    columns = []
    for f in fields:
        nulls = rng.choice([0, 0.2, 1]) if f.nullable else 0
        columns.append(pa.array([value(rng, f.type, nulls) for _ in range(rows)], f.type))
    return pa.table(columns, schema=pa.schema(fields))


def leaves(field, path=""):
    """(dotted path, type) of a field's leaf columns, as lochan writes them."""
    path = f"{path}.{field.name}" if path else field.name
    if pa.types.is_list(field.type):
        return leaves(field.type.value_field.with_name("element"), f"{path}.list")
    if pa.types.is_struct(field.type):
        return [leaf for child in field.type for leaf in leaves(child, path)]
    if pa.types.is_map(field.type):
        return leaves(field.type.key_field.with_name("key"), f"{path}.key_value") + \
            leaves(field.type.item_field.with_name("value"), f"{path}.key_value")
    return [(path, field.type)]


def encodings_of(type_):
    """Those that can hold a flat type."""
    if pa.types.is_boolean(type_):
        return ["plain"]
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        return ["plain", "dictionary", "delta_length_byte_array", "delta_byte_array"]
    if pa.types.is_fixed_size_binary(type_) or pa.types.is_float16(type_) or (
            pa.types.is_decimal(type_) and type_.precision > 18):
        return ["plain", "dictionary", "byte_stream_split", "delta_byte_array"]
    if pa.types.is_floating(type_):
        return ["plain", "dictionary", "byte_stream_split"]
    return ["plain", "dictionary", "byte_stream_split", "delta_binary_packed"]


def comparable(column):
    """Floats as their bits, so that NaN equals itself and -0.0 is not 0.0."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    widths = {pa.float16(): pa.int16(), pa.float32(): pa.int32(), pa.float64(): pa.int64()}
    if column.type in widths:
        nan = pc.is_nan(column.cast(pa.float64()))
        whole = pa.concat_arrays([column]) if column.offset else column
        return pc.if_else(nan, None, whole.view(widths[column.type])), nan
    return column, None


def assert_equal(got, expected):
    """Same columns, types, nullability and values."""
    assert got.num_rows == expected.num_rows
    assert got.column_names == expected.column_names
    for name in expected.column_names:
        a, b = comparable(got[name]), comparable(expected[name])
        assert got.schema.field(name).type == expected.schema.field(name).type, name
        for x, y in zip(a, b):
            assert (x is None) == (y is None) and (x is None or x.equals(y)), f"{name}: {x} instead of {y}"
