/* Open files: descriptors, and what is read and written through them. Nothing can be written
 * except the library's standard output and error. */
#define _GNU_SOURCE
#include "tree.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_OPEN 256
#define MOST_VECTORS 1024
#define MOST_BYTES 0x7ffff000ul /* in one call: read(2) */
#define NULL_NUMBER 2           /* /dev/null, in tree.c */

/* The open file description that duplicated descriptors share: open(2). */
struct description {
    unsigned users;
    long file;
    uint64_t position;
    int flags;
};

struct descriptor {
    unsigned description; /* 1 + its number; 0 if the descriptor is closed */
    int closes;           /* at execve, as if there were one */
};

static struct description descriptions[MOST_OPEN] = {
    {1, NULL_NUMBER, 0, O_RDONLY}, {1, OUTPUT_NUMBER, 0, O_WRONLY}, {1, OUTPUT_NUMBER, 0, O_WRONLY}};
static struct descriptor descriptors[MOST_OPEN] = {{1, 0}, {2, 0}, {3, 0}};

static struct description *open_file(long descriptor)
{
    int number = (int)descriptor;
    if (number < 0 || number >= MOST_OPEN || !descriptors[number].description)
        return 0;
    return &descriptions[descriptors[number].description - 1];
}

/* A descriptor that was not opened with O_PATH: open(2). */
static struct description *usable_file(long descriptor)
{
    struct description *description = open_file(descriptor);
    return description && !(description->flags & O_PATH) ? description : 0;
}

static enum kind kind_of(const struct description *description)
{
    return description->file == OUTPUT_NUMBER ? KIND_OUTPUT : file_at((size_t)description->file).kind;
}

long file_of(long descriptor)
{
    struct description *description = open_file(descriptor);
    return description ? description->file : -EBADF;
}

uint64_t *position_of(long descriptor)
{
    return &open_file(descriptor)->position;
}

static long free_descriptor(long lowest)
{
    for (long i = lowest; i < MOST_OPEN; i++)
        if (!descriptors[i].description)
            return i;
    return -EMFILE;
}

static long open_description(long file, int flags)
{
    long descriptor = free_descriptor(0);
    if (descriptor < 0)
        return descriptor;
    for (unsigned i = 0; i < MOST_OPEN; i++) {
        if (descriptions[i].users)
            continue;
        if (scratch_number(file) >= 0)
            use_scratch((size_t)scratch_number(file));
        descriptions[i] = (struct description){1, file, 0, flags & ~(O_CLOEXEC | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC)};
        descriptors[descriptor] = (struct descriptor){i + 1, (flags & O_CLOEXEC) != 0};
        return descriptor;
    }
    return -ENFILE;
}

/* A new file, which can be in the library's own /tmp only; what has no name is given by the
 * directory that it would lie in. */
static long make_file(long parent, const char *path, size_t length)
{
    if (parent < 0)
        return parent;
    if (file_at((size_t)parent).kind != KIND_DIRECTORY)
        return -ENOTDIR;
    return scratch_number(parent) < 0 ? -EACCES : file_number(make_scratch(path, length, 0));
}

static long open_new(long number, int flags)
{
    long descriptor = number < 0 ? number : open_description(number, flags);
    if (number >= 0 && descriptor < 0)
        remove_scratch((size_t)scratch_number(number), 0);
    return descriptor;
}

static int is_device(enum kind kind)
{
    return kind == KIND_NULL || kind == KIND_ZERO || kind == KIND_RANDOM;
}

