/* The parts of the stub: the static program that becomes a confined worker. */
#ifndef OMNIGLOT_STUB_H
#define OMNIGLOT_STUB_H

#include "../control.h"
#include "../post.h"
#include "../system.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* machine/: as in libc, which is not there. */
void *memcpy(void *into, const void *from, unsigned long size);
void *memset(void *into, int byte, unsigned long size);
/* machine/: goes on at an address, with that stack. */
__attribute__((noreturn)) void enter(uint64_t entry, uint64_t stack);
/* machine/: a thread that begins with begin_thread(*stack); clone(2). */
long make_thread(uint64_t flags, void *stack);
/* machine/: what a thread does that waits for something to run, and where it ends. */
__attribute__((noreturn)) void wait_for_work(struct thread *thread);
void leave_thread(void);

/* Ends the worker with a report if a step failed. */
static inline void require(void *control, enum step step, long result)
{
    if (failed(result))
        start_failed(control, step, result);
}

/* probe.c: makes one system call for a host that does not dare to, if its arguments say so. */
void probe(const uint64_t *kernel_stack);
/* files.c: takes the host's descriptors and closes all others. */
long receive_files(void);
/* files.c: sends a number and descriptors to the host. */
long send_files(uint32_t number, const int *files, unsigned count);
/* files.c: puts /dev/null, which the host gave as output, in the socket's place. */
void close_socket(void);
/* confine.c: gives up every right that needs no knowledge of system calls. */
void confine(void *control, const struct config *config);
/* confine.c: dies with the host; applies the filter for loading. */
void tie_to_host(void *control, uint32_t host);
void filter_system_calls(void *control, struct program filter);
/* confine.c: sends the host what it looks at: what the kernel says of the worker, and
 * where Landlock is missing its memory and the files that it wants to open. */
void show_to_host(void *control, const struct config *config);
/* confine.c: puts the filter for calls where foreign code cannot change it. */
void keep_serve_filter(void *control, struct program filter);
/* faults.c: reports signals to the host until the loader does. */
void catch_faults(void *control, const struct config *config);
/* address_space.c: takes the kernel's clock out of memory. */
void drop_clock(void);
/* address_space.c: leaves nothing but the window to be mapped. */
void occupy_address_space(void *control, const struct config *config);
void occupy(void *mapping, uint64_t size);
void map_window(void *control, const struct config *config);
/* linker.c: maps the dynamic linker. */
struct linker {
    uint64_t base;
    uint64_t entry;
    uint64_t headers;
    uint64_t header_count;
};
struct linker map_linker(void *control);
/* threads.c: makes the threads that foreign code may have. */
void start_threads(void *control, const struct config *config);
/* stack.c: the stack that the kernel would give the dynamic linker. */
uint64_t build_stack(const struct config *config, const struct linker *linker, const uint64_t *kernel_stack);

#endif
