/* What the host needs to know of a module that wasm2c turned into C. */
#ifndef WASM2C_H
#define WASM2C_H
#include <stddef.h>
#include <wasm-rt.h>

typedef void (*function)(void);

struct function_of_module {
    const char *name;
    function function;
};

struct module {
    /* The size of an instance, in bytes. */
    size_t size;
    void (*start)(void *instance);
    void (*end)(void *instance);
    wasm_rt_memory_t *(*memory)(void *instance);
    wasm_rt_funcref_table_t *(*table)(void *instance);
    const struct function_of_module *functions;
    size_t count;
};

/* Each adds a function of the host's to a table, and returns the function pointer. The first
   argument of such a function is `host`. */
uint32_t add_step(wasm_rt_funcref_table_t *table, uint32_t (*step)(void *, uint32_t), void *host);
uint32_t add_reader(wasm_rt_funcref_table_t *table,
                    void (*read)(void *, uint32_t, uint32_t, uint32_t), void *host);

/* Ends the process. */
WASM_RT_NO_RETURN void trapped(wasm_rt_trap_t code);

#endif
