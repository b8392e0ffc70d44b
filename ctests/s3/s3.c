#include "s3.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *env(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value)
        SKIP("%s is not set: with_s3.sh does that", name);
    return value;
}

bool on_rgw(void)
{
    return strcmp(env("S3_SERVER"), "rgw") == 0;
}

static const char *output_of(const char *command)
{
    char        line[4096];
    const char *all = "";
    FILE       *output = popen(command, "r");
    MUST(output != NULL);
    while (fgets(line, sizeof line, output))
        all = text("%s%s", all, line);
    check_context("%s", command);
    MUST(pclose(output) == 0);
    return all;
}

const char *tool(const char *format, ...)
{
    char    arguments[4096];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    return output_of(text("%s %s", env("S3_TOOL"), arguments));
}

const char *holdings(void)
{
    return tool("list %s", env("S3_BUCKET"));
}

static void set(gs_config *config, const char *group, const char *key, const char *value)
{
    MUST(OK(gs_config_set(config, group, key, value, ERR)));
}

gs_registry *s3_registry(const char *url, const struct setting *settings)
{
    gs_config   *config = gs_config_new();
    gs_registry *registry = NULL;
    MUST(config != NULL);
    set(config, NULL, "enabled_backends", "objects:s3");
    set(config, "glance_store", "default_backend", "objects");
    set(config, "objects", "s3_store_host", url);
    set(config, "objects", "s3_store_bucket", env("S3_BUCKET"));
    set(config, "objects", "s3_store_access_key", env("S3_ACCESS_KEY"));
    set(config, "objects", "s3_store_secret_key", env("S3_SECRET_KEY"));
    set(config, "objects", "s3_store_large_object_size", "6");
    set(config, "objects", "s3_store_large_object_chunk_size", "5");
    set(config, "objects", "s3_store_retries", "1");
    for (; settings && settings->key; settings++)
        set(config, settings->group ? settings->group : "objects", settings->key, settings->value);
    MUST(OK(gs_registry_open(config, &registry, ERR)));
    gs_config_free(config);
    return registry;
}

struct faults *s3_faults(void)
{
    return faults_start(text("s3=%s", env("S3_URL") + strlen("http://")), NULL);
}

const char *uri_of(const char *url, const char *bucket, const char *id)
{
    return text("s3://%s/%s/%s", strstr(url, "://") + 3, bucket, id);
}

const char *new_id(void)
{
    static unsigned count;
    return text("%08x-53aa-4000-8000-%012x", (unsigned)getpid(), __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
}

gs_status add(gs_store *store, const char *id, const void *data, size_t len, bool known, const char **uri)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_status     status = RETURNS(gs_add(store, id, known ? len : GS_SIZE_UNKNOWN, source_read, &source, NULL, &image, ERR));
    gs_image_get_info(image, &info);
    if (status == GS_OK && uri)
        *uri = text("%s", info.uri);
    gs_image_free(image);
    return status;
}

const char *header_of(const char *key, const char *name)
{
    const char *line = text("\n%s: ", name), *headers = text("\n%s", tool("head %s %s", env("S3_BUCKET"), key));
    const char *found = strstr(headers, line);
    return found ? text("%.*s", (int)strcspn(found + strlen(line), "\n"), found + strlen(line)) : NULL;
}
