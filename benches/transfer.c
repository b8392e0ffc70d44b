/* Moves one image and prints what that cost:
 *
 *     transfer add-fd|add-callback[-known][-bare] CONFIG IMAGE-ID FILE
 *     transfer get-fd|get-callback[-sparse] CONFIG URI FILE
 *
 * An add hashes with MD5 and SHA-512, a bare one not at all; a known one is told the size.  A sparse get leaves holes.
 * The callbacks read and write FILE as any program would. */
#include "measure.h"

#include <glance_store.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static uint64_t size_of(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void add(gs_store *store, const char *how, const char *image_id, const char *path)
{
    gs_opts opts = GS_OPTS_INIT;
    gs_image *image;
    gs_error *error;
    gs_status status;
    struct measure start;
    int fd = open(path, O_RDONLY);

    uint64_t size = strstr(how, "known") ? size_of(fd) : GS_SIZE_UNKNOWN;

    if (strstr(how, "bare"))
        opts.flags = GS_NO_CHECKSUM;
    else
        opts.hash_name = "sha512";
    start = measure_start();
    if (strstr(how, "callback"))
        status = gs_add(store, image_id, size, read_file, &fd, &opts, &image, &error);
    else
        status = gs_add_fd(store, image_id, size, fd, &opts, &image, &error);
    check(status, error);
    measure_print(&start);
    gs_image_free(image);
    close(fd);
}

static void get(gs_store *store, const char *how, const char *uri, const char *path)
{
    gs_opts opts = GS_OPTS_INIT;
    gs_error *error;
    gs_status status;
    struct measure start;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

    if (strstr(how, "sparse"))
        opts.flags = GS_SPARSE;
    start = measure_start();
    if (strstr(how, "callback"))
        status = gs_get(store, uri, write_file, &fd, &opts, &error);
    else
        status = gs_get_fd(store, uri, fd, &opts, &error);
    check(status, error);
    measure_print(&start);
    close(fd);
}

int main(int argc, char **argv)
{
    gs_registry *registry;
    gs_store *store;

    if (argc != 5) {
        fputs("usage: transfer add-fd|add-callback[-known][-bare]|get-fd|get-callback[-sparse] CONFIG IMAGE FILE\n", stderr);
        return EXIT_FAILURE;
    }
    registry = open_registry(argv[2]);
    store = gs_registry_get(registry, NULL);
    if (strncmp(argv[1], "add", 3) == 0)
        add(store, argv[1], argv[3], argv[4]);
    else
        get(store, argv[1], argv[3], argv[4]);
    gs_registry_free(registry);
    return EXIT_SUCCESS;
}
