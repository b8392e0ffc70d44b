/* Data directories that cannot be written, are read-only, or have vanished. */
#include "testing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static gs_status add(gs_store *store, const char *id)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_status     status = RETURNS(gs_add(store, id, 3, source_read, &source, NULL, &image, ERR));
    CHECK((status == GS_OK) == (image != NULL));
    gs_image_free(image);
    return status;
}

static void expect_add_disabled(gs_store *store, const char *dir)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(store, &info);
    CHECK_HAS(dir, info.add_disabled);
    CHECK_INT(0x47, info.capabilities);
    CHECK_STR("GS_ADD_DISABLED", status_name(add(store, "new")));
}

/* ---- A file system that is mounted read-only ------------------------------------ */

static void read_only_mount(void)
{
    const char *dir = new_dir();
    mount_tmpfs(dir, "size=1m,mode=755");
    gs_registry *reg = file_registry(dir);
    const char  *uri = add_bytes(default_store(reg), "image", "abc", 3);
    const char  *before = listing(dir);
    MUST(mount("tmpfs", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "") == 0);

    check_context("read-only after the registry has opened");
    CHECK_STR("GS_WRITE_DENIED", status_name(add(default_store(reg), "new")));
    CHECK_STR("StorageWriteDenied", failure.name);
    CHECK_INT(EROFS, failure.errnum);
    CHECK_HAS(dir, failure.message);
    FAILS(GS_FORBIDDEN, gs_delete(default_store(reg), uri, NULL, ERR));
    CHECK_INT(EROFS, failure.errnum);
    check_image(default_store(reg), uri, "abc", 3);
    gs_registry_free(reg);

    check_context("read-only before the registry opens");
    reg = file_registry(dir);
    expect_add_disabled(default_store(reg), dir);
    check_image(default_store(reg), uri, "abc", 3);
    gs_registry_free(reg);
    CHECK_STR(before, listing(dir));
}

/* ---- Without root's rights ------------------------------------------------------- */

/* A directory of nobody's with an image in it. */
static const char *dir_of_nobody(void)
{
    const char *dir = new_dir();
    write_file(text("%s/image", dir), "abc", 3);
    MUST(chown(dir, NOBODY, NOBODY) == 0 && chown(text("%s/image", dir), NOBODY, NOBODY) == 0);
    return dir;
}

static void no_right_to_write(void *argument)
{
    const char  *dir = argument, *uri = text("file://%s/image", dir);
    gs_registry *reg = file_registry(dir);
    gs_store    *store = default_store(reg);
    check_context("the right to write taken away");
    MUST(chmod(dir, 0555) == 0);
    CHECK_STR("GS_WRITE_DENIED", status_name(add(store, "new")));
    CHECK_INT(EACCES, failure.errnum);
    FAILS(GS_FORBIDDEN, gs_delete(store, uri, NULL, ERR));
    CHECK_INT(EACCES, failure.errnum);
    check_image(store, uri, "abc", 3);
    gs_registry_free(reg);

    check_context("no right to write from the start");
    reg = file_registry(dir);
    expect_add_disabled(default_store(reg), dir);
    check_image(default_store(reg), uri, "abc", 3);
    gs_registry_free(reg);

    check_context("no right to create the directory");
    reg = file_registry(text("%s/below", dir));
    expect_add_disabled(default_store(reg), text("%s/below", dir));
    gs_registry_free(reg);
    MUST(chmod(dir, 0755) == 0);
}

static void no_right_to_read(void *argument)
{
    const char  *dir = argument, *uri = text("file://%s/image", dir);
    gs_registry *reg = file_registry(dir);
    gs_store    *store = default_store(reg);
    gs_reader   *reader = NULL;
    struct sink  sink = { 0 };
    check_context("an image that may not be read");
    MUST(chmod(text("%s/image", dir), 0) == 0);
    FAILS(GS_FORBIDDEN, gs_get(store, uri, sink_write, &sink, NULL, ERR));
    CHECK_INT(EACCES, failure.errnum);
    FAILS(GS_FORBIDDEN, gs_reader_open(store, uri, NULL, &reader, ERR));
    CHECK_INT(0, sink.calls);
    OK(gs_delete(store, uri, NULL, ERR));
    gs_registry_free(reg);
}

/* ---- Gone ------------------------------------------------------------------------ */

static void vanished(void)
{
    const char   *root = new_dir(), *dir = text("%s/images", root), *uri = text("file://%s/image", dir);
    gs_registry  *reg = file_registry(dir);
    gs_store     *store = default_store(reg);
    struct sink   sink = { 0 };
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_reader    *reader = NULL;
    uint64_t      size;
    check_context("a data directory that has vanished");
    MUST(rmdir(dir) == 0);
#define GONE(call) \
    do { \
        FAILS(GS_FAILED, call); \
        CHECK_INT(ENOENT, failure.errnum); \
        CHECK_HAS(dir, failure.message); \
    } while (0)
    GONE(gs_add(store, "image", 3, source_read, &source, NULL, &image, ERR));
    GONE(gs_add_fd(store, "image", GS_SIZE_UNKNOWN, 0, NULL, &image, ERR));
    GONE(gs_copy(store, "copy", store, uri, NULL, &image, ERR));
    GONE(gs_examine(store, uri, NULL, &image, ERR));
    GONE(gs_get(store, uri, sink_write, &sink, NULL, ERR));
    GONE(gs_get_fd(store, uri, 1, NULL, ERR));
    GONE(gs_get_size(store, uri, NULL, &size, ERR));
    GONE(gs_delete(store, uri, NULL, ERR));
    GONE(gs_reader_open(store, uri, NULL, &reader, ERR));
#undef GONE
    CHECK_INT(0, sink.calls);
    CHECK_STR("", listing(root));
    gs_registry_free(reg);
}

int main(void)
{
    const char *write_dir = dir_of_nobody(), *read_dir = dir_of_nobody();
    read_only_mount();
    vanished();
    CHECK_INT(0, as_nobody(no_right_to_write, (void *)write_dir));
    CHECK_INT(0, as_nobody(no_right_to_read, (void *)read_dir));
    check_context("afterwards");
    CHECK_STR("image 100644 3\n", listing(write_dir));
    CHECK_STR("", listing(read_dir));
    return check_result();
}
