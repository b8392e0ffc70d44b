/* An image that was added is on the disk, and so is its name: when the file or its
 * directory cannot be synced the add fails with the errno of that, and nothing of
 * the image remains. */
#include "testing.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Which type of file (S_IFREG, S_IFDIR) cannot be synced; 0: none. */
static mode_t broken;

/* These take the place of the C library's for the whole process. */
static int sync_unless_broken(long number, int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == broken) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(number, fd);
}

int fsync(int fd)
{
    return sync_unless_broken(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_unless_broken(SYS_fdatasync, fd);
}

static void cannot_sync(mode_t type, const char *name)
{
    const char   *dir = new_dir();
    gs_registry  *reg = file_registry(dir);
    gs_store     *store = default_store(reg);
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    const char   *uri = add_bytes(store, "image", "abc", 3);
    const char   *before = listing(dir);

    check_context("a %s that cannot be synced", name);
    broken = type;
    FAILS(GS_FAILED, gs_add(store, "new", 3, source_read, &source, NULL, &image, ERR));
    CHECK_INT(EIO, failure.errnum);
    FAILS(GS_FAILED, gs_copy(store, "new", store, uri, NULL, &image, ERR));
    CHECK_INT(EIO, failure.errnum);
    CHECK(image == NULL);
    CHECK_STR(before, listing(dir));
    broken = 0;
    check_image(store, uri, "abc", 3);
    add_bytes(store, "new", "abc", 3);
    gs_registry_free(reg);
}

int main(void)
{
    cannot_sync(S_IFREG, "file");
    cannot_sync(S_IFDIR, "directory");
    return check_result();
}
