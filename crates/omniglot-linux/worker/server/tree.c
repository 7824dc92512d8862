/* The names of files, and paths. */
#include "tree.h"

#include <fcntl.h>

static const struct file own[] = {
    {"/", 1, KIND_DIRECTORY, 0, 0, 0},          {"/dev", 4, KIND_DIRECTORY, 0, 0, 0},
    {"/dev/null", 9, KIND_NULL, 0, 0, 0},       {"/dev/random", 11, KIND_RANDOM, 0, 0, 0},
    {"/dev/urandom", 12, KIND_RANDOM, 0, 0, 0}, {"/dev/zero", 9, KIND_ZERO, 0, 0, 0},
};

static const struct tree *tree(void)
{
    return (const struct tree *)server.world->tree;
}

static const struct tree_file *given_files(void)
{
    return (const struct tree_file *)(tree() + 1);
}

static size_t count_fixed(void)
{
    return COUNT(own) + (tree() ? tree()->count : 0);
}

size_t count_files(void)
{
    return count_fixed() + count_scratch();
}

long scratch_number(long file)
{
    return file >= (long)count_fixed() && file < (long)count_files() ? file - (long)count_fixed() : -1;
}

long file_number(long scratch)
{
    return scratch < 0 ? scratch : scratch + (long)count_fixed();
}

struct file file_at(size_t number)
{
    if (number < COUNT(own))
        return own[number];
    if (number >= count_fixed())
        return scratch_at(number - count_fixed());
    const struct tree_file *given = &given_files()[number - COUNT(own)];
    const char *start = (const char *)tree();
    enum kind kind = given->is_directory ? KIND_DIRECTORY : KIND_FILE;
    return (struct file){start + given->path, given->path_length, kind, start + given->data, given->size, 0};
}

/* As memcmp, of all bytes that both have, and then the shorter comes first. */
static int compare(const char *one, size_t one_length, const char *other, size_t other_length)
{
    for (size_t i = 0; i < one_length && i < other_length; i++)
        if (one[i] != other[i])
            return (unsigned char)one[i] < (unsigned char)other[i] ? -1 : 1;
    return one_length < other_length ? -1 : one_length > other_length;
}

/* The file's number, or -1. The given ones are in order. */
static long find(const char *path, size_t length)
{
    for (size_t i = 0; i < COUNT(own); i++)
        if (!compare(own[i].path, own[i].path_length, path, length))
            return (long)i;
    long scratch = find_scratch(path, length);
    if (scratch >= 0)
        return file_number(scratch);
    size_t low = COUNT(own), high = count_fixed();
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct file file = file_at(middle);
        int order = compare(file.path, file.path_length, path, length);
        if (!order)
            return (long)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

long find_file(const char *path)
{
    size_t length = 0;
    while (path[length]) {
        if (length && path[length] == '/') {
            long parent = find(path, length);
            if (parent < 0)
                return -ENOENT;
            if (file_at((size_t)parent).kind != KIND_DIRECTORY)
                return -ENOTDIR;
        }
        length++;
    }
    long found = find(path, length);
    return found < 0 ? -ENOENT : found;
}

long parent_of(const char *path)
{
    char parent[MOST_PATH];
    size_t length = 0;
    while (path[length])
        length++;
    while (length > 1 && path[length - 1] != '/')
        length--;
    length = length > 1 ? length - 1 : 1;
    copy_bytes(parent, path, length);
    parent[length] = 0;
    return find_file(parent);
}

/* Adds a path's names, one by one, to a path that is clean. */
static long append(char *into, size_t length, const char *path)
{
    while (*path) {
        size_t name = 0;
        while (path[name] && path[name] != '/')
            name++;
        if (name == 2 && path[0] == '.' && path[1] == '.') {
            while (length && into[length - 1] != '/')
                length--;
            length -= length > 0;
        } else if (name && !(name == 1 && path[0] == '.')) {
            if (name > 255 || length + name + 2 > MOST_PATH)
                return -ENAMETOOLONG;
            into[length++] = '/';
            for (size_t i = 0; i < name; i++)
                into[length++] = path[i];
        }
        path += name + (path[name] == '/');
    }
    if (!length)
        into[length++] = '/';
    into[length] = 0;
    return (long)length;
}

long resolve(long directory, const char *path, char *into)
{
    char given[MOST_PATH];
    long length = copy_string(given, path, sizeof given);
    size_t start = 0;
    if (length < 0)
        return length;
    if (!length)
        return -ENOENT;
    if (given[0] != '/' && (int)directory != AT_FDCWD) {
        long number = file_of(directory);
        if (number < 0)
            return number;
        if (number == OUTPUT_NUMBER)
            return -ENOTDIR;
        struct file base = file_at((size_t)number);
        if (base.kind != KIND_DIRECTORY)
            return -ENOTDIR;
        start = base.path_length > 1 ? base.path_length : 0;
        copy_bytes(into, base.path, start);
    }
    return append(into, start, given);
}
