/* A full file system and a file size limit are GS_STORAGE_FULL with their errno;
 * nothing of the image remains, what was there is whole, and there is room again. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOO_MUCH = 4 * MiB };

static const char *dir, *scratch;
static gs_store   *store;
static uint8_t    *data;

static void too_full(gs_status status, gs_image *image, const char *before, int errnum)
{
    CHECK_STR("GS_STORAGE_FULL", status_name(status));
    CHECK_STR("StorageFull", failure.name);
    CHECK_INT(errnum, failure.errnum);
    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
}

static void adds(int errnum)
{
    for (int known = 0; known < 2; known++) {
        uint64_t      size = known ? TOO_MUCH : GS_SIZE_UNKNOWN;
        struct source source = { .data = data, .len = TOO_MUCH };
        gs_image     *image = NULL;
        const char   *before = listing(dir);
        check_context("add of %s size by callback, errno %d", known ? "known" : "unknown", errnum);
        too_full(RETURNS(gs_add(store, "new", size, source_read, &source, NULL, &image, ERR)), image, before, errnum);

        check_context("add of %s size from a file, errno %d", known ? "known" : "unknown", errnum);
        int fd = open(text("%s/source", scratch), O_RDONLY);
        MUST(fd >= 0);
        too_full(RETURNS(gs_add_fd(store, "new", size, fd, NULL, &image, ERR)), image, before, errnum);
        close(fd);

        check_context("add of %s size in small pieces, errno %d", known ? "known" : "unknown", errnum);
        source = (struct source){ .data = data, .len = TOO_MUCH, .piece = 1000 };
        too_full(RETURNS(gs_add(store, "new", size, source_read, &source, NULL, &image, ERR)), image, before, errnum);
    }
}

static void still_usable(const char *uri)
{
    check_context("afterwards");
    check_image(store, uri, "abc", 3);
    const char *next = add_bytes(store, "next", data, 500 * KiB);
    check_image(store, next, data, 500 * KiB);
    OK(gs_delete(store, next, NULL, ERR));
}

static void file_system_full(void)
{
    dir = new_dir();
    mount_tmpfs(dir, "size=1m,mode=755");
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    const char *uri = add_bytes(store, "image", "abc", 3);
    adds(ENOSPC);
    still_usable(uri);

    gs_image   *image = NULL;
    const char *before = listing(dir);
    check_context("copy into a full store");
    gs_registry *roomy = file_registry(scratch);
    const char  *source = add_bytes(default_store(roomy), "large", data, TOO_MUCH);
    too_full(RETURNS(gs_copy(store, "new", default_store(roomy), source, NULL, &image, ERR)), image, before, ENOSPC);
    check_image(default_store(roomy), source, data, TOO_MUCH);
    OK(gs_delete(default_store(roomy), source, NULL, ERR));
    gs_registry_free(roomy);
    gs_registry_free(reg);
}

/* No inode left: not even an empty image fits. */
static void no_inodes(void)
{
    struct source source = { 0 };
    gs_image     *image = NULL;
    dir = new_dir();
    mount_tmpfs(dir, "size=1m,nr_inodes=10,mode=755");
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    add_bytes(store, "image", "abc", 3);
    for (int fd, i = 0; (fd = open(text("%s/filler-%d", dir, i), O_WRONLY | O_CREAT, 0600)) >= 0; i++)
        close(fd);
    const char *before = listing(dir);
    check_context("no inode left");
    too_full(RETURNS(gs_add(store, "new", 0, source_read, &source, NULL, &image, ERR)), image, before, ENOSPC);
    gs_registry_free(reg);
}

/* RLIMIT_FSIZE also sends SIGXFSZ, which would end a host that does not care. */
static void file_size_limit(void)
{
    struct rlimit limit = { 64 * KiB, RLIM_INFINITY };
    dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    const char *uri = add_bytes(store, "image", "abc", 3);
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    adds(EFBIG);
    limit.rlim_cur = RLIM_INFINITY;
    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    still_usable(uri);
    gs_registry_free(reg);
}

/* The target of a get is full: the store is not to blame. */
static void full_target(void)
{
    gs_registry *reg = file_registry(dir = new_dir());
    const char  *uri = add_bytes(default_store(reg), "image", data, TOO_MUCH);
    int          fd = open("/dev/full", O_WRONLY);
    check_context("get into a full device");
    MUST(fd >= 0);
    FAILS(GS_FAILED, gs_get_fd(default_store(reg), uri, fd, NULL, ERR));
    CHECK_INT(ENOSPC, failure.errnum);
    close(fd);

    const char *small = new_dir();
    mount_tmpfs(small, "size=1m,mode=755");
    fd = open(text("%s/target", small), O_WRONLY | O_CREAT, 0600);
    check_context("get into a full file system");
    MUST(fd >= 0);
    FAILS(GS_FAILED, gs_get_fd(default_store(reg), uri, fd, NULL, ERR));
    CHECK_INT(ENOSPC, failure.errnum);
    close(fd);
    gs_registry_free(reg);
}

int main(void)
{
    data = new_data(TOO_MUCH, RANDOM_DATA);
    scratch = new_dir();
    write_file(text("%s/source", scratch), data, TOO_MUCH);

    file_system_full();
    no_inodes();
    file_size_limit();
    full_target();
    free(data);
    return check_result();
}
