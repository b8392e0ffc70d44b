/* nbdkit-glance-store-plugin.c - serves an image straight from its store over NBD. */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glance_store.h"

/* A client may ask for less or more; this is what costs no more than asking for one byte. */
#define PREFERRED_READ 65536

#if NBDKIT_VERSION_MAJOR > 1 || NBDKIT_VERSION_MINOR >= 30
#define HAVE_BLOCK_SIZE
#endif

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#define STRING(text) #text
#define EXPANDED(text) STRING(text)
#define VERSION EXPANDED(GS_VERSION_MAJOR) "." EXPANDED(GS_VERSION_MINOR) "." EXPANDED(GS_VERSION_PATCH)

static char *uri;
static const char *store_id;
static gs_config *config;
static gs_cancel *cancel;
static gs_registry *registry;

/* ---- Messages ------------------------------------------------------------ */

static int fail(gs_error *error)
{
    nbdkit_error("%s", gs_error_message(error));
    gs_error_free(error);
    return -1;
}

static void write_log(void *user, int32_t level, const char *target, const char *message)
{
    (void)user;
    (void)level;
    nbdkit_debug("%s: %s", target, message);
}

/* ---- Loading --------------------------------------------------------------- */

static void glance_load(void)
{
    config = gs_config_new();
    gs_config_set_log(config, GS_LOG_DEBUG, write_log, NULL, NULL);
}

static void glance_unload(void)
{
    /* nbdkit waits for its connections; should it ever give up on one, its read ends here. */
    if (cancel != NULL)
        gs_cancel_trigger(cancel);
    gs_registry_free(registry);
    gs_config_free(config);
    gs_cancel_free(cancel);
    free(uri);
}

static void glance_dump_plugin(void)
{
    static const char *const drivers[] = {"file", "http", "swift", "s3", "rbd", "sheepdog", "cinder", "vmware"};
    char feature[sizeof "driver:sheepdog"];

    printf("glance_store_version=%s\n", gs_version());
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        snprintf(feature, sizeof feature, "driver:%s", drivers[i]);
        if (gs_has(feature))
            printf("glance_store_driver_%s=yes\n", drivers[i]);
    }
}

/* ---- Parameters ------------------------------------------------------------ */

/* An image's URI may hold credentials, so it may come the way nbdkit reads passwords. */
static int take_uri(const char *value)
{
    if (uri != NULL) {
        nbdkit_error("uri was given twice; one nbdkit serves one image");
        return -1;
    }
    if (nbdkit_read_password(value, &uri) == -1)
        return -1;
    if (*uri != '\0')
        return 0;
    nbdkit_error("uri is empty");
    return -1;
}

static int take_config(const char *path)
{
    gs_error *error;

    return gs_config_load(config, path, &error) == GS_OK ? 0 : fail(error);
}

static int set(const char *group, const char *key, const char *value)
{
    gs_error *error;

    return gs_config_set(config, group, key, value, &error) == GS_OK ? 0 : fail(error);
}

/* "GROUP.KEY=VALUE"; a group may hold a dot, a key does not.  The value may be a secret. */
static int take_setting(const char *setting)
{
    size_t length = strcspn(setting, "=");
    char *name = strndup(setting, length), *dot;
    int result = -1;

    if (name == NULL) {
        nbdkit_error("set: out of memory");
        return -1;
    }
    dot = strrchr(name, '.');
    if (setting[length] == '\0' || dot == NULL || dot == name || dot[1] == '\0') {
        nbdkit_error("set: '%s' does not begin as GROUP.KEY=VALUE does, such as glance_store.stores=file", name);
    } else {
        *dot = '\0';
        result = set(name, dot + 1, setting + length + 1);
    }
    free(name);
    return result;
}

static int take_store(const char *id)
{
    if (*id == '\0') {
        nbdkit_error("store is empty; leave it out, and the URI leads to its store");
        return -1;
    }
    store_id = id;
    return 0;
}

static int glance_config(const char *key, const char *value)
{
    if (strcmp(key, "uri") == 0)
        return take_uri(value);
    if (strcmp(key, "config") == 0)
        return take_config(value);
    if (strcmp(key, "set") == 0)
        return take_setting(value);
    if (strcmp(key, "store") == 0)
        return take_store(value);
    nbdkit_error("unknown parameter '%s'; there are uri, config, set and store", key);
    return -1;
}

static int glance_config_complete(void)
{
    if (uri != NULL)
        return 0;
    nbdkit_error("uri=URI is missing: the image to serve, as 'glance-store add' printed it");
    return -1;
}

