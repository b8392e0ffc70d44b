/* Copies inside the cluster: clones where an option says so, and of what the store of the source takes for its own. */
#include "cluster.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *data;
enum { LEN = 5 * MiB + 12345 };

static gs_status copy(gs_registry *reg, const char *id, const char *uri, const gs_opts *opts)
{
    gs_image *image = NULL;
    gs_status status = gs_copy(default_store(reg), id, default_store(reg), uri, opts, &image, ERR);
    if (status == GS_OK) {
        gs_image_info info = GS_IMAGE_INFO_INIT;
        gs_image_get_info(image, &info);
        CHECK_SIZE(LEN, info.size);
        CHECK_STR(uri_of(id), info.uri);
    }
    gs_image_free(image);
    return status;
}

static void copies(void)
{
    gs_registry *reg = NULL;
    gs_opts      opts = GS_OPTS_INIT;
    opts.flags = GS_NO_CHECKSUM;
    for (int clones = 0; clones < 2; clones++) {
        gs_store *store = open_store(&reg, "rbd_clone_copies", clones ? "true" : "false");
        OK(add(store, "source", data, LEN, true));
        check_context("a copy, clones %s", clones ? "wanted" : "not wanted");
        OK(copy(reg, "copy", uri_of("source"), &opts));
        CHECK((strstr(described("copy"), "\"parent\"") != NULL) == clones);
        check_image(store, uri_of("copy"), data, LEN);
        check_context("a copy whose bytes are looked at, clones %s", clones ? "wanted" : "not wanted");
        OK(copy(reg, "hashed", uri_of("source"), NULL));
        CHECK_LACKS("\"parent\"", described("hashed"));
        check_image(store, uri_of("hashed"), data, LEN);
        check_context("a copy of a present state");
        OK(copy(reg, "present", "rbd://source", &opts));
        CHECK_LACKS("\"parent\"", described("present"));
        FAILS(GS_DUPLICATE, copy(reg, "copy", uri_of("source"), &opts));
        FAILS(GS_NOT_FOUND, copy(reg, "new", uri_of("nothing"), &opts));
        CHECK_HAS("nothing", failure.message);
        CHECK_LACKS("create", failure.message);
        check_context("the source of copies, clones %s", clones ? "wanted" : "not wanted");
        GIVES(clones ? GS_IN_USE : GS_OK, gs_delete(store, uri_of("source"), NULL, ERR));
        if (clones) {
            /* Which clones there are, old versions of librbd cannot be asked. */
            CHECK_HAS(getenv("GS_TEST_OLD_LIBRBD") ? "as by clones" : "images/copy", failure.message);
            check_image(store, uri_of("source"), data, LEN);
        }
        check_image(store, uri_of("copy"), data, LEN);
        drop(store, "copy");
        if (clones)
            drop(store, "source");
        drop(store, "hashed");
        drop(store, "present");
    }
    gs_registry_free(reg);
}

/* Whose locations name another cluster is known to the source's store, and asked of no other. */
static void former_cluster(void)
{
    const char *former = "11111111-2222-3333-4444-555555555555";
    const char *uri = text("rbd://%s/images/source/snap", former);
    gs_image   *image = NULL;
    gs_opts     opts = GS_OPTS_INIT;
    opts.flags = GS_NO_CHECKSUM;
    for (int is_known = 0; is_known < 2; is_known++) {
        gs_registry *reg = registry_of(SETTINGS({ NULL, "enabled_backends", "from:rbd, to:rbd" },
                                                { "glance_store", "default_backend", "to" },
                                                { "from", "rbd_store_ceph_conf", ceph("CEPH_GLANCE_CONF") },
                                                { "from", "rbd_store_user", ceph("CEPH_USER") },
                                                { is_known ? "from" : "to", "rbd_store_former_fsids", former },
                                                { "to", "rbd_store_ceph_conf", ceph("CEPH_GLANCE_CONF") },
                                                { "to", "rbd_store_user", ceph("CEPH_USER") },
                                                { "to", "rbd_clone_copies", "true" }));
        gs_store *from = gs_registry_get(reg, "from"), *to = gs_registry_get(reg, "to");
        OK(add(from, "source", data, LEN, true));
        check_context("a cluster that is a former one of the %s", is_known ? "source's" : "copy's");
        GIVES(is_known ? GS_OK : GS_NOT_FOUND, gs_copy(to, "copy", from, uri, &opts, &image, ERR));
        if (is_known) {
            CHECK_HAS("\"parent\"", described("copy"));
            check_image(to, uri_of("copy"), data, LEN);
            drop(to, "copy");
        } else {
            CHECK_HAS("rbd_store_former_fsids", failure.message);
        }
        gs_image_free(image);
        image = NULL;
        drop(from, "source");
        gs_registry_free(reg);
    }
}

int main(void)
{
    const char *before = objects();
    data = new_data(LEN, RANDOM_DATA);
    copies();
    former_cluster();
    check_context("after everything");
    CHECK_STR(before, objects());
    free(data);
    return check_result();
}
