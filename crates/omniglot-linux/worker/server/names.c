/* Calls that name files, and what files are. */
#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static uint32_t mode_of(const struct file *file)
{
    switch (file->kind) {
    case KIND_DIRECTORY:
        return S_IFDIR | (file->is_writable ? 0777 : 0555);
    case KIND_FILE:
        return S_IFREG | (file->is_writable ? 0666 : 0444);
    case KIND_OUTPUT:
        return S_IFIFO | 0600;
    default:
        return S_IFCHR | 0666;
    }
}

/* As the kernel numbers them: Documentation/admin-guide/devices.txt. */
static unsigned minor_of(enum kind kind)
{
    return kind == KIND_NULL ? 3 : kind == KIND_ZERO ? 5 : 9;
}

static struct file file_or_output(long number)
{
    return number == OUTPUT_NUMBER ? (struct file){"", 0, KIND_OUTPUT, 0, 0, 0} : file_at((size_t)number);
}

/* All files are of 1970: nobody is told the date by them. */
static struct stat status_of(long number)
{
    struct file file = file_or_output(number);
    struct stat status = {0};
    status.st_dev = makedev(0, 1);
    status.st_ino = (ino_t)(number + 3);
    status.st_nlink = file.kind == KIND_DIRECTORY ? 2 : 1;
    status.st_mode = mode_of(&file);
    status.st_size = (off_t)file.size;
    status.st_blksize = PAGE_SIZE;
    status.st_blocks = (blkcnt_t)((file.size + 511) / 512);
    if (S_ISCHR(status.st_mode))
        status.st_rdev = makedev(1, minor_of(file.kind));
    return status;
}

/* The number of the file that a path, or with AT_EMPTY_PATH a descriptor, names. */
static long named(long directory, const char *name, int flags)
{
    char path[MOST_PATH], first;
    if (flags & AT_EMPTY_PATH) {
        if (name && copy_bytes(&first, name, 1))
            return -EFAULT;
        if (!name || !first)
            return (int)directory == AT_FDCWD ? 0 : file_of(directory);
    }
    long length = resolve(directory, name, path);
    return length < 0 ? length : find_file(path);
}

static long store_status(long number, long into)
{
    if (number < 0)
        return number;
    struct stat status = status_of(number);
    return STORE(into, status);
}

long serve_stat(const long *a)
{
    return store_status(named(AT_FDCWD, (const char *)a[0], 0), a[1]);
}

long serve_lstat(const long *a)
{
    return serve_stat(a);
}

long serve_fstat(const long *a)
{
    return store_status(file_of(a[0]), a[1]);
}

