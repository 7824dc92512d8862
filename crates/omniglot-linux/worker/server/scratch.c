/* A /tmp of the library's own, in the domain's memory, where the host permits one: files and
 * directories that are made, written and removed as in any file system. They end with the
 * domain's life. */
#include "tree.h"

#define MOST_NODES 1024
#define MOST_NAME 240 /* of a whole path */
#define ROOT "/tmp"

struct node {
    char path[MOST_NAME];
    uint16_t length; /* 0 if nothing of that name is there (any more) */
    uint8_t is_taken;
    uint8_t is_directory;
    uint32_t users; /* descriptions */
    uint64_t size;
    uint64_t room;
    char *data;
};

static struct node nodes[MOST_NODES];
static uint64_t limit, in_use;

void start_scratch(uint64_t bytes)
{
    limit = bytes;
    if (limit)
        make_scratch(ROOT, sizeof ROOT - 1, 1);
}

size_t count_scratch(void)
{
    return limit ? MOST_NODES : 0;
}

struct file scratch_at(size_t index)
{
    const struct node *node = &nodes[index];
    enum kind kind = node->is_directory ? KIND_DIRECTORY : KIND_FILE;
    return (struct file){node->path, node->length, kind, node->data, node->size, 1};
}

/* Whether one path is the other, or lies in it. */
static int is_within(const struct node *node, const char *path, size_t length)
{
    if (node->length < length)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (node->path[i] != path[i])
            return 0;
    return node->length == length || node->path[length] == '/';
}

long find_scratch(const char *path, size_t length)
{
    for (size_t i = 0; limit && i < MOST_NODES; i++)
        if (nodes[i].length == length && is_within(&nodes[i], path, length))
            return (long)i;
    return -1;
}

static int has_room(size_t length)
{
    return length < MOST_NAME;
}

static void set_path(struct node *node, const char *path, size_t length)
{
    copy_bytes(node->path, path, length);
    node->length = (uint16_t)length;
}

long make_scratch(const char *path, size_t length, int is_directory)
{
    if (!has_room(length))
        return -ENAMETOOLONG;
    for (size_t i = 0; i < MOST_NODES; i++) {
        if (nodes[i].is_taken)
            continue;
        nodes[i] = (struct node){.is_taken = 1, .is_directory = (uint8_t)is_directory};
        set_path(&nodes[i], path, length);
        return (long)i;
    }
    return -ENOSPC;
}

static void give_up(struct node *node)
{
    if (node->room)
        return_pages((uint64_t)node->data, node->room);
    in_use -= node->room;
    *node = (struct node){0};
}

void use_scratch(size_t index)
{
    nodes[index].users++;
}

void leave_scratch(size_t index)
{
    struct node *node = &nodes[index];
    if (!--node->users && !node->length)
        give_up(node);
}

static void remove_node(struct node *node)
{
    node->length = 0;
    if (!node->users)
        give_up(node);
}

/* Whether there is something in a directory. */
static int is_empty(const struct node *directory)
{
    for (size_t i = 0; i < MOST_NODES; i++)
        if (&nodes[i] != directory && nodes[i].length && is_within(&nodes[i], directory->path, directory->length))
            return 0;
    return 1;
}

long remove_scratch(size_t index, int as_directory)
{
    struct node *node = &nodes[index];
    if (!index)
        return as_directory ? -EBUSY : -EISDIR;
    if (node->is_directory != as_directory)
        return as_directory ? -ENOTDIR : -EISDIR;
    if (as_directory && !is_empty(node))
        return -ENOTEMPTY;
    remove_node(node);
    return 0;
}

/* What a rename replaces. */
static long make_way(const struct node *from, struct node *to)
{
    if (from->is_directory != to->is_directory)
        return from->is_directory ? -ENOTDIR : -EISDIR;
    if (to->is_directory && !is_empty(to))
        return -ENOTEMPTY;
    remove_node(to);
    return 0;
}

static int all_have_room(const struct node *from, size_t length)
{
    for (size_t i = 0; i < MOST_NODES; i++)
        if (nodes[i].length && is_within(&nodes[i], from->path, from->length) && !has_room(nodes[i].length - from->length + length))
            return 0;
    return 1;
}

long rename_scratch(size_t index, const char *path, size_t length, int replaces)
{
    struct node from = nodes[index], to = {.is_taken = 1};
    long there = find_scratch(path, length);
    if (!index)
        return -EBUSY;
    if (there == (long)index)
        return replaces ? 0 : -EEXIST;
    if (there >= 0 && !replaces)
        return -EEXIST;
    if (!has_room(length) || !all_have_room(&from, length))
        return -ENAMETOOLONG;
    set_path(&to, path, length);
    if (is_within(&to, from.path, from.length))
        return -EINVAL;
    if (is_within(&from, path, length))
        return -ENOTEMPTY;
    long error = there < 0 ? 0 : make_way(&from, &nodes[there]);
    for (size_t i = 0; !error && i < MOST_NODES; i++) {
        struct node *node = &nodes[i];
        if (!node->length || !is_within(node, from.path, from.length))
            continue;
        char whole[MOST_NAME];
        size_t rest = node->length - from.length;
        copy_bytes(whole, path, length);
        copy_bytes(whole + length, node->path + from.length, rest);
        set_path(node, whole, length + rest);
    }
    return error;
}

static uint64_t page_up(uint64_t size)
{
    return (size + PAGE_SIZE - 1) & -PAGE_SIZE;
}

/* Twice as much as there was, or else just what is needed. */
static long grow(struct node *node, uint64_t size)
{
    uint64_t left = limit - in_use + node->room;
    uint64_t room = page_up(size > 2 * node->room ? size : 2 * node->room);
    if (room > left)
        room = page_up(size);
    if (size > left || room > left)
        return -ENOSPC;
    uint64_t data = take_pages(room);
    if (!data)
        return -ENOSPC;
    copy_bytes((void *)data, node->data, node->size);
    if (node->room)
        return_pages((uint64_t)node->data, node->room);
    in_use += room - node->room;
    node->data = (char *)data;
    node->room = room;
    return 0;
}

long resize_scratch(size_t index, uint64_t size)
{
    struct node *node = &nodes[index];
    long error = size > node->room ? grow(node, size) : 0;
    if (!error && size < node->size)
        fill_bytes(node->data + size, 0, node->size - size);
    if (!error)
        node->size = size;
    return error;
}

long write_scratch(size_t index, uint64_t position, const char *from, uint64_t size)
{
    struct node *node = &nodes[index];
    uint64_t before = node->size;
    if (position > 1ul << 47)
        return -EFBIG;
    long error = size && position + size > before ? resize_scratch(index, position + size) : 0;
    if (error)
        return error;
    if (!copy_bytes(node->data + position, from, size))
        return (long)size;
    if (before < node->size)
        resize_scratch(index, before);
    return -EFAULT;
}
