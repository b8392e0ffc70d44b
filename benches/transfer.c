/* Moves one image and prints what that cost:
 *
 *     transfer add-fd|add-callback CONFIG IMAGE-ID FILE
 *     transfer get-fd|get-callback CONFIG URI FILE
 *
 * An add hashes with MD5 and SHA-512.  The callbacks read and write FILE as any program would. */
#include "measure.h"

#include <glance_store.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(gs_status status, gs_error *error)
{
    if (status == GS_OK)
        return;
    fprintf(stderr, "transfer: %s\n", gs_error_message(error));
    exit(EXIT_FAILURE);
}

static int64_t read_file(void *user, uint8_t *buf, size_t len)
{
    ssize_t count = read(*(int *)user, buf, len);

    return count < 0 ? -errno : count;
}

static int write_file(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    (void)offset;
    while (len > 0) {
        ssize_t count = write(*(int *)user, data, len);
        if (count < 0)
            return -errno;
        data += count;
        len -= (size_t)count;
    }
    return 0;
}

static gs_registry *open_registry(const char *path)
{
    gs_config *config = gs_config_new();
    gs_registry *registry;
    gs_error *error;

    check(gs_config_load(config, path, &error), error);
    check(gs_registry_open(config, &registry, &error), error);
    gs_config_free(config);
    return registry;
}

static void add(gs_store *store, int by_callback, const char *image_id, const char *path)
{
    gs_opts opts = GS_OPTS_INIT;
    gs_image *image;
    gs_error *error;
    gs_status status;
    struct measure start;
    int fd = open(path, O_RDONLY);

    opts.hash_name = "sha512";
    start = measure_start();
    if (by_callback)
        status = gs_add(store, image_id, GS_SIZE_UNKNOWN, read_file, &fd, &opts, &image, &error);
    else
        status = gs_add_fd(store, image_id, GS_SIZE_UNKNOWN, fd, &opts, &image, &error);
    check(status, error);
    measure_print(&start);
    gs_image_free(image);
    close(fd);
}

static void get(gs_store *store, int by_callback, const char *uri, const char *path)
{
    gs_error *error;
    gs_status status;
    struct measure start;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    start = measure_start();
    if (by_callback)
        status = gs_get(store, uri, write_file, &fd, NULL, &error);
    else
        status = gs_get_fd(store, uri, fd, NULL, &error);
    check(status, error);
    measure_print(&start);
    close(fd);
}

int main(int argc, char **argv)
{
    gs_registry *registry;
    gs_store *store;
    int by_callback;

    if (argc != 5) {
        fputs("usage: transfer add-fd|add-callback|get-fd|get-callback CONFIG IMAGE FILE\n", stderr);
        return EXIT_FAILURE;
    }
    registry = open_registry(argv[2]);
    store = gs_registry_get(registry, NULL);
    by_callback = strstr(argv[1], "callback") != NULL;
    if (strncmp(argv[1], "add", 3) == 0)
        add(store, by_callback, argv[3], argv[4]);
    else
        get(store, by_callback, argv[3], argv[4]);
    gs_registry_free(registry);
    return EXIT_SUCCESS;
}
