/* The loader's order of events. */
#include "loader.h"

#include "../server/server.h"

#include <linux/seccomp.h>
#include <stdlib.h>

void *control;

/* Tells the host of an exit() at once; _exit is seen from outside. So is an exit() with musl, which
 * tells nobody its status. */
#ifdef __GLIBC__
static void report_exit(int status, void *unused)
{
    (void)unused;
    server.is_over = 1;
    report_of(control)->number = (uint64_t)status;
    answer(EVENT_EXITED);
}

static void watch_exit(void)
{
    on_exit(report_exit, NULL);
}
#else
static void note_exit(void)
{
    server.is_over = 1;
}

static void watch_exit(void)
{
    atexit(note_exit);
}
#endif

static void close_files(const struct config *config)
{
    if (config->keep_stderr) {
        system3(__NR_close_range, 0, 1, 0);
        system3(__NR_close_range, 3, ~0u, 0);
    } else {
        system3(__NR_close_range, 0, ~0u, 0);
    }
}

/* The host checks that this was done, whatever code reports that all is loaded. */
static void filter_system_calls(void)
{
    long result = system3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, SERVE_PROGRAM);
    if (failed(result))
        start_failed(control, STEP_SERVE_FILTER, result);
}

int main(int count, char **arguments)
{
    (void)count;
    control = arguments[1]; /* see add_arguments in stub/stack.c */
    const struct config config = *(const struct config *)control;

    catch_faults();
    start_server(control, &config);
    watch_exit();
    const struct omniglot_image *image = load(&config);
    *image->callback = config.hands_off ? leave_to_host : callback;
    make_pool(&config);
    share_window(&config);
    if (config.hands_off)
        wait_to_be_copied(&config, image);
    place_tree(&config);
    close_files(&config);
    is_loading = 0;
    server.thread_count = config.thread_count;
    filter_system_calls();
    serve_host(&config, image);
}
