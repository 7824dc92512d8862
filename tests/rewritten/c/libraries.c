/* Programs that use libraries and the C library. */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#define PROGRAM(name) \
    long name(const unsigned char *in, long length, unsigned char *out, long capacity)

#ifdef WITH_ZLIB
#include <zlib.h>
PROGRAM(deflates)
{
    uLongf size = (uLongf)capacity;
    return compress2(out, &size, in, (uLong)length, 6) == Z_OK ? (long)size : -1;
}
PROGRAM(inflates)
{
    uLongf size = compressBound((uLong)length), back = (uLongf)capacity;
    unsigned char *packed = malloc(size);
    if (!packed || compress2(packed, &size, in, (uLong)length, 9) != Z_OK)
        return -1;
    int result = uncompress(out, &back, packed, size);
    free(packed);
    return result == Z_OK ? (long)back : -2;
}
#endif

#ifdef WITH_PNG
#include <png.h>
struct target { unsigned char *at, *end; };
static void write_some(png_structp png, png_bytep data, png_size_t length)
{
    struct target *to = png_get_io_ptr(png);
    if ((size_t)(to->end - to->at) < length)
        png_error(png, "full");
    memcpy(to->at, data, length);
    to->at += length;
}
static void read_some(png_structp png, png_bytep data, png_size_t length)
{
    struct target *from = png_get_io_ptr(png);
    if ((size_t)(from->end - from->at) < length)
        png_error(png, "ends");
    memcpy(data, from->at, length);
    from->at += length;
}
/* Writes a picture and reads it back. Then reads a damaged one, which ends with longjmp. */
PROGRAM(pictures)
{
    enum { SIDE = 64 };
    if (length < SIDE * SIDE * 3)
        return -1;
    struct target to = {out, out + capacity};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, 0, 0, 0);
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png)))
        return -2;
    png_set_write_fn(png, &to, write_some, 0);
    png_set_IHDR(png, info, SIDE, SIDE, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
    png_write_info(png, info);
    for (int y = 0; y < SIDE; y++)
        png_write_row(png, in + y * SIDE * 3);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    for (int round = 0; round < 2; round++) {
        struct target from = {out, to.at};
        unsigned char *volatile rows = malloc(SIDE * SIDE * 3);
        png = png_create_read_struct(PNG_LIBPNG_VER_STRING, 0, 0, 0);
        info = png_create_info_struct(png);
        if (setjmp(png_jmpbuf(png))) {
            *to.at++ = 0xee;
        } else {
            png_set_read_fn(png, &from, read_some);
            if (round)
                from.at++;
            png_read_info(png, info);
            for (int y = 0; y < SIDE; y++)
                png_read_row(png, rows + y * SIDE * 3, 0);
            memcpy(to.at, rows, SIDE * SIDE * 3);
            to.at += SIDE * SIDE * 3;
        }
        png_destroy_read_struct(&png, &info, 0);
        free(rows);
    }
    return to.at - out;
}
#endif

