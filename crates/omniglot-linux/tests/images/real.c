/* Round trips through libraries of the distribution, as they are. Each shim's result is 1
 * if what came back is what went in. */
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <png.h>
#include <sodium.h>
#include <string.h>
#include <zlib.h>

#include "image.h"

/* Bytes that neither repeat at once nor are random. */
static unsigned char *text(size_t size)
{
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; bytes && i < size; i++)
        bytes[i] = (unsigned char)(i * i / 7 + i / 251);
    return bytes;
}

static void shim_zlib(void *f)
{
    struct frame *frame = f;
    uLong size = frame->a, packed_size = compressBound(size);
    unsigned char *in = text(size), *packed = malloc(packed_size), *out = malloc(size);
    frame->result = compress(packed, &packed_size, in, size) == Z_OK
        && uncompress(out, &size, packed, packed_size) == Z_OK && size == frame->a && !memcmp(in, out, size);
    free(in);
    free(packed);
    free(out);
}

static void shim_png(void *f)
{
    struct frame *frame = f;
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 256, .height = (png_uint_32)frame->a, .format = PNG_FORMAT_RGBA};
    size_t size = PNG_IMAGE_SIZE(image);
    png_alloc_size_t packed_size = 2 * size + 4096;
    unsigned char *in = text(size), *packed = malloc(packed_size), *out = malloc(size);
    int good = png_image_write_to_memory(&image, packed, &packed_size, 0, in, 0, NULL);
    png_image other = {.version = PNG_IMAGE_VERSION};
    good = good && png_image_begin_read_from_memory(&other, packed, packed_size);
    other.format = PNG_FORMAT_RGBA;
    good = good && png_image_finish_read(&other, NULL, out, 0, NULL) && !memcmp(in, out, size);
    /* A damaged picture is an error, by longjmp inside the library. */
    png_image bad = {.version = PNG_IMAGE_VERSION};
    packed[packed_size / 2] ^= 0xff;
    bad.format = PNG_FORMAT_RGBA;
    int begun = png_image_begin_read_from_memory(&bad, packed, packed_size);
    bad.format = PNG_FORMAT_RGBA;
    frame->result = good && !(begun && png_image_finish_read(&bad, NULL, out, 0, NULL));
    png_image_free(&bad);
    free(in);
    free(packed);
    free(out);
}

static void shim_sodium(void *f)
{
    struct frame *frame = f;
    unsigned char key[crypto_secretbox_KEYBYTES], nonce[crypto_secretbox_NONCEBYTES];
    size_t size = frame->a;
    unsigned char *in = text(size), *box = malloc(size + crypto_secretbox_MACBYTES), *out = malloc(size);
    frame->result = sodium_init() >= 0;
    crypto_secretbox_keygen(key);
    randombytes_buf(nonce, sizeof nonce);
    frame->result = frame->result && !crypto_secretbox_easy(box, in, size, nonce, key)
        && !crypto_secretbox_open_easy(out, box, size + crypto_secretbox_MACBYTES, nonce, key) && !memcmp(in, out, size);
    box[size / 2] ^= 1;
    frame->result = frame->result && crypto_secretbox_open_easy(out, box, size + crypto_secretbox_MACBYTES, nonce, key);
    free(in);
    free(box);
    free(out);
}

static void shim_brotli(void *f)
{
    struct frame *frame = f;
    size_t size = frame->a, packed_size = BrotliEncoderMaxCompressedSize(size), out_size = size;
    unsigned char *in = text(size), *packed = malloc(packed_size), *out = malloc(size);
    frame->result = BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, size, in, &packed_size, packed)
        && BrotliDecoderDecompress(packed_size, packed, &out_size, out) == BROTLI_DECODER_RESULT_SUCCESS
        && out_size == size && !memcmp(in, out, size);
    free(in);
    free(packed);
    free(out);
}

static void (*const shims[])(void *) = {shim_malloc, shim_free, shim_zlib, shim_png, shim_sodium, shim_brotli};

IMAGE(0, NULL);
