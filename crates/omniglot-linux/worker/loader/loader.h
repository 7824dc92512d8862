/* The parts of the loader: the ordinary program, started by the system's dynamic
 * linker inside the window, that loads the library and serves calls. */
#ifndef OMNIGLOT_LOADER_H
#define OMNIGLOT_LOADER_H

#define _GNU_SOURCE
#include "../control.h"
#include "../image.h"
#include "../post.h"
#include "../system.h"

#include <stddef.h>

/* main.c: the window's start. */
extern void *control;

/* load.c: loads the user's libraries and the shims. */
const struct omniglot_image *load(const struct config *config);
/* faults.c: reports signals to the host; until is_loading is 0, calls that no filter knows
 * only fail. */
void catch_faults(void);
extern int is_loading;
/* place.c: says where an instruction is; returns 0 if it is in no file. */
int find_place(uint64_t instruction, struct code_place *place);
/* caller.c: in a handler of signals, who called the system's code in which this instruction is, with
 * that stack pointer and, where the processor has one, that register for where it returns to; the
 * instruction itself if that is not known. */
uint64_t find_caller(uint64_t instruction, uint64_t stack, uint64_t link);
/* The same by that register and the words on the stack alone. */
uint64_t guess_caller(uint64_t stack, uint64_t link, uint64_t otherwise);
/* Whether an instruction is in the system's code, or in none. */
int is_system(uint64_t instruction);
/* maps.c: the window's mappings, in ascending order. */
size_t read_maps(struct region *regions, size_t most);
/* heap.c: gives the server all memory that is left, and puts the host's files behind it. */
void make_pool(const struct config *config);
void place_tree(const struct config *config);
/* Where they are to be put; 0 if there are none. */
uint64_t place_of_tree(const struct config *config);
/* share.c: makes all of the window's memory the host's, too. */
void share_window(const struct config *config);
/* serve.c: answers requests for ever. */
void callback(uint32_t slot, void *arguments);
__attribute__((noreturn)) void serve_host(const struct config *config, const struct omniglot_image *image);

/* hand_off.c: waits to be copied by the host, which then runs the library itself. */
void leave_to_host(uint32_t slot, void *arguments);
__attribute__((noreturn)) void wait_to_be_copied(const struct config *config, const struct omniglot_image *image);

/* post.h's answer to the request that is being worked on. */
void answer(uint32_t event);

#endif
