#ifndef WRAPPERS_H
#define WRAPPERS_H
#include <stddef.h>

typedef struct codec codec;
enum outcome { OUTCOME_DONE, OUTCOME_FAILED };

/** Unpacks. */
int unpack(unsigned char *dest, unsigned long *dest_len, const unsigned char *source,
           unsigned long source_len);
int hash(unsigned char *out, size_t out_len, const void *in, unsigned long long in_len,
         const unsigned char *key, size_t key_len);
void mix(double *left, const double *right, int count, unsigned char seed[32]);
enum outcome codec_open(const char *name, const char *options, codec **result, int *version);
long codec_read(codec *codec, char *buffer, size_t len);
const char *reason(int status);
const char *codec_name(codec *codec);
#endif
