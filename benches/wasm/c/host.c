/* The host's side of modules that wasm2c turned into C. */
#include "wasm2c.h"

uint32_t add_step(wasm_rt_funcref_table_t *table, uint32_t (*step)(void *, uint32_t), void *host)
{
    uint32_t type = wasm_rt_register_func_type(1, 1, WASM_RT_I32, WASM_RT_I32);
    wasm_rt_funcref_t entry = {type, (wasm_rt_function_ptr_t)step, host};
    return wasm_rt_grow_funcref_table(table, 1, entry);
}

uint32_t add_reader(wasm_rt_funcref_table_t *table,
                    void (*read)(void *, uint32_t, uint32_t, uint32_t), void *host)
{
    uint32_t type = wasm_rt_register_func_type(3, 0, WASM_RT_I32, WASM_RT_I32, WASM_RT_I32);
    wasm_rt_funcref_t entry = {type, (wasm_rt_function_ptr_t)read, host};
    return wasm_rt_grow_funcref_table(table, 1, entry);
}

/* Going on after a trap would take a setjmp, and with it a system call, for each call. */
void trapped(wasm_rt_trap_t code)
{
    (void)code;
    abort();
}

/* WASI. These libraries compute only, so nearly all of it ends the process. Arguments are not
   needed. */
#define WASI(name) Z_wasi_snapshot_preview1Z_##name
#define NONE(name) uint32_t WASI(name)(void) { abort(); }

NONE(clock_time_get)
NONE(fd_close)
NONE(fd_fdstat_get)
NONE(fd_filestat_get)
NONE(fd_prestat_dir_name)
NONE(fd_read)
NONE(fd_seek)
NONE(fd_sync)
NONE(fd_write)
NONE(path_filestat_get)
NONE(path_open)
NONE(path_unlink_file)
NONE(poll_oneoff)
NONE(proc_exit)

/* The start of a module that knows of files asks which directories it was given: EBADF. */
uint32_t WASI(fd_prestat_get)(void)
{
    return 8;
}
