/* The log callback hears what its level lets through, one line at a time, never
 * two at once; free_user is called exactly once, when nobody can log any more. */
#include "testing.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct log {
    atomic_int lines, freed, busy;
    int32_t    max_level;
};

static void hear(void *user, int32_t level, const char *target, const char *message)
{
    struct log *log = user;
    CHECK_INT(0, atomic_fetch_add(&log->busy, 1));
    atomic_fetch_add(&log->lines, 1);
    CHECK_INT(0, atomic_load(&log->freed));
    CHECK(level >= GS_LOG_ERROR && level <= log->max_level);
    CHECK(target != NULL && *target);
    CHECK(message != NULL && *message && !strpbrk(message, "\n\r"));
    atomic_fetch_sub(&log->busy, 1);
}

static void forget(void *user)
{
    struct log *log = user;
    atomic_fetch_add(&log->freed, 1);
}

static gs_config *logged(struct log *log, int32_t max_level, const char *dir)
{
    gs_config *cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                                        { "glance_store", "filesystem_store_datadir", dir }));
    *log = (struct log){ .max_level = max_level };
    gs_config_set_log(cfg, max_level, hear, log, forget);
    return cfg;
}

static void *use(void *user)
{
    gs_store *store = user;
    char      id[32];
    check_context("16 threads that log");
    snprintf(id, sizeof id, "image-%lx", (unsigned long)pthread_self());
    for (int i = 0; i < 5; i++) {
        const char *uri = add_bytes(store, id, "abc", 3);
        check_image(store, uri, "abc", 3);
        OK(gs_delete(store, uri, NULL, ERR));
        check_absent(store, uri);
    }
    return NULL;
}

static void levels(void)
{
    int lines[GS_LOG_TRACE + 1] = { 0 };
    for (int32_t level = GS_LOG_ERROR; level <= GS_LOG_TRACE; level++) {
        struct log   log;
        gs_registry *reg = NULL;
        gs_config   *cfg = logged(&log, level, new_dir());
        check_context("level %d", level);
        MUST(OK(gs_registry_open(cfg, &reg, ERR)));
        gs_config_free(cfg);
        use(default_store(reg));
        CHECK_INT(0, atomic_load(&log.freed));
        gs_registry_free(reg);
        CHECK_INT(1, atomic_load(&log.freed));
        lines[level] = atomic_load(&log.lines);
    }
    check_context("more is logged at higher levels");
    for (int level = GS_LOG_ERROR; level < GS_LOG_TRACE; level++)
        CHECK(lines[level] <= lines[level + 1]);
    CHECK(lines[GS_LOG_TRACE] > 0);
}

static void many_threads(void)
{
    struct log   log;
    gs_registry *reg = NULL;
    gs_config   *cfg = logged(&log, GS_LOG_TRACE, new_dir());
    pthread_t    threads[16];
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    gs_config_free(cfg);
    for (int i = 0; i < 16; i++)
        threads[i] = start(use, default_store(reg));
    for (int i = 0; i < 16; i++)
        join(threads[i]);
    gs_registry_free(reg);
    CHECK_INT(1, atomic_load(&log.freed));
    CHECK(atomic_load(&log.lines) > 0);
}

