/* A library whose every function attacks its host. The host tells it the addresses and other
 * secrets that a real attacker would have to guess.
 *
 * Linux on x86-64 only. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The only function that does no harm: it shows that an instance works. */
int32_t add(int32_t a, int32_t b);

/* Memory. */

uint64_t peek_at(uintptr_t address);
void write_at(uintptr_t address, uint64_t value);
void fill_at(uintptr_t address, size_t size, uint8_t byte);
void steal(uintptr_t from, uint8_t *into, size_t size);
void jump_to(uintptr_t address);
void free_at(uintptr_t address);
void free_twice(void);
void overrun_heap(void);
/* Allocates until malloc fails. Returns the number of blocks. */
size_t exhaust_memory(size_t block, bool touch);
void smash_stack(size_t size);
void recurse(void);
void jump_to_dead_frame(void);

/* Values: each function returns or writes the bits that it is given. */

typedef enum { OFF = 0, ON = 1, BLINKING = 2 } Lamp;

typedef struct {
    bool used;
    Lamp lamp;
} Socket;

typedef struct {
    uint8_t id;
    Lamp lamp;
    bool lit;
    Lamp row[2];
    bool bits[3];
    Socket sockets[2];
} Panel;

#define PANEL_PLACES 11 /* a lamp, a flag, two lamps, three flags, two flags, two lamps */

typedef struct {
    const uint8_t *data;
    size_t size;
} Blob;

typedef Lamp (*LampCallback)(Lamp lamp);
typedef bool (*FlagCallback)(bool flag);
typedef Panel (*PanelCallback)(Panel panel);

Lamp lamp_of_bits(int32_t bits);
bool flag_of_bits(uint8_t bits);
Panel spoiled_panel(uint32_t place, int32_t bits);
void lamp_into(Lamp *into, int32_t bits);
void flag_into(bool *into, uint8_t bits);
void panel_into(Panel *into, uint32_t place, int32_t bits);
void panels_into(Panel *into, size_t count, uint32_t place, int32_t bits);
void noise_into(void *into, size_t size, uint32_t seed);
Panel noise_panel(uint32_t seed);
void call_with_lamp(LampCallback callback, int32_t bits);
void call_with_flag(FlagCallback callback, uint8_t bits);
void call_with_panel(PanelCallback callback, uint32_t place, int32_t bits);
Blob blob_of(uintptr_t data, size_t size);
const char *text_at(uintptr_t address);
const char *endless_text(size_t size);

/* Callbacks. */

typedef int32_t (*HostCallback)(int32_t value);

void keep(HostCallback callback);
int32_t call_kept(int32_t value);
int32_t call_address(uintptr_t address, int32_t value);
int32_t call_host(HostCallback callback, int32_t value);
void call_for_ever(HostCallback callback);
/* Calls the host without a trampoline, with any slot and any arguments. */
void call_slot(uint32_t slot, uintptr_t arguments);
/* A function that a nested call leaves by longjmp. */
int32_t open_exit(HostCallback callback);
void leave_by_exit(void);

/* The call channel. `window` is the start of the domain's memory. */

/* Answers the host in the loader's place, then returns or never does. */
void forge_answer(uintptr_t window, uint32_t event, uint32_t depth, int32_t ahead, bool stay);
void forge_callback(uintptr_t window, uint32_t slot, uintptr_t arguments, bool stay);
void forge_report(uintptr_t window, uint32_t event, uint32_t signal, uint64_t number, uint8_t text);
/* Reports that the call is done, and continues to write. */
void write_after_answer(uintptr_t window, uint64_t *words, size_t count);
/* The same, alternating between two bytes. */
void flip_after_answer(uintptr_t window, uint8_t *bytes, size_t size, uint8_t one, uint8_t other);
/* Reports that the call is done, and answers all later requests with noise. */
void answer_noise(uintptr_t window, uint32_t seed);
/* Reports that the call is done, and answers all later requests with a secret that it keeps in a
 * register. */
void serve_from_register(uintptr_t window, uint64_t secret);
void overwrite_control(uintptr_t window, uint8_t byte, bool stay);
void flip_sleep_flags(uintptr_t window, uint32_t rounds);
void overwrite_requests(uintptr_t window, uint32_t request);
void spoil_own_frame(uintptr_t window, size_t offset, uint64_t word, bool stay);

/* Instructions. */

typedef enum {
    DIVIDE_BY_ZERO,
    UNDEFINED,
    BREAKPOINT,
    DEBUG_TRAP,
    HALT,
    DISABLE_INTERRUPTS,
    READ_PORT,
    WRITE_CONTROL_REGISTER,
    NON_CANONICAL,
    TRAP_FLAG,
    ALIGNMENT_CHECK,
    INTERRUPT_80,
    SYSENTER,
    VSYSCALL,
} Instruction;

void execute(Instruction instruction);
/* Returns with the direction flag set, another rounding mode, and all floating-point exceptions
 * unmasked. */
void upset_registers(void);
/* Vector registers, which nothing else uses between two calls. */
void hide_in_registers(uint64_t secret);
uint64_t find_in_registers(void);
void loop_forever(void);

/* System calls. */

long system_call(long number, long a, long b, long c, long d, long e, long f);

typedef enum { BY_EXIT, BY_IMMEDIATE_EXIT, BY_QUICK_EXIT, BY_ABORT, BY_ASSERT, BY_SIGNAL } Way;

void leave(Way way, int32_t status);
int32_t try_fork(void);
int32_t try_vfork(void);
int32_t try_thread(void);
int32_t try_exec(const char *path);
int32_t try_open(const char *path);
int32_t try_socket(int32_t family, int32_t type);
int32_t try_kill(int32_t process);
int32_t try_handler(void);
int32_t try_trace(int32_t process);
int32_t try_write_process(int32_t process, uintptr_t address, uint64_t word);
int32_t try_sleep(void);
int32_t try_executable(void);

#endif
