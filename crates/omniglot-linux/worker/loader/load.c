/* Loading the foreign library, with the system's own dynamic linker. */
#include "loader.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn)) static void load_failed(const char *why)
{
    struct report *report = report_of(control);
    strncpy(report->text, why ? why : "no reason given", REPORT_TEXT - 1);
    answer(EVENT_LOAD_FAILED);
    exit_process(1);
}

static void *open_library(const char *name)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_GLOBAL);
    if (!library)
        load_failed(dlerror());
    return library;
}

const struct omniglot_image *load(const struct config *config)
{
    const char *name = (const char *)control + config->libraries;
    for (uint32_t i = 0; i < config->library_count; i++) {
        open_library(name);
        name += strlen(name) + 1;
    }
    /* Found again by their names when the library asks for them in a call, which loads nothing. */
    const char *plugin = (const char *)control + config->plugins;
    for (uint32_t i = 0; i < config->plugin_count; i++) {
        dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
        plugin += strlen(plugin) + 1;
    }
    void *shims = open_library("/proc/self/fd/5");
    const struct omniglot_image *image = dlsym(shims, "omniglot_image");
    if (!image)
        load_failed(dlerror());
    if (image->abi != IMAGE_ABI)
        load_failed("the shims were generated for another version of omniglot-linux");
    return image;
}