#ifdef WITH_SQLITE
#include <sqlite3.h>
PROGRAM(queries)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    unsigned char *start = out;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return -1;
    if (sqlite3_exec(db, "create table t(a integer, b text); create index i on t(b)", 0, 0, 0))
        return -2;
    sqlite3_prepare_v2(db, "insert into t values(?, ?)", -1, &statement, 0);
    sqlite3_exec(db, "begin", 0, 0, 0);
    for (long i = 0; i + 16 < length && i < 3000; i++) {
        char text[17];
        for (int j = 0; j < 16; j++)
            text[j] = (char)('a' + in[i + j] % 26);
        text[16] = 0;
        sqlite3_bind_int64(statement, 1, in[i] * 1000 + i);
        sqlite3_bind_text(statement, 2, text, 16, SQLITE_TRANSIENT);
        if (sqlite3_step(statement) != SQLITE_DONE)
            return -3;
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    sqlite3_exec(db, "commit", 0, 0, 0);
    const char *queries[] = {
        "select count(*), sum(a), avg(a * 1.5), max(b) from t where b like 'a%' or a % 7 = 3",
        "select b || '-' || a from t order by b desc, a limit 50",
        "select substr(b, 1, 2) p, count(*) from t group by p having count(*) > 1 order by 2, 1",
        "select upper(b), hex(b), printf('%08.3f', a / 3.0) from t where a > 100000 limit 20",
    };
    for (unsigned q = 0; q < sizeof queries / sizeof *queries; q++) {
        if (sqlite3_prepare_v2(db, queries[q], -1, &statement, 0) != SQLITE_OK)
            return -4;
        while (sqlite3_step(statement) == SQLITE_ROW)
            for (int c = 0; c < sqlite3_column_count(statement); c++) {
                const char *text = (const char *)sqlite3_column_text(statement, c);
                size_t size = text ? strlen(text) : 0;
                if (out + size + 1 > start + capacity)
                    return -5;
                memcpy(out, text, size);
                out += size;
                *out++ = '\n';
            }
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    return out - start;
}
#endif

#ifdef WITH_BROTLI
#include <brotli/decode.h>
#include <brotli/encode.h>
PROGRAM(brotlis)
{
    size_t size = (size_t)capacity / 2, back = (size_t)capacity / 2;
    if (!BrotliEncoderCompress(7, 20, BROTLI_MODE_GENERIC, (size_t)length, in, &size, out))
        return -1;
    if (BrotliDecoderDecompress(size, out, &back, out + size) != BROTLI_DECODER_RESULT_SUCCESS)
        return -2;
    return (long)(size + back);
}
#endif

#ifdef WITH_SODIUM
#include <sodium.h>
PROGRAM(secrets)
{
    unsigned char key[32], nonce[24] = {1}, public[32], secret[64], hash[64];
    unsigned char *start = out;
    if (sodium_init() < 0)
        return -1;
    crypto_generichash(key, 32, in, (unsigned long long)length, 0, 0);
    crypto_secretbox_easy(out, in, 1000, nonce, key);
    out += 1000 + crypto_secretbox_MACBYTES;
    crypto_scalarmult_base(public, key);
    memcpy(out, public, 32);
    out += 32;
    unsigned char sign_public[32];
    crypto_sign_seed_keypair(sign_public, secret, key);
    crypto_sign_detached(out, 0, in, 500, secret);
    if (crypto_sign_verify_detached(out, in, 500, sign_public))
        return -2;
    out += 64;
    crypto_hash_sha512(hash, in, (unsigned long long)length);
    memcpy(out, hash, 64);
    out += 64;
    if (crypto_pwhash(out, 32, "password", 8, key, 2, 1 << 20, crypto_pwhash_ALG_ARGON2ID13))
        return -3;
    out += 32;
    crypto_aead_xchacha20poly1305_ietf_encrypt(out, 0, in, 300, in, 20, 0, nonce, key);
    (void)capacity;
    return out + 316 - start;
}
#endif

#ifdef WITH_ZSTD
#include <zstd.h>
PROGRAM(zstds)
{
    size_t size = ZSTD_compress(out, (size_t)capacity / 2, in, (size_t)length, 7);
    if (ZSTD_isError(size))
        return -1;
    size_t back = ZSTD_decompress(out + size, (size_t)capacity / 2, out, size);
    return ZSTD_isError(back) ? -2 : (long)(size + back);
}
#endif

#ifdef WITH_LZ4
#include <lz4.h>
#include <lz4hc.h>
PROGRAM(lz4s)
{
    int one = LZ4_compress_default((const char *)in, (char *)out, (int)length, (int)capacity / 4);
    int two = LZ4_compress_HC((const char *)in, (char *)out + one, (int)length, (int)capacity / 4, 9);
    int back = LZ4_decompress_safe((const char *)out + one, (char *)out + one + two, two, (int)capacity / 4);
    return one > 0 && two > 0 && back == length ? one + two + back : -1;
}
#endif

#ifdef WITH_EXPAT
#include <expat.h>
static void XMLCALL begin(void *to, const char *name, const char **attributes)
{
    unsigned char **at = to;
    *at += sprintf((char *)*at, "<%s", name);
    for (; *attributes; attributes += 2)
        *at += sprintf((char *)*at, " %s=%s", attributes[0], attributes[1]);
}
static void XMLCALL end(void *to, const char *name)
{
    unsigned char **at = to;
    *at += sprintf((char *)*at, "/%s>", name);
}
PROGRAM(documents)
{
    char text[8000];
    int size = sprintf(text, "<?xml version='1.0'?><root>");
    for (long i = 0; i < 100 && i < length; i++)
        size += sprintf(text + size, "<item n='%d' e='&amp;%x'>%d&lt;<a/></item>", in[i], in[i], in[i] * 3);
    size += sprintf(text + size, "</root>");
    unsigned char *start = out;
    XML_Parser parser = XML_ParserCreate(0);
    XML_SetHashSalt(parser, 5);
    XML_SetUserData(parser, &out);
    XML_SetElementHandler(parser, begin, end);
    if (XML_Parse(parser, text, size, 1) != XML_STATUS_OK)
        return -1;
    if (XML_Parse(parser, "<", 1, 1) == XML_STATUS_OK)
        return -2;
    XML_ParserFree(parser);
    (void)capacity;
    return out - start;
}
#endif

#ifdef WITH_JPEG
#include <jpeglib.h>
PROGRAM(photographs)
{
    enum { SIDE = 64 };
    struct jpeg_compress_struct to;
    struct jpeg_error_mgr errors;
    unsigned char *packed = 0;
    unsigned long size = 0;
    if (length < SIDE * SIDE * 3)
        return -1;
    to.err = jpeg_std_error(&errors);
    jpeg_create_compress(&to);
    jpeg_mem_dest(&to, &packed, &size);
    to.image_width = to.image_height = SIDE;
    to.input_components = 3;
    to.in_color_space = JCS_RGB;
    jpeg_set_defaults(&to);
    jpeg_set_quality(&to, 80, TRUE);
    to.dct_method = JDCT_ISLOW;
    jpeg_start_compress(&to, TRUE);
    while (to.next_scanline < SIDE) {
        JSAMPROW row = (JSAMPROW)(in + to.next_scanline * SIDE * 3);
        jpeg_write_scanlines(&to, &row, 1);
    }
    jpeg_finish_compress(&to);
    jpeg_destroy_compress(&to);
    memcpy(out, packed, size);
    struct jpeg_decompress_struct from;
    from.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&from);
    jpeg_mem_src(&from, packed, size);
    jpeg_read_header(&from, TRUE);
    from.dct_method = JDCT_ISLOW;
    from.do_fancy_upsampling = FALSE;
    jpeg_start_decompress(&from);
    unsigned char *at = out + size;
    while (from.output_scanline < SIDE) {
        jpeg_read_scanlines(&from, &at, 1);
        at += SIDE * 3;
    }
    jpeg_finish_decompress(&from);
    jpeg_destroy_decompress(&from);
    free(packed);
    (void)capacity;
    return at - out;
}
#endif

