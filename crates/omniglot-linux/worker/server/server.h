/* The system-call server: the system calls of foreign code, after loading, are answered
 * here, inside the domain. The kernel executes none of them: it raises SIGSYS for each
 * call (SECCOMP_RET_TRAP, seccomp(2)), and the loader's handler calls the server.
 *
 * The server is foreign code, as everything in the domain is: it has no right that the library lacks,
 * and the host trusts nothing that it reports. It runs in a signal handler, in the middle of
 * malloc perhaps, so it uses no function of libc that locks or allocates. */
#ifndef OMNIGLOT_SERVER_H
#define OMNIGLOT_SERVER_H

#include "../control.h"
#include "../system.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* Not a result: the call ends the library, as if there were no server. */
#define DENY (-5000l)

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What the server serves: set up by the loader when all is loaded. */
struct server {
    void *control;
    uint64_t window_start;
    uint64_t window_end;
    uint64_t stack_size;
    struct world *world;
    const struct config *config;
    uint32_t thread_count; /* besides the one that serves calls; 0 while a library is loaded */
    long thread;           /* the number of that one for the kernel, which libc knows */
    int is_over; /* the host waits for no answer any more */
    uint64_t page_size;
    int is_in_process; /* the host runs the library itself: entry.c */
};
extern struct server server;
#define PAGE_SIZE (server.page_size)

/* table.c: the result of a call, or DENY. While a library is loaded only what needs no memory
 * or files is answered. */
long answer_call(uint32_t number, const long *arguments, int is_loading);
/* The path that a call names, of at most REQUEST_PATH bytes. */
void path_of_call(uint32_t number, const long *arguments, char *path);
void start_server(void *control, const struct config *config);

/* entry.c, machine/: how a host that runs the library itself sends a thread to the server, with a
 * stack that ends there. */
#define SERVE_STACK 65536
extern char serve_stack[];
extern char serve_interrupted[];

/* access.c: copies; -EFAULT where memory is not there or must not be written. */
long copy_bytes(void *into, const void *from, size_t size);
/* machine/: the same in a worker, whose handler of faults sends a fault from `copy_access` up to
 * `copy_access_end` on at `copy_failed`. */
long copy_or_fail(void *into, const void *from, size_t size);
extern char copy_access[];
extern char copy_access_end[];
extern char copy_failed[];
/* ranges.c: what is mapped where the host runs the library itself, which changes no more. */
void note_range(uint64_t start, uint64_t end, int protection);
int can_access(uint64_t start, uint64_t size, int protection);
/* Copies a string, and says how long it is; -EFAULT, or -ENAMETOOLONG with its end missing. */
long copy_string(char *into, const char *from, size_t room);

/* Stores a value where the caller points to. */
#define STORE(address, value) copy_bytes((void *)(address), &(value), sizeof(value))
#define FETCH(value, address) copy_bytes(&(value), (const void *)(address), sizeof(value))

/* machine/: as memset. */
void fill_bytes(void *into, int byte, size_t size);

#ifdef HANDS_OFF
/* machine/: what compilers call by themselves, for assignments and loops. libc's functions of
 * these names use vector registers. */
__asm__("memcpy = server_move\n"
        "memmove = server_move\n"
        "memset = server_fill\n"
        "strlen = server_length\n");
#endif

/* requests.c: writes down what was answered with an error, for the host to read. */
void note_request(uint32_t number, long result, const char *path);

/* memory.c */
void give_memory(uint64_t start, uint64_t end);
uint64_t pool_start(void);
uint64_t pool_end(void);
uint64_t take_pages(uint64_t size);
void return_pages(uint64_t start, uint64_t size);
long serve_mmap(const long *a);
long serve_munmap(const long *a);
long serve_mremap(const long *a);
long serve_mprotect(const long *a);
long serve_madvise(const long *a);
long serve_mincore(const long *a);
long serve_mlock(const long *a);
long serve_msync(const long *a);
long serve_brk(const long *a);
/* serve.c of the loader: the host takes the pages' memory back, which then are zero. */
int host_takes_back(uint64_t start, uint64_t size);
/* entry.c: the same where the host runs the library itself. */
int take_back_by_call(uint64_t start, uint64_t size);

