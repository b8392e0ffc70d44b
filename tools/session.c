/* session.c - one run of the program: its stores, its limits and its output. */
#include "session.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "failure.h"
#include "interrupt.h"

/* ---- Configuration ----------------------------------------------------- */

static int set(gs_config *config, const char *group, const char *key, const char *value)
{
    gs_error *error;
    gs_status status = gs_config_set(config, group, key, value, &error);

    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

static int load(gs_config *config, const char *path)
{
    gs_error *error;
    gs_status status = gs_config_load(config, path, &error);

    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

static const char *home_directory(void)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home != NULL && home[0] == '/')
        return home;
    user = getpwuid(getuid());
    return user == NULL ? NULL : user->pw_dir;
}

/* "$HOME/.local/share/glance-store/images", or where the XDG variable says. */
static int own_images_directory(char *path, size_t size)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = home_directory();
    int length;

    if (data != NULL && data[0] == '/')
        length = snprintf(path, size, "%s/glance-store/images", data);
    else if (home != NULL)
        length = snprintf(path, size, "%s/.local/share/glance-store/images", home);
    else
        return fail(EXIT_CONFIG, "no home directory for the built-in store; set HOME or give --config FILE");
    if (length >= (int)size)
        return fail(EXIT_CONFIG, "the home directory's name is too long; give --config FILE");
    return EXIT_DONE;
}

/* In a configuration "$" starts a reference, "$$" is the character. */
static void escape_dollars(char *escaped, const char *text)
{
    do {
        if (*text == '$')
            *escaped++ = '$';
        *escaped++ = *text;
    } while (*text++ != '\0');
}

/* One file store of the user's own, so that the first run needs no configuration. */
static int configure_own_store(gs_config *config)
{
    char path[PATH_MAX], escaped[2 * PATH_MAX];
    int code = own_images_directory(path, sizeof path);

    if (code == EXIT_DONE)
        code = set(config, "glance_store", "stores", "file");
    if (code == EXIT_DONE)
        code = set(config, "glance_store", "default_store", "file");
    if (code != EXIT_DONE)
        return code;
    escape_dollars(escaped, path);
    return set(config, "glance_store", "filesystem_store_datadir", escaped);
}

static int load_files(gs_config *config, const struct args *args)
{
    const char *named = getenv("GLANCE_STORE_CONFIG");
    int code = EXIT_DONE;

    if (args->config_count == 0 && named != NULL && named[0] != '\0')
        return load(config, named);
    if (args->config_count == 0)
        return configure_own_store(config);
    for (size_t i = 0; i < args->config_count && code == EXIT_DONE; i++)
        code = load(config, args->configs[i]);
    return code;
}

static int configure(gs_config *config, const struct args *args)
{
    int code = load_files(config, args);

    for (size_t i = 0; i < args->setting_count && code == EXIT_DONE; i++)
        code = set(config, args->settings[i].group, args->settings[i].key, args->settings[i].value);
    return code;
}

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
    code = configure(config, session->args);
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
        .cancel = gs_cancel_new(),
    };
    return open_registry(session);
}

/* The cancel switch stays: a signal may still come. */
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

    interrupt_install(session->cancel);
    options.cancel = session->cancel;
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