#ifdef WITH_WEBP
#include <webp/decode.h>
#include <webp/encode.h>
PROGRAM(webps)
{
    enum { SIDE = 64 };
    uint8_t *packed;
    int width, height;
    if (length < SIDE * SIDE * 3)
        return -1;
    size_t size = WebPEncodeRGB(in, SIDE, SIDE, SIDE * 3, 75, &packed);
    if (!size)
        return -2;
    memcpy(out, packed, size);
    uint8_t *back = WebPDecodeRGB(packed, size, &width, &height);
    if (!back || width != SIDE)
        return -3;
    memcpy(out + size, back, SIDE * SIDE * 3);
    WebPFree(packed);
    WebPFree(back);
    (void)capacity;
    return (long)size + SIDE * SIDE * 3;
}
#endif

#ifdef WITH_LUA
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
PROGRAM(scripts)
{
    static const char script[] =
        "local n, t = 0, {} for i = 1, 2000 do n = (n * 31 + i) % 1000003 t[#t + 1] = n end "
        "table.sort(t) local s = {} for w in ('the quick brown fox'):gmatch('%a+') do "
        "s[#s + 1] = w:upper() .. string.format('%5.2f|%x', #w / 3, #w * 77) end "
        "local ok, e = pcall(function() error({code = 5}) end) "
        "local co = coroutine.wrap(function(a) for i = 1, 5 do a = a + coroutine.yield(a * i) end end) "
        "local c = co(3) for i = 1, 4 do c = c + co(i) end "
        "return table.concat(s, ',') .. t[1000] .. tostring(ok) .. e.code .. c .. math.floor(2^40 / 7)";
    lua_State *state = luaL_newstate();
    if (!state)
        return -1;
    luaL_openlibs(state);
    if (luaL_loadstring(state, script) || lua_pcall(state, 0, 1, 0))
        return -2;
    size_t size;
    const char *text = lua_tolstring(state, -1, &size);
    memcpy(out, text, size);
    lua_close(state);
    (void)in, (void)length, (void)capacity;
    return (long)size;
}
#endif

