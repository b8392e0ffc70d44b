/* An image that was added is on the disk: when the file cannot be synced the add
 * fails with the errno of that, and nothing of the image remains. */
#include "testing.h"

#include <errno.h>
#include <sys/syscall.h>

int main(void)
{
    const char   *dir = new_dir();
    gs_registry  *reg = file_registry(dir);
    gs_store     *store = default_store(reg);
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    const char   *uri = add_bytes(store, "image", "abc", 3);
    const char   *before = listing(dir);

    check_context("a disk that cannot be synced");
    forbid_system_call(SYS_fsync, EIO);
    forbid_system_call(SYS_fdatasync, EIO);
    forbid_system_call(SYS_syncfs, EIO);
    FAILS(GS_FAILED, gs_add(store, "new", 3, source_read, &source, NULL, &image, ERR));
    CHECK_INT(EIO, failure.errnum);
    FAILS(GS_FAILED, gs_copy(store, "new", store, uri, NULL, &image, ERR));
    CHECK_INT(EIO, failure.errnum);
    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
    check_image(store, uri, "abc", 3);
    gs_registry_free(reg);
    return check_result();
}
