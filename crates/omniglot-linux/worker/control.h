/* The control structures at the start of the window, shared by the host and the worker.
 *
 * The host's half of this layout is src/enabled/layout.rs and
 * src/enabled/channel.rs; both sides assert the same sizes. */
#ifndef OMNIGLOT_CONTROL_H
#define OMNIGLOT_CONTROL_H

#include "machine/machine.h"

#include <stdint.h>

/* Offsets from the start of the window, in bytes. The first bytes that the host
 * allocates follow the channel's cache line, so that the processor's prefetch of
 * line pairs fetches a small call frame together with the request. */
#define CONTROL_SIZE 0x10000
#define REPORT_OFFSET 0x400
#define HAND_OFF_OFFSET 0x700
#define SLEEPERS_OFFSET 0x800
#define WORLD_OFFSET 0x1000
#define PLACES_OFFSET 0x4d00
#define CHANNEL_OFFSET CONTROL_SIZE

/* Control area and channel, in whole pages of any size. */
#define SHARED_START 0x20000

/* Where a worker has its filter for calls: outside the window, where the filter for
 * loading lets nothing be changed. */
#define SERVE_PROGRAM 0x20000000ul

/* The descriptors that the stub works with, in the order in which the host sends them. */
#define SOCKET_FD 0
#define WINDOW_FD 3  /* the window's memory */
#define LOADER_FD 4  /* the loader program */
#define IMAGE_FD 5   /* the shims */
#define LINKER_FD 6  /* the system's dynamic linker */
#define RULES_FD 7   /* the Landlock rules; without Landlock anything */
#define TREE_FD 8    /* the files that the host gives; without any anything */
#define MAPS_FD 9    /* /proc/self/maps, opened by the stub */
#define PAGEMAP_FD 10 /* /proc/self/pagemap, opened by the stub */
#define RECEIVED_FDS 6
#define MOST_SENT_FDS 3

/* A BPF program somewhere in the control area. */
struct program {
    uint32_t offset;
    uint32_t count; /* in instructions of 8 bytes */
};

/* What the host tells the worker, at offset 0. Offsets count from the window's start. */
struct config {
    uint64_t base;         /* the window's address in the worker */
    uint64_t size;         /* the window's size */
    uint64_t exchange_end; /* control area and host-managed memory end here */
    uint64_t stack_start;  /* the stack's lowest byte; guard pages lie below */
    uint64_t stack_end;
    uint32_t host; /* the host's process id */
    uint32_t keep_stderr;
    uint32_t most_spins; /* see spinning.h; 0 on a single CPU */
    uint32_t library_count;
    uint32_t libraries;   /* their names, one NUL-terminated string after another */
    uint32_t search_path; /* the string LD_LIBRARY_PATH=... */
    struct program load_filter;
    struct program serve_filter;
    struct program ask_filter; /* empty where Landlock confines what can be opened */
    uint32_t hands_off; /* only loads, and then waits to be copied and killed */
    uint32_t keep_clock; /* the processor's may be read, too */
    uint64_t tree_size;  /* of the files that the host gives, in bytes: whole pages */
    uint32_t environment; /* the strings NAME=value, one after another */
    uint32_t variable_count;
    uint64_t threads_end; /* the threads' areas lie behind the stack */
    uint32_t thread_count;
    uint32_t plugins; /* names of libraries that may be missing, as of those above */
    uint32_t plugin_count;
    uint32_t is_executable; /* memory may be code */
    uint64_t scratch; /* how many bytes the library may have in /tmp */
    uint64_t page_size;
    uint32_t least_spins; /* see spinning.h */
    uint32_t unused;
};
_Static_assert(sizeof(struct config) == 160, "the layout that the host writes");

/* A thread that waits for something to run, at the start of its area; the rest is for its
 * signals. The server in the domain fills it in. */
#define THREAD_AREA 0x20000
enum thread_state { THREAD_FREE = 0, THREAD_TAKEN = 1, THREAD_RUNS = 2 };
struct thread {
    uint32_t state;    /* a futex */
    uint32_t is_ready; /* it has its filter */
    uint64_t leave;    /* the stub's code for its end */
    uint64_t clear;    /* the word that is cleared then; 0 if there is none */
    uint64_t pointer;  /* where its thread-local variables are */
    struct thread_registers registers;
};

