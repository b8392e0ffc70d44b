/* config.c - the stores to use: files, single settings, or a store of the user's own. */
#include "config.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "failure.h"

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

static int file_store(gs_config *config, const char *directory)
{
    char escaped[2 * PATH_MAX];
    int code = set(config, "glance_store", "stores", "file");

    if (code == EXIT_DONE)
        code = set(config, "glance_store", "default_store", "file");
    if (code != EXIT_DONE)
        return code;
    escape_dollars(escaped, directory);
    return set(config, "glance_store", "filesystem_store_datadir", escaped);
}

/* A store of the user's own, so that the first run needs no configuration. */
static int own_store(gs_config *config)
{
    char path[PATH_MAX];
    int code = own_images_directory(path, sizeof path);

    return code == EXIT_DONE ? file_store(config, path) : code;
}

static int load_files(gs_config *config, const struct args *args)
{
    const char *named = getenv("GLANCE_STORE_CONFIG");
    int code = EXIT_DONE;

    if (args->config_count == 0 && named != NULL && named[0] != '\0')
        return load(config, named);
    if (args->config_count == 0)
        return own_store(config);
    for (size_t i = 0; i < args->config_count && code == EXIT_DONE; i++)
        code = load(config, args->configs[i]);
    return code;
}

int config_fill(gs_config *config, const struct args *args)
{
    int code = load_files(config, args);

    for (size_t i = 0; i < args->setting_count && code == EXIT_DONE; i++)
        code = set(config, args->settings[i].group, args->settings[i].key, args->settings[i].value);
    return code;
}