long serve_newfstatat(const long *a)
{
    if ((int)a[3] & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
        return -EINVAL;
    return store_status(named(a[0], (const char *)a[1], (int)a[3]), a[2]);
}

long serve_statx(const long *a)
{
    long number = named(a[0], (const char *)a[1], (int)a[2]);
    if (number < 0)
        return number;
    struct stat status = status_of(number);
    struct statx answer = {0};
    answer.stx_mask = STATX_BASIC_STATS;
    answer.stx_blksize = (uint32_t)status.st_blksize;
    answer.stx_nlink = (uint32_t)status.st_nlink;
    answer.stx_mode = (uint16_t)status.st_mode;
    answer.stx_ino = status.st_ino;
    answer.stx_size = (uint64_t)status.st_size;
    answer.stx_blocks = (uint64_t)status.st_blocks;
    answer.stx_rdev_major = major(status.st_rdev);
    answer.stx_rdev_minor = minor(status.st_rdev);
    answer.stx_dev_major = major(status.st_dev);
    answer.stx_dev_minor = minor(status.st_dev);
    return STORE(a[4], answer);
}

static long store_system(long number, long into)
{
    struct statfs status = {0};
    if (number < 0)
        return number;
    status.f_type = TMPFS_MAGIC;
    status.f_bsize = status.f_frsize = PAGE_SIZE;
    status.f_namelen = 255;
    status.f_flags = 1; /* ST_RDONLY */
    return STORE(into, status);
}

long serve_statfs(const long *a)
{
    return store_system(named(AT_FDCWD, (const char *)a[0], 0), a[1]);
}

long serve_fstatfs(const long *a)
{
    return store_system(file_of(a[0]), a[1]);
}

static long check_access(long number, long wanted)
{
    if (wanted & ~(R_OK | W_OK | X_OK))
        return -EINVAL;
    if (number < 0)
        return number;
    struct file file = file_at((size_t)number);
    uint32_t mode = mode_of(&file);
    return (mode & 7 & (uint32_t)wanted) == (uint32_t)wanted ? 0 : -EACCES;
}

long serve_access(const long *a)
{
    return check_access(named(AT_FDCWD, (const char *)a[0], 0), (int)a[1]);
}

long serve_faccessat(const long *a)
{
    return check_access(named(a[0], (const char *)a[1], 0), (int)a[2]);
}

/* There are no links. */
static long no_link(long number)
{
    return number < 0 ? number : -EINVAL;
}

long serve_readlink(const long *a)
{
    return (int)a[2] <= 0 ? -EINVAL : no_link(named(AT_FDCWD, (const char *)a[0], 0));
}

long serve_readlinkat(const long *a)
{
    return (int)a[3] <= 0 ? -EINVAL : no_link(named(a[0], (const char *)a[1], 0));
}

long serve_getcwd(const long *a)
{
    static const char root[] = "/";
    if ((uint64_t)a[1] < sizeof root)
        return -ERANGE;
    return STORE(a[0], root) ? -EFAULT : (long)sizeof root;
}

/* All relative paths start at the root. */
long serve_chdir(const long *a)
{
    long number = named(AT_FDCWD, (const char *)a[0], 0);
    if (number < 0)
        return number;
    if (file_at((size_t)number).kind != KIND_DIRECTORY)
        return -ENOTDIR;
    return number == 0 ? 0 : -EACCES;
}

/* What a call that names a file changes. */
struct place {
    char path[MOST_PATH];
    size_t length;
    long number; /* of the file, or why there is none */
};

static long find_place(struct place *place, long directory, const char *name)
{
    long length = resolve(directory, name, place->path);
    if (length < 0)
        return length;
    place->length = (size_t)length;
    place->number = find_file(place->path);
    return place->number == -ENOENT || place->number >= 0 ? 0 : place->number;
}

/* What is not in the library's own /tmp nobody may change, whether it is there or not. */
static long removes(long directory, const char *name, int as_directory)
{
    struct place place;
    long error = find_place(&place, directory, name);
    if (error || place.number < 0)
        return error ? error : place.number;
    long scratch = scratch_number(place.number);
    return scratch < 0 ? -EACCES : remove_scratch((size_t)scratch, as_directory);
}

long serve_unlink(const long *a)
{
    return removes(AT_FDCWD, (const char *)a[0], 0);
}

long serve_rmdir(const long *a)
{
    return removes(AT_FDCWD, (const char *)a[0], 1);
}

long serve_unlinkat(const long *a)
{
    return (int)a[2] & ~AT_REMOVEDIR ? -EINVAL : removes(a[0], (const char *)a[1], ((int)a[2] & AT_REMOVEDIR) != 0);
}

static long makes(long directory, const char *name)
{
    struct place place;
    long error = find_place(&place, directory, name);
    if (error || place.number >= 0)
        return error ? error : -EEXIST;
    long parent = parent_of(place.path);
    if (parent < 0)
        return parent;
    if (scratch_number(parent) < 0)
        return -EACCES;
    long made = make_scratch(place.path, place.length, 1);
    return made < 0 ? made : 0;
}

long serve_mkdir(const long *a)
{
    return makes(AT_FDCWD, (const char *)a[0]);
}

long serve_mkdirat(const long *a)
{
    return makes(a[0], (const char *)a[1]);
}

static long renames(long old_directory, const char *old, long new_directory, const char *new, unsigned flags)
{
    struct place from, to;
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        return -EINVAL;
    long error = find_place(&from, old_directory, old);
    if (!error)
        error = find_place(&to, new_directory, new);
    if (error || from.number < 0)
        return error ? error : from.number;
    long parent = parent_of(to.path), scratch = scratch_number(from.number);
    if (parent < 0)
        return parent;
    if (scratch < 0 || scratch_number(parent) < 0)
        return -EACCES;
    return rename_scratch((size_t)scratch, to.path, to.length, !(flags & RENAME_NOREPLACE));
}

long serve_rename(const long *a)
{
    return renames(AT_FDCWD, (const char *)a[0], AT_FDCWD, (const char *)a[1], 0);
}

long serve_renameat(const long *a)
{
    return renames(a[0], (const char *)a[1], a[2], (const char *)a[3], 0);
}

long serve_renameat2(const long *a)
{
    return renames(a[0], (const char *)a[1], a[2], (const char *)a[3], (unsigned)a[4]);
}

long serve_truncate(const long *a)
{
    if (a[1] < 0)
        return -EINVAL;
    long number = named(AT_FDCWD, (const char *)a[0], 0);
    if (number < 0)
        return number;
    struct file file = file_at((size_t)number);
    if (file.kind == KIND_DIRECTORY)
        return -EISDIR;
    return file.is_writable ? resize_scratch((size_t)scratch_number(number), (uint64_t)a[1]) : -EACCES;
}

/* Rights and times are had by asking, and are not kept. */
static long changed(long number)
{
    return number < 0 ? number : scratch_number(number) < 0 ? -EACCES : 0;
}

long serve_change(const long *a)
{
    return changed(named(AT_FDCWD, (const char *)a[0], 0));
}

/* The name may be missing: then it is the descriptor's file (utimensat(2)). */
long serve_changeat(const long *a)
{
    return changed(named(a[0], (const char *)a[1], a[1] ? 0 : AT_EMPTY_PATH));
}

/* struct linux_dirent64, getdents(2). */
struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[256 + 5];
};

