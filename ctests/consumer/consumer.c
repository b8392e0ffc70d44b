/* consumer.c - what a program outside this tree does: store an image and fetch it. */
#include <errno.h>
#include <glance_store.h>
#include <stdio.h>
#include <string.h>

static const char content[] = "the smallest of disks";

struct position {
    size_t done;
    char received[sizeof content];
};

static int64_t read_content(void *user, uint8_t *buffer, size_t length)
{
    struct position *position = user;
    size_t rest = sizeof content - position->done, count = rest < length ? rest : length;

    memcpy(buffer, content + position->done, count);
    position->done += count;
    return (int64_t)count;
}

static int write_received(void *user, const uint8_t *data, size_t length, uint64_t offset)
{
    struct position *position = user;

    if (offset + length > sizeof position->received)
        return -EFBIG;
    memcpy(position->received + offset, data, length);
    return 0;
}

static int complain(gs_error *error)
{
    fprintf(stderr, "consumer: %s\n", gs_error_message(error));
    gs_error_free(error);
    return 1;
}

static int store_and_fetch(gs_store *store)
{
    struct position source = {0, ""}, target = {0, ""};
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image *image;
    gs_error *error;
    int failed;

    if (gs_add(store, "disk", sizeof content, read_content, &source, NULL, &image, &error) != GS_OK)
        return complain(error);
    gs_image_get_info(image, &info);
    failed = gs_get(store, info.uri, write_received, &target, NULL, &error) != GS_OK;
    gs_image_free(image);
    if (failed)
        return complain(error);
    return memcmp(target.received, content, sizeof content) != 0;
}

static int configure(gs_config *config, const char *directory, gs_error **error)
{
    return gs_config_set(config, "glance_store", "stores", "file", error) != GS_OK ||
           gs_config_set(config, "glance_store", "filesystem_store_datadir", directory, error) != GS_OK;
}

int main(int argc, char **argv)
{
    gs_config *config = gs_config_new();
    gs_registry *registry;
    gs_error *error;
    int failed;

    if (argc != 2 || gs_version_number() != GS_VERSION_NUMBER)
        return 2;
    if (configure(config, argv[1], &error) != 0 || gs_registry_open(config, &registry, &error) != GS_OK)
        return complain(error);
    gs_config_free(config);
    failed = store_and_fetch(gs_registry_get(registry, NULL));
    gs_registry_free(registry);
    puts(failed ? "the image came back different" : "the image came back");
    return failed;
}
