/* Where librbd is not there, its stores say so and what to install; all others work. */
#include "testing.h"

#include <string.h>

static void check_missing(gs_status status)
{
    CHECK_STR("GS_DRIVER_UNAVAILABLE", status_name(status));
    CHECK_HAS("librbd.so.1", failure.message);
    CHECK_HAS("librbd1", failure.message);
    CHECK_HAS("Debian", failure.message);
    CHECK_HAS("RPM", failure.message);
}

int main(void)
{
    const char   *dir = new_dir(), *uri = "rbd://fsid/images/im/snap";
    struct source source = { .data = (const uint8_t *)"x", .len = 1 };
    struct sink   sink = { 0 };
    gs_reader    *reader = NULL;
    gs_image     *image = NULL;
    uint64_t      size;
    gs_registry  *reg = registry_of(SETTINGS({ NULL, "enabled_backends", "ceph:rbd, disk:file" }, { "glance_store", "default_backend", "disk" },
                                             { "disk", "filesystem_store_datadir", dir }));
    gs_store     *store = gs_registry_get(reg, "ceph");
    MUST(store != NULL);
    check_context("a store whose library is missing");
    check_missing(RETURNS(gs_add(store, "im", 1, source_read, &source, NULL, &image, ERR)));
    check_missing(RETURNS(gs_get_size(store, uri, NULL, &size, ERR)));
    check_missing(RETURNS(gs_get(store, uri, sink_write, &sink, NULL, ERR)));
    check_missing(RETURNS(gs_reader_open(store, uri, NULL, &reader, ERR)));
    check_missing(RETURNS(gs_delete(store, uri, NULL, ERR)));
    CHECK_INT(0, sink.calls);
    check_context("the other store");
    check_image(default_store(reg), add_bytes(default_store(reg), "im", "x", 1), "x", 1);
    gs_registry_free(reg);
    return check_result();
}