static void owners(void)
{
    struct log   first, second;
    gs_registry *one = NULL, *two = NULL;

    check_context("a configuration that is never opened");
    gs_config_free(logged(&first, GS_LOG_TRACE, new_dir()));
    CHECK_INT(1, atomic_load(&first.freed));
    CHECK_INT(0, atomic_load(&first.lines));

    check_context("a log that replaces another");
    gs_config *cfg = logged(&first, GS_LOG_TRACE, new_dir());
    second = (struct log){ .max_level = GS_LOG_TRACE };
    gs_config_set_log(cfg, GS_LOG_TRACE, hear, &second, forget);
    CHECK_INT(1, atomic_load(&first.freed));
    gs_config_set_log(cfg, GS_LOG_TRACE, NULL, NULL, NULL);
    CHECK_INT(1, atomic_load(&second.freed));
    gs_config_free(cfg);
    CHECK_INT(1, atomic_load(&first.freed));
    CHECK_INT(1, atomic_load(&second.freed));

    check_context("two registries of one configuration");
    cfg = logged(&first, GS_LOG_TRACE, new_dir());
    MUST(OK(gs_registry_open(cfg, &one, ERR)));
    MUST(OK(gs_registry_open(cfg, &two, ERR)));
    gs_registry_free(one);
    gs_config_free(cfg);
    CHECK_INT(0, atomic_load(&first.freed));
    gs_registry_free(two);
    CHECK_INT(1, atomic_load(&first.freed));

    check_context("a configuration that outlives its registry");
    cfg = logged(&first, GS_LOG_TRACE, new_dir());
    one = NULL;
    MUST(OK(gs_registry_open(cfg, &one, ERR)));
    gs_registry_free(one);
    CHECK_INT(0, atomic_load(&first.freed));
    gs_config_free(cfg);
    CHECK_INT(1, atomic_load(&first.freed));

    check_context("a registry that does not open");
    cfg = logged(&first, GS_LOG_TRACE, new_dir());
    one = NULL;
    OK(gs_config_set(cfg, "glance_store", "filesystem_store_chunk_size", "0", ERR));
    FAILS(GS_BAD_CONFIG, gs_registry_open(cfg, &one, ERR));
    gs_config_free(cfg);
    CHECK_INT(1, atomic_load(&first.freed));

    check_context("no free function");
    cfg = logged(&first, GS_LOG_TRACE, new_dir());
    gs_config_set_log(cfg, GS_LOG_TRACE, hear, &first, NULL);
    CHECK_INT(1, atomic_load(&first.freed));
    gs_config_free(cfg);
    CHECK_INT(1, atomic_load(&first.freed));
}

/* The log callback may use the library, even open a registry that would log the
 * same to it; what that would log is dropped. */
struct nosy {
    struct log   log;
    gs_config   *cfg;
    gs_registry *inner;
};

static void hear_and_open(void *user, int32_t level, const char *target, const char *message)
{
    struct nosy *nosy = user;
    hear(&nosy->log, level, target, message);
    if (nosy->inner)
        return;
    CHECK_INT(GS_OK, gs_registry_open(nosy->cfg, &nosy->inner, NULL));
}

static void calls_inside(void)
{
    struct nosy  nosy = { .log = { .max_level = GS_LOG_TRACE } };
    gs_registry *reg = NULL;
    check_context("calls from the log callback");
    /* A store that takes no images is worth a warning when it opens. */
    nosy.cfg = config_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", "" }));
    gs_config_set_log(nosy.cfg, GS_LOG_WARN, hear_and_open, &nosy, NULL);
    MUST(OK(gs_registry_open(nosy.cfg, &reg, ERR)));
    CHECK_INT(1, atomic_load(&nosy.log.lines));
    CHECK(nosy.inner != NULL);
    gs_config_free(nosy.cfg);
    gs_registry_free(nosy.inner);
    gs_registry_free(reg);
}

/* Silent, unless GLANCE_STORE_LOG asks for standard error. */
static size_t said_on_stderr(const char *level)
{
    const char *heard = text("%s/stderr", new_dir());
    int         saved = dup(2), file = open(heard, O_WRONLY | O_CREAT, 0600);
    MUST(saved >= 0 && file >= 0 && dup2(file, 2) == 2);
    if (level)
        MUST(setenv("GLANCE_STORE_LOG", level, 1) == 0);
    else
        MUST(unsetenv("GLANCE_STORE_LOG") == 0);
    gs_registry *reg = file_registry(new_dir());
    add_bytes(default_store(reg), "image", "abc", 3);
    gs_registry_free(reg);
    MUST(dup2(saved, 2) == 2);
    close(saved);
    close(file);
    return file_size(heard);
}

static void environment(void)
{
    check_context("GLANCE_STORE_LOG");
    CHECK_SIZE(0, said_on_stderr(NULL));
    CHECK(said_on_stderr("trace") > 0);
    CHECK_SIZE(0, said_on_stderr(""));
    MUST(unsetenv("GLANCE_STORE_LOG") == 0);
}

int main(void)
{
    levels();
    calls_inside();
    environment();
    many_threads();
    owners();
    return check_result();
}