/* The length of a file's own name if it lies in that directory, else 0. */
static size_t name_in(const struct file *directory, const struct file *file)
{
    size_t start = directory->path_length > 1 ? directory->path_length : 0;
    if (file->path_length < start + 2 || file->path[start] != '/')
        return 0;
    for (size_t i = 0; i < start; i++)
        if (file->path[i] != directory->path[i])
            return 0;
    for (size_t i = start + 1; i < file->path_length; i++)
        if (file->path[i] == '/')
            return 0;
    return file->path_length - start - 1;
}

static size_t make_entry(struct entry *entry, uint64_t inode, uint64_t next, enum kind kind, const char *name, size_t length)
{
    size_t size = (offsetof(struct entry, name) + length + 1 + 7) & -8ul;
    fill_bytes(entry, 0, size);
    entry->inode = inode;
    entry->next = (int64_t)next;
    entry->length = (uint16_t)size;
    entry->type = kind == KIND_DIRECTORY ? DT_DIR : kind == KIND_FILE ? DT_REG : DT_CHR;
    copy_bytes(entry->name, name, length);
    return size;
}

/* Positions: 0 and 1 are "." and "..", then all files there are. */
long serve_getdents(const long *a)
{
    long number = file_of(a[0]);
    size_t size = (unsigned)a[2], done = 0;
    if (number < 0)
        return number;
    struct file directory = file_or_output(number);
    if (directory.kind != KIND_DIRECTORY)
        return -ENOTDIR;
    uint64_t *position = position_of(a[0]);
    for (; *position < count_files() + 2; ++*position) {
        struct entry entry;
        struct file file = *position < 2 ? directory : file_at(*position - 2);
        const char *name = *position < 2 ? ".." : file.path + file.path_length - name_in(&directory, &file);
        size_t length = *position < 2 ? *position + 1 : name_in(&directory, &file);
        if (!length || length > 255)
            continue;
        uint64_t inode = *position < 2 ? (uint64_t)number + 3 : *position + 1;
        size_t needs = make_entry(&entry, inode, *position + 1, file.kind, name, length);
        if (needs > size - done)
            return done ? (long)done : -EINVAL;
        if (copy_bytes((char *)a[1] + done, &entry, needs))
            return done ? (long)done : -EFAULT;
        done += needs;
    }
    return (long)done;
}
