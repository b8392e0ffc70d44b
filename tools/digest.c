/* digest.c - the hashes of an image that is stored already.
 *
 * The library tells the hashes of what it stores.  So the image is copied into a store
 * in a temporary directory, which exists for the time of this call only.
 */
#include "digest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "failure.h"

/* Large files may not fit into /tmp, which is memory on many machines. */
static const char default_temporary_directory[] = "/var/tmp";

static int make_directory(char *path, size_t size)
{
    const char *parent = getenv("TMPDIR");

    if (parent == NULL || parent[0] != '/')
        parent = default_temporary_directory;
    if (snprintf(path, size, "%s/glance-store-XXXXXX", parent) >= (int)size)
        return fail(EXIT_USAGE, "TMPDIR: the name is too long");
    return mkdtemp(path) != NULL ? EXIT_DONE : fail_errno(path);
}

static int open_store_in(const char *directory, gs_registry **registry)
{
    gs_config *config = gs_config_new();
    gs_error *error;
    gs_status status;
    int code = config_file_store(config, directory);

    if (code == EXIT_DONE) {
        status = gs_registry_open(config, registry, &error);
        code = status == GS_OK ? EXIT_DONE : fail_status(status, error);
    }
    gs_config_free(config);
    return code;
}

static int copy(struct session *session, gs_store *to, gs_store *from, const char *uri, gs_image **image)
{
    gs_opts options = session_transfer(session);
    gs_error *error;
    gs_status status = gs_copy(to, "image", from, uri, &options, image, &error);

    progress_end(&session->progress);
    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

static int remove_copy(gs_store *store, const gs_image *image)
{
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_error *error;
    gs_status status;

    gs_image_get_info(image, &info);
    status = gs_delete(store, info.uri, NULL, &error);
    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

static int copy_through(struct session *session, gs_registry *registry, gs_store *from, const char *uri, gs_image **image)
{
    gs_store *to = gs_registry_get(registry, NULL);
    int code = copy(session, to, from, uri, image);

    return code == EXIT_DONE ? remove_copy(to, *image) : code;
}

int digest(struct session *session, gs_store *store, const char *uri, gs_image **image)
{
    char directory[PATH_MAX];
    gs_registry *registry = NULL;
    int code = make_directory(directory, sizeof directory);

    if (code != EXIT_DONE)
        return code;
    code = open_store_in(directory, &registry);
    if (code == EXIT_DONE)
        code = copy_through(session, registry, store, uri, image);
    gs_registry_free(registry);
    rmdir(directory);
    return code;
}