#ifdef WITH_C
static jmp_buf target;
__attribute__((noinline)) static void jump(int n)
{
    volatile char frame[50] = {0};
    if (n == 0)
        longjmp(target, 42);
    jump(n - 1);
    frame[0] = 1;
}
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
/* The C library: memory, text, numbers, sorting, jumps. */
PROGRAM(library)
{
    unsigned char *start = out;
    volatile int jumps = 0;
    int value = setjmp(target);
    if (value != 42) {
        jumps++;
        jump(20);
    }
    out += sprintf((char *)out, "%d %d %s %.3f %e %lld\n", value, jumps, "text", in[0] / 7.0,
                   in[1] * 1e10, (long long)in[2] << 40);
    char **lines = malloc(200 * sizeof *lines);
    for (int i = 0; i < 200; i++) {
        lines[i] = malloc(20 + i * 37 % 5000);
        sprintf(lines[i], "%u-%d", in[i % length] * 7919u % 1000, i);
    }
    qsort(lines, 200, sizeof *lines, by_text);
    for (int i = 0; i < 200; i++) {
        out += sprintf((char *)out, "%s,", lines[i]);
        lines[i] = realloc(lines[i], 9000);
        free(lines[i]);
    }
    free(lines);
    int a = 0;
    unsigned b = 0;
    char word[10] = {0};
    int count = sscanf("  -12 0x1f word", "%d %x %9s", &a, &b, word);
    out += sprintf((char *)out, "%d %d %u %s %ld %f", count, a, b, word, strtol("777", 0, 8),
                   strtod("2.5e3", 0));
    errno = 0;
    strtol("99999999999999999999", 0, 10);
    out += sprintf((char *)out, " %d", errno == ERANGE);
    void *zeros = calloc(1000, 1000);
    out += sprintf((char *)out, " %d", zeros && !memcmp(zeros, (char *)zeros + 500000, 500000));
    free(zeros);
    (void)capacity;
    return out - start;
}
/* Blocks of memory of all sizes do not overlap, are aligned, keep what is in them, and are zero where
   they must be. Large ones have one byte in some hundred looked at. */
struct block {
    unsigned char *at;
    size_t size;
    unsigned char mark;
};
static size_t step(size_t size) { return size < 4096 ? 1 : 509; }
static void fill(struct block *block, size_t size, unsigned char mark)
{
    block->size = size;
    block->mark = mark;
    memset(block->at, 0xee, size);
    for (size_t i = 0; i < size; i += step(size))
        block->at[i] = (unsigned char)(mark + i);
}
static long wrongs(const struct block *block, const unsigned char *at, size_t length)
{
    long wrong = 0;
    for (size_t i = 0; i < length; i += step(block->size))
        wrong += at[i] != (unsigned char)(block->mark + i);
    return wrong;
}
static size_t some_size(uint64_t random)
{
    if (random % 512 == 0)
        return random / 512 % (12u << 20);
    return random / 512 % (random % 16 ? 700 : 150000);
}
PROGRAM(blocks)
{
    static struct block blocks[300];
    uint64_t random = 1;
    long wrong = 0;
    for (unsigned i = 0; i < 40000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct block *block = &blocks[(random >> 20) % 300];
        size_t size = some_size(random >> 30), multiple = 16;
        if (i % 10000 > 9000)
            size %= 300; /* so that most of it is given back */
        if (block->at && i % 3) {
            wrong += wrongs(block, block->at, block->size);
            free(block->at);
            block->at = 0;
        } else if (block->at) {
            unsigned char *moved = realloc(block->at, size);
            wrong += wrongs(block, moved, size < block->size ? size : block->size);
            block->at = moved;
        } else if (i % 4 == 0) {
            block->at = calloc(1, size);
            for (size_t at = 0; at < size; at += step(size))
                wrong += block->at[at];
        } else if (i % 4 == 1) {
            multiple = (size_t)16 << i % 10;
            wrong += posix_memalign((void **)&block->at, multiple, size);
        } else {
            block->at = malloc(size);
        }
        wrong += (uintptr_t)block->at % multiple != 0;
        if (block->at)
            fill(block, size, (unsigned char)i);
    }
    for (int i = 0; i < 300; i++)
        free(blocks[i].at);
    memset(blocks, 0, sizeof blocks);
    errno = 0;
    int is_refused = !malloc((size_t)1 << 60) && errno == ENOMEM && !calloc((size_t)1 << 40, (size_t)1 << 40);
    (void)in, (void)length, (void)capacity;
    return sprintf((char *)out, "%ld wrong, %d", wrong, is_refused);
}
/* Holds 64 MiB in blocks, and frees all but the one at the end; that one at the next call. */
PROGRAM(holds)
{
    enum { COUNT = 1024, EACH = 64 << 10 };
    static char *last;
    char *all[COUNT];
    free(last);
    if (!last)
        for (int i = 0; i < COUNT; i++)
            if ((all[i] = malloc(EACH)))
                memset(all[i], 1, EACH);
    for (int i = 0; !last && i < COUNT - 1; i++)
        free(all[i]);
    last = last ? 0 : all[COUNT - 1];
    (void)in, (void)length, (void)capacity;
    return sprintf((char *)out, "%d", last != 0);
}
#endif
