/* Libraries of the distribution, as they are, each at its everyday work: files, time zones,
 * locales, threads. Shims after the two that every image has. */
#define _GNU_SOURCE
#include <iconv.h>
#include <locale.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <zstd.h>

#include "image.h"

/* Makes a database of 1000 rows; its size, and at a where its bytes are. */
static void shim_make(void *f)
{
    struct frame *frame = f;
    sqlite3 *database;
    sqlite3_int64 size = 0;
    const char *sql = "CREATE TABLE squares(n INTEGER PRIMARY KEY, square INTEGER);"
                      "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 1000)"
                      "INSERT INTO squares SELECT n, n * n FROM up;";
    if (!sqlite3_open(":memory:", &database) && !sqlite3_exec(database, sql, NULL, NULL, NULL))
        *(void **)frame->a = sqlite3_serialize(database, "main", &size, 0);
    frame->result = (uint64_t)size;
}

/* The sum of the squares in the database whose file's name is at a; b says how it is opened. */
static void shim_sum(void *f)
{
    struct frame *frame = f;
    sqlite3 *database;
    sqlite3_stmt *statement;
    frame->result = 0;
    if (!sqlite3_open_v2((const char *)frame->a, &database, (int)frame->b, NULL)
        && !sqlite3_prepare_v2(database, "SELECT sum(square) FROM squares", -1, &statement, NULL)
        && sqlite3_step(statement) == SQLITE_ROW)
        frame->result = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_close_v2(database);
}

/* The hour that it is at the time a, there where TZ says. */
static void shim_hour(void *f)
{
    struct frame *frame = f;
    time_t time = (time_t)frame->a;
    struct tm local;
    tzset();
    frame->result = localtime_r(&time, &local) ? (uint64_t)local.tm_hour : UINT64_MAX;
}

/* How many characters the UTF-8 at a has in the locale C.UTF-8. */
static void shim_characters(void *f)
{
    struct frame *frame = f;
    frame->result = setlocale(LC_ALL, "C.UTF-8") ? mbstowcs(NULL, (const char *)frame->a, 0) : UINT64_MAX - 1;
}

/* Compresses a bytes and brings them back, with two threads and, if there are none, with this
 * one. 1 if none were to be had, 2 if all came back, or both. */
static void shim_zstd(void *f)
{
    struct frame *frame = f;
    size_t size = frame->a, room = ZSTD_compressBound(size);
    unsigned char *in = malloc(size), *packed = malloc(room), *out = malloc(size);
    for (size_t i = 0; i < size; i++)
        in[i] = (unsigned char)(i * i / 7 + i / 251);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, 2);
    size_t packed_size = ZSTD_compress2(context, packed, room, in, size);
    int alone = ZSTD_isError(packed_size) != 0;
    if (alone) {
        ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
        packed_size = ZSTD_compress2(context, packed, room, in, size);
    }
    int good = !ZSTD_isError(packed_size) && ZSTD_decompress(out, size, packed, packed_size) == size
        && !memcmp(in, out, size);
    frame->result = (uint64_t)(alone | good << 1);
    ZSTD_freeCCtx(context);
    free(in);
    free(packed);
    free(out);
}

/* The sum of the units of the text at a in UTF-16; 0 if nobody converts it. */
static void shim_convert(void *f)
{
    struct frame *frame = f;
    uint16_t units[256];
    char *from = (char *)frame->a, *into = (char *)units;
    size_t from_size = strlen(from), into_size = sizeof units;
    iconv_t converter = iconv_open("UTF-16LE", "UTF-8");
    frame->result = 0;
    if (converter == (iconv_t)-1)
        return;
    if (iconv(converter, &from, &from_size, &into, &into_size) == 0)
        for (uint16_t *unit = units; (char *)unit < into; unit++)
            frame->result += *unit;
    iconv_close(converter);
}

static void (*const shims[])(void *) = {shim_malloc, shim_free,       shim_make, shim_sum,
                                        shim_hour,   shim_characters, shim_zstd, shim_convert};

IMAGE(0, NULL);