static inline struct thread *thread_of(const struct config *config, uint32_t index)
{
    return (struct thread *)(config->base + config->stack_end + (uint64_t)index * THREAD_AREA);
}

#define REPORT_TEXT 512

/* What the worker tells about its end; a hint, since foreign code can write it too. */
struct report {
    uint64_t address;     /* what was accessed */
    uint64_t instruction; /* where */
    uint64_t stack;       /* the stack pointer then */
    uint64_t number;      /* of a system call, a step or an exit status */
    uint64_t refused;     /* 1 + the number of the last system call that no filter knows; else 0 */
    uint32_t signal;
    int32_t error;
    char text[REPORT_TEXT];
};
_Static_assert(sizeof(struct report) == 560, "the layout that the host reads");

#define PLACE_OBJECT 240
#define PLACE_FUNCTION 128

/* Where an instruction is, as far as the dynamic linker knows; a hint, as all of the report. */
struct code_place {
    uint64_t offset;               /* from where the object's file is loaded */
    uint64_t in_function;          /* from the function's start */
    char object[PLACE_OBJECT];     /* the file's path, or its name if that is too long */
    char function[PLACE_FUNCTION]; /* empty if no function that others can call is there */
};
_Static_assert(sizeof(struct code_place) == 384, "the layout that the host reads");

/* Of a fault: where it was, and who had called the C library, if it was there. Of a system call
 * that is denied: who asked, and nothing. */
struct code_places {
    struct code_place here;
    struct code_place caller;
};

/* What a worker that hands the library off tells the host, which then runs the library itself:
 * addresses of what the host needs, in the window. */
struct hand_off {
    uint64_t stack;          /* what lies above is in use */
    uint64_t thread_pointer; /* of the thread that loaded */
    uint64_t call;           /* runs the entry in rax, and then leaves */
    uint64_t cells;          /* struct cells */
    uint64_t describe;       /* an entry: says where the report's instruction is */
    uint64_t regions;        /* the mappings: struct region[] */
    uint64_t region_count;
    uint64_t serve;          /* answers a system call: server/entry.c */
    uint64_t serve_stack;    /* the stack that it wants */
    uint64_t tree;           /* where it looks for the host's files; 0 if there are none */
    uint64_t pool_start;     /* the memory that it gives out */
    uint64_t pool_end;
};
_Static_assert(sizeof(struct hand_off) == 96, "the layout that the host reads");

/* What the server asks a host for that runs the library itself, by system calls that no kernel
 * has. Any code of the domain can ask, too. */
enum ask {
    /* The call ends, since a system call is denied: its number, the instruction, the stack. */
    ASK_DENY = 0x0f000001,
    /* Memory that is no longer used becomes zero: start and size. How much of it did, in bytes. */
    ASK_TAKE_BACK = 0x0f000002,
    /* In a region: the host writes the time, once in each outermost call. */
    ASK_TIME = 0x0f000003,
};

/* Where foreign code leaves to the host; written by the host. */
struct cells {
    uint64_t returned; /* the gate for returns */
    uint64_t callback; /* the gate for callbacks */
};
_Static_assert(sizeof(struct cells) == 16, "the layout that the host writes");

/* A range of mapped addresses, as in /proc/self/maps. */
struct region {
    uint64_t start;
    uint64_t end;
    int32_t protection;
    int32_t shared;
    int32_t from_file;
    int32_t unused;
};
_Static_assert(sizeof(struct region) == 32, "the layout that the host reads");

/* Requests of the host. */
enum operation { OPERATION_CALL = 1, OPERATION_RESUME = 2, OPERATION_RAISE = 3 };

/* Answers of the worker. */
enum event {
    EVENT_READY = 1,
    EVENT_RETURNED = 2,
    EVENT_CALLBACK = 3,
    EVENT_FAULT = 4,
    EVENT_DENIED = 5,
    EVENT_EXITED = 6,
    EVENT_LOAD_FAILED = 7,
    EVENT_START_FAILED = 8,
    EVENT_GIVE_BACK = 9, /* memory that is no longer used: `arguments`, of `entry` bytes */
};

