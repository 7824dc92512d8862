/* The existing files: a few of the server's own, and the tree that the host provides. */
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
    int is_writable; /* in the library's own /tmp */
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

/* The number of the directory that a path lies in, or an error. */
long parent_of(const char *path);
/* The number in scratch.c of a file; -1 if it is another's. */
long scratch_number(long file);
/* The same for a number of scratch.c. */
long file_number(long scratch);

/* scratch.c: files by their number there, from 0 on; -1 if there is none. */
size_t count_scratch(void);
struct file scratch_at(size_t index);
long find_scratch(const char *path, size_t length);
/* With a path of no bytes, a file without a name. Its number, or an error. */
long make_scratch(const char *path, size_t length, int is_directory);
void use_scratch(size_t index);
void leave_scratch(size_t index);
long remove_scratch(size_t index, int as_directory);
long rename_scratch(size_t index, const char *path, size_t length, int replaces);
long resize_scratch(size_t index, uint64_t size);
long write_scratch(size_t index, uint64_t position, const char *from, uint64_t size);

/* files.c: the number of the file that a descriptor is open for, or -EBADF. */
long file_of(long descriptor);
/* The descriptor's position in a directory. */
uint64_t *position_of(long descriptor);

#endif
