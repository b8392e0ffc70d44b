/* What a program pays before it has stored anything: open_close LIBRARY CONFIG
 *
 * Loads the library, opens the registry, closes both. */
#define _GNU_SOURCE
#include "measure.h"

#include <glance_store.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;

/* The function `name`, put into the pointer at `function`. */
static void find(const char *name, void *function)
{
    void *symbol = dlsym(library, name);

    if (symbol == NULL) {
        fprintf(stderr, "open_close: %s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    memcpy(function, &symbol, sizeof symbol);
}

int main(int argc, char **argv)
{
    gs_config *(*config_new)(void);
    gs_status (*config_load)(gs_config *, const char *, gs_error **);
    void (*config_free)(gs_config *);
    gs_status (*registry_open)(const gs_config *, gs_registry **, gs_error **);
    void (*registry_free)(gs_registry *);
    gs_registry *registry;
    gs_config *config;
    struct measure start;

    if (argc != 3) {
        fputs("usage: open_close LIBRARY CONFIG\n", stderr);
        return EXIT_FAILURE;
    }
    start = measure_start();
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "open_close: %s\n", dlerror());
        return EXIT_FAILURE;
    }
    find("gs_config_new", &config_new);
    find("gs_config_load", &config_load);
    find("gs_config_free", &config_free);
    find("gs_registry_open", &registry_open);
    find("gs_registry_free", &registry_free);
    config = config_new();
    if (config_load(config, argv[2], NULL) != GS_OK
        || registry_open(config, &registry, NULL) != GS_OK) {
        fprintf(stderr, "open_close: cannot open the stores of %s\n", argv[2]);
        return EXIT_FAILURE;
    }
    registry_free(registry);
    config_free(config);
    dlclose(library);
    measure_print(&start);
    return EXIT_SUCCESS;
}