#define CONFIG_HELP \
    "uri=<URI>       (required) The image: its storage URI, or +FILE, -FD or - to\n" \
    "                           read that from a file, a descriptor or the terminal.\n" \
    "config=<FILE>              Configuration of the stores, in oslo.config's format,\n" \
    "                           such as glance-api.conf. May be repeated.\n" \
    "set=<GROUP.KEY=VALUE>      Set one option of the configuration. May be repeated;\n" \
    "                           of files and settings the later ones win.\n" \
    "store=<ID>                 The store that holds the image, instead of the one\n" \
    "                           that the URI leads to."

/* ---- Stores ---------------------------------------------------------------- */

static gs_registry *open_registry(void)
{
    gs_registry *opened;
    gs_error *error;

    if (gs_registry_open(config, &opened, &error) == GS_OK)
        return opened;
    fail(error);
    return NULL;
}

static gs_store *find_store(const gs_registry *stores)
{
    gs_store *store;
    gs_error *error;

    if (store_id != NULL) {
        store = gs_registry_get(stores, store_id);
        if (store == NULL)
            nbdkit_error("store: no store is called '%s'", store_id);
        return store;
    }
    if (gs_registry_resolve(stores, uri, &store, &error) == GS_OK)
        return store;
    fail(error);
    return NULL;
}

static gs_reader *open_reader(const gs_registry *stores)
{
    gs_store *store = find_store(stores);
    gs_opts opts = GS_OPTS_INIT;
    gs_reader *reader;
    gs_error *error;

    if (store == NULL)
        return NULL;
    opts.cancel = cancel;
    if (gs_reader_open(store, uri, &opts, &reader, &error) == GS_OK)
        return reader;
    fail(error);
    return NULL;
}

/* Once nbdkit has gone into the background nobody sees why it fails.  So the image is opened
 * here to see that it can be, and closed again because threads do not survive the fork. */
static int glance_get_ready(void)
{
    gs_registry *stores = open_registry();
    gs_reader *reader = stores == NULL ? NULL : open_reader(stores);
    int result = reader == NULL ? -1 : 0;

    gs_reader_free(reader);
    gs_registry_free(stores);
    return result;
}

static int glance_after_fork(void)
{
    cancel = gs_cancel_new();
    if (cancel == NULL) {
        nbdkit_error("no file descriptor is left");
        return -1;
    }
    registry = open_registry();
    return registry == NULL ? -1 : 0;
}

/* ---- Connections ----------------------------------------------------------- */

/* Each connection has a reader of its own, which sees whether that one reads sequentially. */
static void *glance_open(int readonly)
{
    (void)readonly;
    return open_reader(registry);
}

static void glance_close(void *handle)
{
    gs_reader_free(handle);
}

static int64_t glance_get_size(void *handle)
{
    uint64_t size = gs_reader_size(handle);

    if (size <= INT64_MAX)
        return (int64_t)size;
    nbdkit_error("the image is too large for NBD");
    return -1;
}

static int glance_can_multi_conn(void *handle)
{
    (void)handle;
    return 1;
}

#ifdef HAVE_BLOCK_SIZE
static int glance_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
    (void)handle;
    *minimum = 1;
    *preferred = PREFERRED_READ;
    *maximum = UINT32_MAX;
    return 0;
}
#endif

static int glance_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
    size_t length;
    gs_error *error;

    (void)flags;
    if (gs_reader_pread(handle, buf, count, offset, &length, &error) != GS_OK)
        return fail(error);
    if (length == count)
        return 0;
    nbdkit_error("the image became shorter: of %" PRIu32 " bytes at %" PRIu64 " it has %zu", count, offset, length);
    return -1;
}

/* ---- The plugin ------------------------------------------------------------ */

static struct nbdkit_plugin plugin = {
    .name = "glance-store",
    .longname = "glance_store image plugin",
    .version = VERSION,
    .description = "Serves a virtual machine image, read-only, from the backend that holds it.",
    .load = glance_load,
    .unload = glance_unload,
    .dump_plugin = glance_dump_plugin,
    .config = glance_config,
    .config_complete = glance_config_complete,
    .config_help = CONFIG_HELP,
    .magic_config_key = "uri",
    .get_ready = glance_get_ready,
    .after_fork = glance_after_fork,
    .open = glance_open,
    .close = glance_close,
    .get_size = glance_get_size,
    .can_multi_conn = glance_can_multi_conn,
#ifdef HAVE_BLOCK_SIZE
    .block_size = glance_block_size,
#endif
    .pread = glance_pread,
};

NBDKIT_REGISTER_PLUGIN(plugin)
