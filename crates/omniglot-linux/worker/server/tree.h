/* The files that there are: a few of the server's own and the tree that the host gave. */
#ifndef OMNIGLOT_TREE_H
#define OMNIGLOT_TREE_H

#include "server.h"

#define MOST_PATH 4096
/* The file behind descriptors 1 and 2, which no name leads to. No error has that number. */
#define OUTPUT_NUMBER (1l << 40)

enum kind { KIND_DIRECTORY = 0, KIND_FILE = 1, KIND_NULL, KIND_ZERO, KIND_RANDOM, KIND_OUTPUT };

struct file {
    const char *path;
    size_t path_length;
    enum kind kind;
    const char *data;
    uint64_t size;
};

/* How many files there are; their numbers are stable. */
size_t count_files(void);
struct file file_at(size_t number);
/* The number of the file of this name, or the error: ENOENT, or ENOTDIR where a file is in the
 * place of a directory. The path is absolute and has no "." or "..". */
long find_file(const char *path);
/* Makes an absolute path without ".", ".." and "//" of one relative to a directory; its length
 * or an error. */
long resolve(long directory, const char *path, char *into);

/* files.c: the number of the file that a descriptor is open for, or -EBADF. */
long file_of(long descriptor);
/* The descriptor's position in a directory. */
uint64_t *position_of(long descriptor);

#endif