static long open_path(long directory, const char *name, int flags)
{
    char path[MOST_PATH];
    long length = resolve(directory, name, path);
    if (length < 0)
        return length;
    long number = find_file(path);
    if (number >= 0 && (flags & O_TMPFILE) == O_TMPFILE)
        return (flags & O_ACCMODE) == O_RDONLY ? -EINVAL : open_new(make_file(number, "", 0), flags & ~O_TMPFILE);
    if (number == -ENOENT && flags & O_CREAT)
        return open_new(make_file(parent_of(path), path, (size_t)length), flags);
    if (number < 0)
        return number;
    struct file file = file_at((size_t)number);
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (flags & O_PATH)
        writes = 0;
    if (flags & O_CREAT && flags & O_EXCL)
        return -EEXIST;
    if (file.kind == KIND_DIRECTORY && (writes || flags & O_CREAT))
        return -EISDIR;
    if (file.kind != KIND_DIRECTORY && flags & O_DIRECTORY)
        return -ENOTDIR;
    if (writes && !is_device(file.kind) && !file.is_writable)
        return -EACCES;
    long descriptor = open_description(number, flags);
    if (descriptor >= 0 && flags & O_TRUNC && !(flags & O_PATH) && file.is_writable)
        resize_scratch((size_t)scratch_number(number), 0);
    return descriptor;
}

long serve_open(const long *a)
{
    return open_path(AT_FDCWD, (const char *)a[0], (int)a[1]);
}

long serve_openat(const long *a)
{
    return open_path(a[0], (const char *)a[1], (int)a[2]);
}

long serve_close(const long *a)
{
    struct description *description = open_file(a[0]);
    if (!description)
        return -EBADF;
    descriptors[(int)a[0]].description = 0;
    if (!--description->users && scratch_number(description->file) >= 0)
        leave_scratch((size_t)scratch_number(description->file));
    return 0;
}

long serve_close_range(const long *a)
{
    enum { ONLY_AT_EXECVE = 4 };
    unsigned first = (unsigned)a[0], last = (unsigned)a[1];
    if (first > last || a[2] & ~(ONLY_AT_EXECVE | 2))
        return -EINVAL;
    for (unsigned i = first; i <= last && i < MOST_OPEN; i++) {
        const long one = (long)i;
        if (a[2] & ONLY_AT_EXECVE)
            descriptors[i].closes = 1;
        else
            serve_close(&one);
    }
    return 0;
}

static long duplicate(long from, long to, int closes)
{
    struct description *description = open_file(from);
    if (!description)
        return -EBADF;
    if (to < 0)
        return to;
    if (open_file(to))
        serve_close(&to);
    description->users++;
    descriptors[to] = (struct descriptor){descriptors[(int)from].description, closes};
    return to;
}

long serve_dup(const long *a)
{
    return open_file(a[0]) ? duplicate(a[0], free_descriptor(0), 0) : -EBADF;
}

static long duplicate_to(long from, long to, int closes)
{
    if (!open_file(from) || (int)to < 0 || (int)to >= MOST_OPEN)
        return -EBADF;
    return duplicate(from, (int)to, closes);
}

long serve_dup2(const long *a)
{
    if ((int)a[0] == (int)a[1])
        return open_file(a[0]) ? (int)a[1] : -EBADF;
    return duplicate_to(a[0], a[1], 0);
}

long serve_dup3(const long *a)
{
    if ((int)a[2] & ~O_CLOEXEC || (int)a[0] == (int)a[1])
        return -EINVAL;
    return duplicate_to(a[0], a[1], ((int)a[2] & O_CLOEXEC) != 0);
}

/* There are no pipes, since nobody is at the other end: as on a system that has no memory for more
 * of them (pipe(2)), which libraries expect. */
long serve_pipe(const long *a)
{
    (void)a;
    return -ENFILE;
}

long serve_pipe2(const long *a)
{
    int known = O_CLOEXEC | O_DIRECT | O_NONBLOCK | O_EXCL;
    return (int)a[1] & ~known ? -EINVAL : -ENFILE;
}

/* Queries of a socket, which no open file is. */
long serve_socket_query(const long *a)
{
    const struct description *description = open_file(a[0]);
    return description && !(description->flags & O_PATH) ? -ENOTSOCK : -EBADF;
}

/* A lock is always granted: there is no other process. */
static long lock(const long *a)
{
    struct flock wanted;
    if (FETCH(wanted, a[2]))
        return -EFAULT;
    if ((int)a[1] != F_GETLK)
        return 0;
    wanted.l_type = F_UNLCK;
    return STORE(a[2], wanted);
}

