/* A pool whose quota is used up: adds fail and leave nothing, all else goes on, and so do adds once there is room. */
#include "cluster.h"

#include <errno.h>
#include <stdlib.h>

static uint8_t *data;
enum { LEN = 8 * MiB };

static const char *admin(void)
{
    return text("timeout 60 ceph --conf %s", ceph("CEPH_ADMIN_CONF"));
}

/* Returns when the pool is flagged as full, or is not any more. */
static void set_quota(unsigned long bytes, bool fills)
{
    MUST(succeeds("%s osd pool set-quota images max_bytes %lu", admin(), bytes));
    MUST(succeeds("for i in $(seq 600); do if %s osd dump | grep -q \"'images' .*full_quota\"; then full=1; else full=0; fi; "
                  "[ $full = %d ] && exit; sleep 0.1; done; exit 1", admin(), fills));
}

/* The pool is found full in the middle of an image that has more than there is room for. */
static int64_t read_and_fill(void *user, uint8_t *buf, size_t len)
{
    struct source *source = user;
    if (source->at == LEN / 2)
        set_quota(1, true);
    return source_read(source, buf, len);
}

int main(void)
{
    data = new_data(LEN, RANDOM_DATA);
    ceph_script("start-mgr");
    gs_registry  *reg = rbd_registry(NULL);
    gs_store     *store = default_store(reg);
    const char   *uri = add_bytes(store, "there", data, LEN), *before = objects();
    struct source source = { .data = data, .len = LEN, .piece = MiB };
    gs_image     *image = NULL;
    check_context("a quota that is used up in the middle of an add");
    FAILS(GS_STORAGE_FULL, gs_add(store, "im", LEN, read_and_fill, &source, NULL, &image, ERR));
    CHECK_INT(EDQUOT, failure.errnum);
    CHECK_HAS("quota", failure.message);
    CHECK_STR(before, objects());
    for (int known = 0; known < 2; known++) {
        check_context("a quota that is used up, size %s", known ? "known" : "unknown");
        FAILS(GS_STORAGE_FULL, add(store, "im", data, LEN, known));
        CHECK_INT(EDQUOT, failure.errnum);
        CHECK_STR(before, objects());
    }
    check_context("an image in a pool whose quota is used up");
    check_image(store, uri, data, LEN);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", objects());
    check_context("after the quota was raised");
    set_quota(0, false);
    uri = add_bytes(store, "im", data, LEN);
    check_image(store, uri, data, LEN);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", objects());
    gs_registry_free(reg);
    free(data);
    return check_result();
}
