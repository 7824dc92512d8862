/* The start function of an image, and functions that compilers call implicitly. */
typedef void (*constructor)(void);
extern constructor const __init_array_start[], __init_array_end[];
extern void omniglot_sfi_gate_abort(void);
extern void omniglot_sfi_start_libc(void) __attribute__((weak));
extern void omniglot_sfi_start_server(void) __attribute__((weak));

void omniglot_sfi_start(void)
{
    if (omniglot_sfi_start_server)
        omniglot_sfi_start_server();
    if (omniglot_sfi_start_libc)
        omniglot_sfi_start_libc();
    for (constructor const *each = __init_array_start; each != __init_array_end; each++)
        (*each)();
}

__attribute__((weak)) void __stack_chk_fail(void)
{
    omniglot_sfi_gate_abort();
}

__attribute__((weak)) void abort(void)
{
    omniglot_sfi_gate_abort();
}