long serve_fcntl(const long *a)
{
    struct description *description = open_file(a[0]);
    if (!description)
        return -EBADF;
    struct descriptor *descriptor = &descriptors[(int)a[0]];
    int for_places = (int)a[1] == F_DUPFD || (int)a[1] == F_DUPFD_CLOEXEC || (int)a[1] == F_GETFD || (int)a[1] == F_SETFD || (int)a[1] == F_GETFL;
    if (description->flags & O_PATH && !for_places)
        return -EBADF;
    switch ((int)a[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if ((int)a[2] < 0 || (int)a[2] >= MOST_OPEN)
            return -EINVAL;
        return duplicate(a[0], free_descriptor((int)a[2]), (int)a[1] == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return descriptor->closes ? FD_CLOEXEC : 0;
    case F_SETFD:
        descriptor->closes = (a[2] & FD_CLOEXEC) != 0;
        return 0;
    case F_GETFL:
        /* The kernel adds O_LARGEFILE. */
        return description->flags | (description->flags & O_PATH ? 0 : LARGE_FILE);
    case F_SETFL:
        description->flags = (description->flags & ~(O_APPEND | O_NONBLOCK)) | ((int)a[2] & (O_APPEND | O_NONBLOCK));
        return 0;
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock(a);
    default:
        return -EINVAL;
    }
}

long serve_ioctl(const long *a)
{
    struct description *description = usable_file(a[0]);
    if (!description)
        return -EBADF;
    if ((unsigned)a[1] == FIOCLEX || (unsigned)a[1] == FIONCLEX) {
        descriptors[(int)a[0]].closes = (unsigned)a[1] == FIOCLEX;
        return 0;
    }
    if ((unsigned)a[1] == FIONREAD && kind_of(description) == KIND_FILE) {
        struct file file = file_at((size_t)description->file);
        int left = file.size > description->position ? (int)(file.size - description->position) : 0;
        return STORE(a[2], left);
    }
    return -ENOTTY;
}

/* Bytes of a file from a position on. */
static long read_at(struct description *description, uint64_t position, char *into, uint64_t size)
{
    if (size > MOST_BYTES)
        size = MOST_BYTES;
    if ((description->flags & O_ACCMODE) == O_WRONLY || description->flags & O_PATH)
        return -EBADF;
    if (description->file == OUTPUT_NUMBER)
        return -EBADF;
    struct file file = file_at((size_t)description->file);
    static const char zeros[4096];
    char random[256];
    uint64_t done = 0;
    switch (file.kind) {
    case KIND_DIRECTORY:
        return -EISDIR;
    case KIND_FILE:
        if (position >= file.size)
            return 0;
        done = size < file.size - position ? size : file.size - position;
        return copy_bytes(into, file.data + position, done) ? -EFAULT : (long)done;
    case KIND_ZERO:
    case KIND_RANDOM:
        while (done < size) {
            uint64_t most = file.kind == KIND_ZERO ? sizeof zeros : sizeof random;
            uint64_t part = size - done < most ? size - done : most;
            if (file.kind == KIND_RANDOM)
                random_bytes(random, part);
            if (copy_bytes(into + done, file.kind == KIND_ZERO ? zeros : random, part))
                return done ? (long)done : -EFAULT;
            done += part;
        }
        return (long)done;
    default:
        return 0;
    }
}

long serve_read(const long *a)
{
    struct description *description = open_file(a[0]);
    if (!description)
        return -EBADF;
    long got = read_at(description, description->position, (char *)a[1], (uint64_t)a[2]);
    if (got > 0 && kind_of(description) == KIND_FILE)
        description->position += (uint64_t)got;
    return got;
}

long serve_pread(const long *a)
{
    struct description *description = open_file(a[0]);
    if (a[3] < 0)
        return -EINVAL;
    if (!description)
        return -EBADF;
    if (description->file == OUTPUT_NUMBER)
        return -ESPIPE;
    return read_at(description, (uint64_t)a[3], (char *)a[1], (uint64_t)a[2]);
}

/* One call for each piece, until one is not done whole; none if the file was opened in the mode
 * that does not permit them, which the kernel sees before it looks at the pieces. */
static long each_piece(long (*serve)(const long *), const long *a, long position, int without)
{
    long done = 0;
    const struct description *description = usable_file(a[0]);
    if (description && position >= 0 && description->file == OUTPUT_NUMBER)
        return -ESPIPE;
    if (!description || (description->flags & O_ACCMODE) == without)
        return -EBADF;
    if ((uint64_t)a[2] > MOST_VECTORS)
        return -EINVAL;
    for (long i = 0; i < a[2]; i++) {
        struct iovec piece;
        if (copy_bytes(&piece, (struct iovec *)a[1] + i, sizeof piece))
            return done ? done : -EFAULT;
        if ((long)piece.iov_len < 0)
            return -EINVAL;
        if (!piece.iov_len)
            continue;
        const long one[] = {a[0], (long)piece.iov_base, (long)piece.iov_len, position < 0 ? 0 : position + done};
        long part = serve(one);
        if (part < 0)
            return done ? done : part;
        done += part;
        if (part < (long)piece.iov_len)
            break;
    }
    return done;
}

long serve_readv(const long *a)
{
    return each_piece(serve_read, a, -1, O_WRONLY);
}

long serve_preadv(const long *a)
{
    return a[3] < 0 ? -EINVAL : each_piece(serve_pread, a, a[3], O_WRONLY);
}

/* Appends to the ring that the host reads; the oldest output is overwritten. */
static long say(const char *from, uint64_t size)
{
    struct world *world = server.world;
    char part[256];
    for (uint64_t done = 0; done < size;) {
        size_t length = size - done < sizeof part ? size - done : sizeof part;
        if (copy_bytes(part, from + done, length))
            return done ? (long)done : -EFAULT;
        for (size_t i = 0; i < length; i++)
            world->output[(world->said + i) % OUTPUT_SIZE] = part[i];
        __atomic_store_n(&world->said, world->said + length, __ATOMIC_RELEASE);
        done += length;
    }
    return (long)size;
}

static int can_write(const struct description *description)
{
    return description && (description->flags & O_ACCMODE) != O_RDONLY && !(description->flags & O_PATH);
}

/* The position behind what was written comes back in `position`. */
static long write_at(struct description *description, uint64_t *position, const char *from, uint64_t size)
{
    if (size > MOST_BYTES)
        size = MOST_BYTES;
    if (description->file == OUTPUT_NUMBER)
        return say(from, size);
    long scratch = scratch_number(description->file);
    if (scratch < 0)
        return (long)size;
    if (description->flags & O_APPEND)
        *position = scratch_at((size_t)scratch).size;
    long written = write_scratch((size_t)scratch, *position, from, size);
    if (written > 0)
        *position += (uint64_t)written;
    return written;
}

long serve_write(const long *a)
{
    struct description *description = open_file(a[0]);
    return can_write(description) ? write_at(description, &description->position, (const char *)a[1], (uint64_t)a[2]) : -EBADF;
}

long serve_pwrite(const long *a)
{
    struct description *description = open_file(a[0]);
    if (a[3] < 0)
        return -EINVAL;
    if (description && description->file == OUTPUT_NUMBER)
        return -ESPIPE;
    uint64_t position = (uint64_t)a[3];
    return can_write(description) ? write_at(description, &position, (const char *)a[1], (uint64_t)a[2]) : -EBADF;
}

long serve_writev(const long *a)
{
    return each_piece(serve_write, a, -1, O_RDONLY);
}

long serve_pwritev(const long *a)
{
    return a[3] < 0 ? -EINVAL : each_piece(serve_pwrite, a, a[3], O_RDONLY);
}

long serve_lseek(const long *a)
{
    struct description *description = open_file(a[0]);
    if (!description || description->flags & O_PATH)
        return -EBADF;
    enum kind kind = kind_of(description);
    if (kind == KIND_OUTPUT)
        return -ESPIPE;
    if (is_device(kind))
        return 0;
    long size = kind == KIND_FILE ? (long)file_at((size_t)description->file).size : 0;
    long to;
    switch ((int)a[2]) {
    case SEEK_SET:
        to = a[1];
        break;
    case SEEK_CUR:
        if (__builtin_add_overflow((long)description->position, a[1], &to))
            return -EINVAL;
        break;
    case SEEK_END:
        if (__builtin_add_overflow(size, a[1], &to))
            return -EINVAL;
        break;
    case SEEK_DATA:
        if (a[1] < 0 || a[1] >= size)
            return -ENXIO;
        to = a[1];
        break;
    case SEEK_HOLE:
        if (a[1] < 0 || a[1] >= size)
            return -ENXIO;
        to = size;
        break;
    default:
        return -EINVAL;
    }
    if (to < 0)
        return -EINVAL;
    description->position = (uint64_t)to;
    return to;
}

long serve_ftruncate(const long *a)
{
    struct description *description = usable_file(a[0]);
    if (a[1] < 0)
        return -EINVAL;
    if (!description)
        return -EBADF;
    long scratch = can_write(description) ? scratch_number(description->file) : -1;
    return scratch < 0 ? -EINVAL : resize_scratch((size_t)scratch, (uint64_t)a[1]);
}

/* Only what makes a file longer. */
long serve_fallocate(const long *a)
{
    struct description *description = usable_file(a[0]);
    if (!description)
        return -EBADF;
    if (a[2] < 0 || a[3] <= 0)
        return -EINVAL;
    if (a[1])
        return -EOPNOTSUPP;
    if (!can_write(description))
        return -EBADF;
    long scratch = scratch_number(description->file);
    if (scratch < 0)
        return -ENODEV;
    uint64_t size = (uint64_t)a[2] + (uint64_t)a[3];
    return size <= scratch_at((size_t)scratch).size ? 0 : resize_scratch((size_t)scratch, size);
}

/* Rights and times are had by asking, and are not kept. */
long serve_fchange(const long *a)
{
    struct description *description = usable_file(a[0]);
    if (!description)
        return -EBADF;
    return scratch_number(description->file) < 0 ? -EPERM : 0;
}

long serve_flock(const long *a)
{
    return usable_file(a[0]) ? 0 : -EBADF;
}

long serve_fsync(const long *a)
{
    struct description *description = usable_file(a[0]);
    if (!description)
        return -EBADF;
    enum kind kind = kind_of(description);
    return kind == KIND_FILE || kind == KIND_DIRECTORY ? 0 : -EINVAL;
}

long serve_fadvise(const long *a)
{
    struct description *description = usable_file(a[0]);
    if (!description)
        return -EBADF;
    if ((unsigned)a[3] > POSIX_FADV_NOREUSE)
        return -EINVAL;
    return kind_of(description) == KIND_OUTPUT ? -ESPIPE : 0;
}

long read_for_mapping(long file, int is_shared, int protection, uint64_t into, uint64_t size, uint64_t offset)
{
    struct description *description = usable_file(file);
    if (!description)
        return -EBADF;
    enum kind kind = kind_of(description);
    if ((description->flags & O_ACCMODE) == O_WRONLY || (is_shared && protection & PROT_WRITE && (description->flags & O_ACCMODE) != O_RDWR))
        return -EACCES;
    if (kind == KIND_ZERO)
        return 0;
    if (kind != KIND_FILE || (is_shared && protection & PROT_WRITE))
        return -ENODEV;
    return read_at(description, offset, (char *)into, size);
}

/* Behind a file's last page there is another file. */
uint64_t where_it_lies(long file, uint64_t size, uint64_t offset)
{
    struct description *description = open_file(file);
    if (!description || kind_of(description) != KIND_FILE || (description->flags & O_ACCMODE) == O_WRONLY || description->flags & O_PATH)
        return 0;
    struct file data = file_at((size_t)description->file);
    if (data.is_writable)
        return 0;
    uint64_t end = (data.size + PAGE_SIZE - 1) & -PAGE_SIZE;
    return offset < end && size <= end - offset ? (uint64_t)data.data + offset : 0;
}