/* time.c */
void start_clock(void);
void pass_time(uint64_t nanoseconds);
uint64_t count_cycles(void);
long serve_clock_gettime(const long *a);
long serve_clock_getres(const long *a);
long serve_gettimeofday(const long *a);
long serve_time(const long *a);
long serve_times(const long *a);
long serve_nanosleep(const long *a);
long serve_clock_nanosleep(const long *a);
long serve_futex(const long *a);

/* random.c */
void take_seed(void);
void random_bytes(void *into, size_t size);
long serve_getrandom(const long *a);

/* identity.c */
long serve_process(const long *a);
long serve_parent(const long *a);
long serve_user(const long *a);
long serve_getresuid(const long *a);
long serve_getgroups(const long *a);
long serve_uname(const long *a);
long serve_sysinfo(const long *a);
long serve_getaffinity(const long *a);
long serve_setaffinity(const long *a);
long serve_getcpu(const long *a);
long serve_getrlimit(const long *a);
long serve_prlimit(const long *a);
long serve_getrusage(const long *a);
long serve_get_mempolicy(const long *a);
long serve_umask(const long *a);
long serve_prctl(const long *a);
long serve_zero(const long *a);
long serve_not_permitted(const long *a);
long serve_not_there(const long *a);

/* signals.c */
long serve_sigaction(const long *a);
long serve_sigprocmask(const long *a);
long serve_sigaltstack(const long *a);

/* threads.c */
long serve_clone(const long *a);
long serve_clone3(const long *a);
long serve_gettid(const long *a);
/* Gives a thread to who asks for one, with the registers of a signal's context: its number, or
 * DENY if there is none. */
long start_thread(uint32_t number, const void *context);
/* Whether this was the call that ends the thread; then it ends when the handler returns. */
int end_thread(uint32_t number, void *context);
/* Only one thread at a time is in the server; not while it waits. */
void lock_server(void);
void unlock_server(void);
/* serve.c of the loader: whether this is the thread that serves calls. */
int is_first_thread(void);

/* files.c */
long serve_open(const long *a);
long serve_openat(const long *a);
long serve_read(const long *a);
long serve_pread(const long *a);
long serve_readv(const long *a);
long serve_preadv(const long *a);
long serve_write(const long *a);
long serve_writev(const long *a);
long serve_pwrite(const long *a);
long serve_lseek(const long *a);
long serve_close(const long *a);
long serve_dup(const long *a);
long serve_dup2(const long *a);
long serve_dup3(const long *a);
long serve_fcntl(const long *a);
long serve_ioctl(const long *a);
long serve_pipe(const long *a);
long serve_pipe2(const long *a);
long serve_socket_query(const long *a);
long serve_ftruncate(const long *a);
long serve_flock(const long *a);
long serve_pwritev(const long *a);
long serve_fallocate(const long *a);
long serve_fchange(const long *a);
long serve_fsync(const long *a);
long serve_fadvise(const long *a);
long serve_close_range(const long *a);
/* Where a file of the host's is in memory already, to be read; 0 if a mapping needs a copy. */
uint64_t where_it_lies(long file, uint64_t size, uint64_t offset);
/* Copies what a file has there, for a mapping of it. */
long read_for_mapping(long file, int is_shared, int protection, uint64_t into, uint64_t size, uint64_t offset);

/* scratch.c: permits so many bytes of files in /tmp; none with 0. */
void start_scratch(uint64_t bytes);

/* names.c: calls that name files */
long serve_stat(const long *a);
long serve_lstat(const long *a);
long serve_fstat(const long *a);
long serve_newfstatat(const long *a);
long serve_statx(const long *a);
long serve_statfs(const long *a);
long serve_fstatfs(const long *a);
long serve_access(const long *a);
long serve_faccessat(const long *a);
long serve_readlink(const long *a);
long serve_readlinkat(const long *a);
long serve_getdents(const long *a);
long serve_getcwd(const long *a);
long serve_chdir(const long *a);
long serve_unlink(const long *a);
long serve_rmdir(const long *a);
long serve_unlinkat(const long *a);
long serve_mkdir(const long *a);
long serve_mkdirat(const long *a);
long serve_rename(const long *a);
long serve_renameat(const long *a);
long serve_renameat2(const long *a);
long serve_truncate(const long *a);
long serve_change(const long *a);
long serve_changeat(const long *a);

#endif
