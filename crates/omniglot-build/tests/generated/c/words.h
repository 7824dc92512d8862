#ifndef WORDS_H
#define WORDS_H
#ifdef __cplusplus
extern "C" {
#endif

/** How many different words there are; -1 where C++ throws. */
int words_count(const char *text);
/** The longest word, until the next call. */
const char *words_longest(const char *text);

#ifdef __cplusplus
}
#endif
#endif
