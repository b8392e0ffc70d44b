/* However large the image, a call holds at most `transfer_memory` and 16 MiB more. */
#include "account.h"
#include "memory_bound.h"

static const uint64_t size = 96u * MiB;

static int discard(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    uint64_t *end = user;
    (void)data;
    *end = offset + len;
    return 0;
}

int main(void)
{
    static const struct { const char *how, *manifest, *threshold; bool announced; } ways[] = {
        { "in segments", "dlo", "1", true },
        { "in segments, not announced", "slo", "1", false },
        { "as it comes", "dlo", "5000", true },
    };
    struct account account = demo_account();
    const char    *container = new_container(&account);
    long           before = memory_of("VmRSS:");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        gs_registry *reg = registry_in(container, SETTINGS({ "glance_store", "transfer_memory", text("%d", TRANSFER_MEMORY) },
                                                           { "glance_store", "swift_store_large_object_chunk_size", "200" },
                                                           { "glance_store", "swift_store_manifest", ways[i].manifest },
                                                           { "glance_store", "swift_store_large_object_size", ways[i].threshold }));
        uint64_t      left = size, end = 0;
        gs_image     *image = NULL;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        check_context("an add %s", ways[i].how);
        MUST(OK(gs_add(default_store(reg), new_id(), ways[i].announced ? size : GS_SIZE_UNKNOWN, pattern, &left, NULL, &image, ERR)));
        check_within(before);
        gs_image_get_info(image, &info);
        check_context("a get of what was added %s", ways[i].how);
        OK(gs_get(default_store(reg), info.uri, discard, &end, NULL, ERR));
        CHECK_SIZE(size, end);
        check_within(before);
        OK(gs_delete(default_store(reg), info.uri, NULL, ERR));
        gs_image_free(image);
        gs_registry_free(reg);
    }
    return check_result();
}
