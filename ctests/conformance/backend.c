#include "backend.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

gs_registry *registry;
gs_store    *store;
size_t       unit;

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value)
        fprintf(stderr, "%s is not set\n", name);
    MUST(value && *value);
    return value;
}

void backend_open(void)
{
    gs_config *cfg = gs_config_new();
    MUST(cfg != NULL);
    unit = strtoul(environment("GS_TEST_UNIT"), NULL, 10);
    MUST(unit >= 16);
    MUST(OK(gs_config_load(cfg, environment("GS_TEST_CONFIG"), ERR)));
    MUST(OK(gs_registry_open(cfg, &registry, ERR)));
    gs_config_free(cfg);
    store = gs_registry_get(registry, getenv("GS_TEST_STORE"));
    MUST(store != NULL);
}

void backend_close(void)
{
    gs_registry_free(registry);
}

const char *holdings(void)
{
    char        line[4096];
    const char *all = "";
    FILE       *output = popen(environment("GS_TEST_LISTING"), "r");
    MUST(output != NULL);
    while (fgets(line, sizeof line, output))
        all = text("%s%s", all, line);
    MUST(pclose(output) == 0);
    return all;
}

const char *new_id(void)
{
    static unsigned count;
    return text("%08x-c0de-4000-8000-%012x", (unsigned)getpid(), __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
}

void remove_image(const char *uri, const char *before)
{
    OK(gs_delete(store, uri, NULL, ERR));
    check_absent(store, uri);
    CHECK_STR(before, holdings());
}
