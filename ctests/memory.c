/* However large the image, a call holds at most `transfer_memory` and 16 MiB
 * more: with known and with unknown size, in and out, by callback and by
 * descriptor. */
#include "memory_bound.h"

#include <fcntl.h>
#include <unistd.h>

static const uint64_t image_size = 192u * MiB;

static int discard(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    (void)user, (void)data, (void)len, (void)offset;
    return 0;
}

int main(void)
{
    const char  *dir = new_dir(), *uri = text("file://%s/image", dir);
    gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                            { "glance_store", "transfer_memory", text("%d", TRANSFER_MEMORY) }));
    gs_store    *store = default_store(reg);
    gs_opts      opts = GS_OPTS_INIT;
    gs_image    *image = NULL;
    long         before = memory_of("VmRSS:");
    int          null = open("/dev/null", O_WRONLY);
    MUST(null >= 0);
    opts.hash_name = "sha512";

    for (int known = 0; known < 2; known++) {
        uint64_t left = image_size;
        check_context("gs_add, size %s", known ? "known" : "unknown");
        OK(gs_add(store, "image", known ? image_size : GS_SIZE_UNKNOWN, pattern, &left, &opts, &image, ERR));
        gs_image_free(image);
        check_within(before);
        if (!known)
            OK(gs_delete(store, uri, NULL, ERR));
    }

    check_context("gs_get");
    OK(gs_get(store, uri, discard, NULL, NULL, ERR));
    check_within(before);
    check_context("gs_get_fd");
    OK(gs_get_fd(store, uri, null, NULL, ERR));
    check_within(before);

    check_context("gs_copy");
    OK(gs_copy(store, "copy", store, uri, &opts, &image, ERR));
    gs_image_free(image);
    check_within(before);

    check_context("gs_add_fd");
    int source = open(text("%s/image", dir), O_RDONLY);
    MUST(source >= 0);
    OK(gs_add_fd(store, "again", GS_SIZE_UNKNOWN, source, &opts, &image, ERR));
    gs_image_free(image);
    check_within(before);

    close(source);
    close(null);
    gs_registry_free(reg);
    return check_result();
}
