/* statistics_text.c - bounds as the text a DuckLake catalog keeps. May call: base/, arrow/,
 * statistics.h. */
#include "parquet/statistics.h"
#include "arrow/decimal.h"
#include "parquet/convert.h"
#include "base/civil.h"

/* Days for which civil dates exist (years 1 to 9999). */
static bool day_ok(int64_t days) {
    return days >= -719162 && days <= 2932896;
}

static int64_t per_second(lochan_time_unit unit) {
    static const int64_t table[] = {1, 1000, 1000000, 1000000000};
    return table[unit];
}

/* "hh:mm:ss" and a fraction without trailing zeros. */
static void put_time(char *dst, size_t cap, int64_t of_day, lochan_time_unit unit) {
    int64_t scale = per_second(unit), s = of_day / scale, fraction = of_day % scale;
    char digits[16] = "";
    if (fraction != 0) {
        static const int width[] = {0, 3, 6, 9};
        (void)lochan_format(digits, sizeof digits, ".%0*lld", width[unit], (long long)fraction);
        size_t n = strlen(digits);
        while (n > 1 && digits[n - 1] == '0')
            digits[--n] = '\0';
    }
    (void)lochan_format(dst, cap, "%02lld:%02lld:%02lld%s", (long long)(s / 3600),
                        (long long)(s / 60 % 60), (long long)(s % 60), digits);
}

static bool time_text(const lochan_pq_leaf *leaf, int64_t v, char *dst, size_t cap) {
    /* seconds are milliseconds in the file */
    lochan_time_unit unit =
        leaf->type.unit == LOCHAN_UNIT_SECOND ? LOCHAN_UNIT_MILLI : leaf->type.unit;
    int64_t day = per_second(unit) * 86400;
    if (leaf->type.id != LOCHAN_TYPE_TIMESTAMP) {
        if (v < 0 || v > day)
            return false;
        put_time(dst, cap, v, unit);
        return true;
    }
    int64_t days = v / day - (v % day < 0), of_day = v - days * day;
    char date[16], time[32];
    if (!day_ok(days))
        return false;
    lochan_civil__format_date((int32_t)days, date);
    put_time(time, sizeof time, of_day, unit);
    return lochan_format(dst, cap, "%s %s%s", date, time, leaf->type.zone[0] ? "+00" : "");
}

static bool decimal_text(const lochan_pq_leaf *leaf, lochan_str value,
                         char dst[LOCHAN_DECIMAL_TEXT]) {
    uint8_t wide[32];
    lochan_pq_slice slice = {(const uint8_t *)value.p, (uint32_t)value.n};
    if (leaf->physical == LOCHAN_PQ_BYTE_ARRAY
            ? !lochan_pq_convert__read_slices(leaf, &slice, 1, wide)
            : !lochan_pq_convert__read(leaf, slice.p, 1, wide))
        return false;
    (void)lochan_decimal__print(wide, leaf->out_width, leaf->type.scale, dst);
    return true;
}

static bool float_text(const lochan_pq_leaf *leaf, lochan_str value, char *dst) {
    lochan_pq_statistics one = {
        .set = LOCHAN_THRIFT_BIT(5) | LOCHAN_THRIFT_BIT(6), .min = value, .max = value};
    lochan_expr_stats stats;
    if (!lochan_pq_stats__read(leaf, &one, 1, &stats))
        return false;
    dst[lochan_format__double(stats.min_f, dst)] = '\0';
    return true;
}

const char *lochan_pq_stats__text(const lochan_pq_leaf *leaf, lochan_str value,
                                  lochan_arena *arena) {
    char dst[LOCHAN_DECIMAL_TEXT];
    int64_t v = 0;
    int32_t v32 = 0;
    if (!value.p)
        return NULL;
    switch (leaf->type.id) {
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_STRING_VIEW:
        if (memchr(value.p, 0, value.n) || !lochan_utf8__valid(value.p, value.n))
            return NULL;
        return lochan_arena__strndup(arena, value.p, value.n);
    case LOCHAN_TYPE_FLOAT16:
    case LOCHAN_TYPE_FLOAT32:
    case LOCHAN_TYPE_FLOAT64:
        return float_text(leaf, value, dst) ? lochan_arena__strdup(arena, dst) : NULL;
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        return decimal_text(leaf, value, dst) ? lochan_arena__strdup(arena, dst) : NULL;
    case LOCHAN_TYPE_BOOL:
        return lochan_arena__strdup(arena, value.p[0] ? "true" : "false");
    default:
        break;
    }
    if (leaf->physical == LOCHAN_PQ_INT64) {
        memcpy(&v, value.p, 8);
    } else if (leaf->physical == LOCHAN_PQ_INT32) {
        memcpy(&v32, value.p, 4);
        v = leaf->order == LOCHAN_PQ_ORDER_UNSIGNED ? (int64_t)(uint32_t)v32 : v32;
    } else {
        return NULL; /* binaries have no text */
    }
    switch (leaf->type.id) {
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_DATE64:
        if (!day_ok(v))
            return NULL;
        lochan_civil__format_date((int32_t)v, dst);
        break;
    case LOCHAN_TYPE_TIME32:
    case LOCHAN_TYPE_TIME64:
    case LOCHAN_TYPE_TIMESTAMP:
        if (!time_text(leaf, v, dst, sizeof dst))
            return NULL;
        break;
    case LOCHAN_TYPE_UINT64:
        (void)lochan_format(dst, sizeof dst, "%llu", (unsigned long long)v);
        break;
    default:
        (void)lochan_format(dst, sizeof dst, "%lld", (long long)v);
    }
    return lochan_arena__strdup(arena, dst);
}
