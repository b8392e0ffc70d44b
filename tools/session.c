/* session.c - one run of the program: its stores, its limits and its output. */
#include "session.h"

#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "failure.h"
#include "interrupt.h"

/* ---- Log --------------------------------------------------------------- */

static void write_log(void *user, int32_t level, const char *target, const char *message)
{
    static const char *const names[] = {"error", "error", "warning", "info", "debug", "trace"};
    const struct session *session = user;
    const char *name = level >= GS_LOG_ERROR && level <= GS_LOG_TRACE ? names[level] : "log";

    fprintf(stderr, "%sglance-store: %s: %s: %s\n", session->draws ? "\r\033[K" : "", name, target, message);
}

static void log_to_stderr(struct session *session, gs_config *config)
{
    int level = GS_LOG_WARN + session->args->verbosity;

    if (session->args->verbosity == 0)
        return;
    gs_config_set_log(config, level < GS_LOG_TRACE ? level : GS_LOG_TRACE, write_log, session, NULL);
}

/* ---- Session ----------------------------------------------------------- */

static int open_registry(struct session *session)
{
    gs_config *config = gs_config_new();
    gs_error *error;
    gs_status status;
    int code;

    log_to_stderr(session, config);
    code = config_fill(config, session->args);
    if (code == EXIT_DONE) {
        status = gs_registry_open(config, &session->registry, &error);
        code = status == GS_OK ? EXIT_DONE : fail_status(status, error);
    }
    gs_config_free(config);
    return code;
}

int session_open(struct session *session, const struct args *args)
{
    *session = (struct session){
        .args = args,
        .output.json = args->json,
        .draws = !args->quiet && isatty(STDERR_FILENO),
    };
    return open_registry(session);
}

void session_close(struct session *session)
{
    gs_registry_free(session->registry);
}

static int find_store(const struct session *session, const char *id, gs_store **store)
{
    *store = gs_registry_get(session->registry, id);
    if (*store == NULL)
        return fail(EXIT_CONFIG, "no store is called '%s'; 'glance-store stores' lists them", id);
    return EXIT_DONE;
}

int session_target(const struct session *session, gs_store **store)
{
    if (session->args->store != NULL)
        return find_store(session, session->args->store, store);
    *store = gs_registry_get(session->registry, NULL);
    if (*store == NULL)
        return fail(EXIT_CONFIG, "the configuration names no default store; give --store ID");
    return EXIT_DONE;
}

int session_owner(const struct session *session, const char *id, const char *uri, gs_store **store)
{
    gs_error *error;
    gs_status status;

    if (id != NULL)
        return find_store(session, id, store);
    status = gs_registry_resolve(session->registry, uri, store, &error);
    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

gs_opts session_options(const struct session *session)
{
    gs_opts options = GS_OPTS_INIT;

    options.cancel = interrupt_catch();
    options.timeout_ms = session->args->timeout_ms;
    return options;
}

gs_opts session_transfer(struct session *session)
{
    const struct args *args = session->args;
    gs_opts options = session_options(session);

    options.progress = progress_update;
    options.progress_user = &session->progress;
    options.hash_name = args->hash;
    options.expect_checksum = args->checksum;
    options.expect_multihash = args->multihash;
    options.offset = args->offset;
    options.length = args->length;
    options.flags = (args->sparse ? GS_SPARSE : 0u) | (args->no_checksum ? GS_NO_CHECKSUM : 0u);
    progress_start(&session->progress, session->draws);
    return options;
}