/* Steps that can fail before the dynamic linker runs; named in src/enabled/report.rs. */
enum step {
    STEP_RECEIVE = 1,
    STEP_CLOSE_RANGE = 2,
    STEP_MAP_CONTROL = 3,
    STEP_OPEN_MAPS = 4,
    STEP_CAPABILITIES = 5,
    STEP_NO_NEW_PRIVILEGES = 6,
    STEP_LANDLOCK = 7,
    STEP_RESERVE = 8,
    STEP_MAP_WINDOW = 9,
    STEP_MAP_LINKER = 10,
    STEP_PARENT_DEATH = 11,
    STEP_LOAD_FILTER = 12,
    STEP_SHARE = 13,
    STEP_SERVE_FILTER = 14,
    STEP_HEAP = 15,
    STEP_ASK_FILTER = 16,
    STEP_CATCH_FAULTS = 17,
    STEP_SEND = 18,
    STEP_KEEP_FILTER = 19,
    STEP_THREADS = 20,
};

/* The call channel: one cache line. The host writes a request and then its
 * number; the worker writes an event and then the same number. */
struct channel {
    uint32_t request;
    uint32_t response;
    uint32_t operation;
    uint32_t event;
    uint64_t entry;
    uint64_t arguments;
    uint32_t slot;
    uint32_t depth;
    uint32_t processor; /* on which the worker went to sleep or woke the host: see processor_number */
    uint32_t unused;
};
_Static_assert(sizeof(struct channel) == 48, "the rest of the cache line is the first frame's");

/* Which sides sleep: on a line of its own, which both keep in their caches as long
 * as neither does. On the channel's line each read would fetch it back. */
struct sleepers {
    uint32_t host;
    uint32_t worker;
};

#define OUTPUT_SIZE 0x2000
#define REQUEST_PATH 116
#define MOST_REQUESTS 56

/* A request of the library's that was answered with an error. */
struct request {
    uint32_t number; /* of the system call */
    int32_t error;
    uint32_t count; /* 0 if the place is free */
    char path[REQUEST_PATH];
};
_Static_assert(sizeof(struct request) == 128, "the layout that the host reads");

/* What the server in the domain knows of the world (server/server.h), and tells of the library. */
struct world {
    uint64_t time;    /* since 1970, in nanoseconds: when the outermost call began */
    uint64_t tree;    /* the files that the host gives: a struct tree; 0 if there are none */
    uint64_t said;    /* how many bytes the library wrote to its standard output and error */
    uint64_t is_strict; /* a request for what does not exist ends the call */
    uint8_t seed[32]; /* of the domain's random numbers */
    uint64_t is_fresh; /* that the seed was not used yet */
    uint64_t asks_host; /* in a region: the host does some calls itself, and is asked first */
    uint64_t start[2];  /* in a region: random bytes for the C library's start; or none, 0 */
    uint64_t more[20];
    struct request requests[MOST_REQUESTS];
    char output[OUTPUT_SIZE]; /* the last bytes that it wrote: a ring */
};
_Static_assert(sizeof(struct world) == 0x3d00, "the layout that the host knows");

/* The start of the tree: its files follow, by their paths. Offsets count from here. */
struct tree {
    uint64_t count;
};

struct tree_file {
    uint64_t path;
    uint32_t path_length;
    uint32_t is_directory;
    uint64_t data;
    uint64_t size;
};
_Static_assert(sizeof(struct tree_file) == 32, "the layout that the host writes");

static inline struct report *report_of(const void *control)
{
    return (struct report *)((char *)control + REPORT_OFFSET);
}

static inline struct code_places *places_of(const void *control)
{
    return (struct code_places *)((char *)control + PLACES_OFFSET);
}

static inline struct hand_off *hand_off_of(const void *control)
{
    return (struct hand_off *)((char *)control + HAND_OFF_OFFSET);
}

static inline struct world *world_of(const void *control)
{
    return (struct world *)((char *)control + WORLD_OFFSET);
}

static inline struct sleepers *sleepers_of(const void *control)
{
    return (struct sleepers *)((char *)control + SLEEPERS_OFFSET);
}

static inline struct channel *channel_of(const void *control)
{
    return (struct channel *)((char *)control + CHANNEL_OFFSET);
}

#endif
