/* Descriptors of any kind, both ways: files (from the present position), pipes
 * and sockets, blocking or not, and files opened for appending. The caller's
 * descriptor stays open and keeps its flags. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;     /* of the store */
static const char *scratch; /* for source and target files */
static gs_store   *store;

enum { PIPE, NONBLOCKING_PIPE, SOCKET, NONBLOCKING_SOCKET, STREAMS };

/* Only the library's end may refuse to block; the test's threads just wait. */
static void open_stream(int kind, int ends[2], int library_end)
{
    if (kind == PIPE || kind == NONBLOCKING_PIPE)
        MUST(pipe(ends) == 0);
    else
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    int fd = ends[library_end];
    if (kind == NONBLOCKING_PIPE || kind == NONBLOCKING_SOCKET)
        MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

static int flags_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    MUST(flags >= 0);
    return flags;
}

static void add_from(int fd, uint64_t size, const void *data, size_t len)
{
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    int           flags = flags_of(fd);
    if (OK(gs_add_fd(store, "image", size, fd, NULL, &image, ERR))) {
        gs_image_get_info(image, &info);
        CHECK_SIZE(len, info.size);
        check_image(store, info.uri, data, len);
        OK(gs_delete(store, info.uri, NULL, ERR));
        gs_image_free(image);
    }
    CHECK_INT(flags, flags_of(fd));
    CHECK_STR("", listing(dir));
    /* It stands behind what was read, as after read(2). */
    off_t position = lseek(fd, 0, SEEK_CUR);
    if (position >= 0)
        CHECK_INT(lseek(fd, 0, SEEK_END), position);
}

static void add_from_file(const uint8_t *data, size_t len)
{
    const char *path = text("%s/source", scratch);
    write_file(path, data, len);
    for (int known = 0; known < 2; known++) {
        const size_t starts[] = { 0, 1, len / 2, len };
        for (size_t i = 0; i < 4; i++) {
            size_t start = starts[i] > len ? len : starts[i];
            int    fd = open(path, O_RDONLY);
            check_context("add %zu bytes from position %zu of a file, size %s", len, start, known ? "known" : "unknown");
            MUST(fd >= 0 && lseek(fd, (off_t)start, SEEK_SET) == (off_t)start);
            add_from(fd, known ? len - start : GS_SIZE_UNKNOWN, data + start, len - start);
            close(fd);
        }
    }
    unlink(path);
}

static void add_from_stream(const uint8_t *data, size_t len)
{
    for (int kind = 0; kind < STREAMS; kind++)
        for (int known = 0; known < 2; known++) {
            int           ends[2];
            struct feeder feeder;
            check_context("add %zu bytes from stream kind %d, size %s", len, kind, known ? "known" : "unknown");
            open_stream(kind, ends, 0);
            feeder_start(&feeder, ends[1], data, len);
            add_from(ends[0], known ? len : GS_SIZE_UNKNOWN, data, len);
            feeder_join(&feeder);
            close(ends[0]);
        }
}

static void get_into_file(const char *uri, const uint8_t *data, size_t len)
{
    static const char prefix[] = "what was before";
    static const struct { const char *name; int flags; off_t position; size_t keeps; } targets[] = {
        { "a new file", O_RDWR, 0, 0 },
        { "a position within a file", O_RDWR, 5, 5 },
        { "a position behind the end", O_WRONLY, sizeof prefix + 100, sizeof prefix + 100 },
        { "a file open for appending", O_WRONLY | O_APPEND, 0, sizeof prefix },
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const char *path = text("%s/target", scratch);
        size_t      keeps = targets[i].keeps, got_len;
        check_context("get %zu bytes into %s", len, targets[i].name);
        write_file(path, prefix, i == 0 ? 0 : sizeof prefix);

        uint8_t *expected = calloc(1, len + keeps + sizeof prefix);
        size_t   expected_len = len + keeps;
        MUST(expected != NULL);
        memcpy(expected, prefix, i == 0 ? 0 : sizeof prefix);
        memcpy(expected + keeps, data, len);
        if (i == 1 && expected_len < sizeof prefix)
            expected_len = sizeof prefix;
        if (i == 2 && len == 0)
            expected_len = sizeof prefix;

        int fd = open(path, targets[i].flags);
        MUST(fd >= 0 && lseek(fd, targets[i].position, SEEK_SET) >= 0);
        int flags = flags_of(fd);
        OK(gs_get_fd(store, uri, fd, NULL, ERR));
        CHECK_INT(flags, flags_of(fd));
        uint8_t *got = read_file(path, &got_len);
        CHECK_BYTES(expected, expected_len, got, got_len);
        free(got);
        free(expected);
        close(fd);
        unlink(path);
    }
}

/* As with write(2), the next one continues where this one ended. */
static void get_twice(const char *uri, const uint8_t *data, size_t len)
{
    const char *path = text("%s/twice", scratch);
    size_t      got_len;
    int         fd = open(path, O_RDWR | O_CREAT, 0600);
    check_context("get %zu bytes twice into one file", len);
    MUST(fd >= 0);
    OK(gs_get_fd(store, uri, fd, NULL, ERR));
    OK(gs_get_fd(store, uri, fd, NULL, ERR));
    CHECK_INT((off_t)(2 * len), lseek(fd, 0, SEEK_CUR));
    uint8_t *got = read_file(path, &got_len);
    CHECK_SIZE(2 * len, got_len);
    if (got_len == 2 * len) {
        CHECK_BYTES(data, len, got, len);
        CHECK_BYTES(data, len, got + len, len);
    }
    free(got);
    close(fd);
    unlink(path);
}

static void get_into_stream(const char *uri, const uint8_t *data, size_t len)
{
    for (int kind = 0; kind < STREAMS; kind++) {
        int          ends[2];
        struct drain drain;
        check_context("get %zu bytes into stream kind %d", len, kind);
        open_stream(kind, ends, 1);
        drain_start(&drain, ends[0]);
        int flags = flags_of(ends[1]);
        OK(gs_get_fd(store, uri, ends[1], NULL, ERR));
        CHECK_INT(flags, flags_of(ends[1]));
        close(ends[1]);
        drain_join(&drain);
        CHECK_BYTES(data, len, drain.data, drain.len);
        free(drain.data);
        close(ends[0]);
    }
}

/* Also after a failure it stands behind what was read: the promise and one byte. */
static void position_after_failure(const uint8_t *data, size_t len)
{
    const char *path = text("%s/source", scratch);
    gs_image   *image = NULL;
    check_context("position after GS_SIZE_MISMATCH");
    write_file(path, data, len);
    int fd = open(path, O_RDONLY);
    MUST(fd >= 0 && lseek(fd, 100, SEEK_SET) == 100);
    FAILS(GS_SIZE_MISMATCH, gs_add_fd(store, "new", 1000, fd, NULL, &image, ERR));
    CHECK_INT(1101, lseek(fd, 0, SEEK_CUR));
    close(fd);
    unlink(path);
}

static void wrong_descriptors(const char *uri)
{
    gs_image *image = NULL;
    int       directory = open(scratch, O_RDONLY | O_DIRECTORY);
    int       write_only = open(text("%s/w", scratch), O_WRONLY | O_CREAT, 0600);
    int       read_only = open(text("%s/w", scratch), O_RDONLY);
    int       closed = dup(read_only);
    MUST(directory >= 0 && write_only >= 0 && read_only >= 0 && close(closed) == 0);
    const char *before = listing(dir);
    check_context("descriptors of the wrong kind");

    FAILS(GS_INVALID, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, directory, NULL, &image, ERR));
    CHECK_INT(EISDIR, failure.errnum);
    FAILS(GS_INVALID, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, -1, NULL, &image, ERR));
    CHECK_HAS("fd", failure.message);
    FAILS(GS_INVALID, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, closed, NULL, &image, ERR));
    CHECK_INT(EBADF, failure.errnum);
    FAILS(GS_INVALID, gs_add_fd(store, "new", GS_SIZE_UNKNOWN, write_only, NULL, &image, ERR));
    CHECK_INT(EBADF, failure.errnum);
    CHECK(image == NULL);

    FAILS(GS_INVALID, gs_get_fd(store, uri, -1, NULL, ERR));
    CHECK_HAS("fd", failure.message);
    FAILS(GS_INVALID, gs_get_fd(store, uri, closed, NULL, ERR));
    CHECK_INT(EBADF, failure.errnum);
    FAILS(GS_INVALID, gs_get_fd(store, uri, read_only, NULL, ERR));
    CHECK_INT(EBADF, failure.errnum);
    CHECK(RETURNS(gs_get_fd(store, uri, directory, NULL, ERR)) != GS_OK);

    CHECK_STR(before, listing(dir));
    close(directory);
    close(write_only);
    close(read_only);
}

/* /dev/null is an empty source and takes everything. */
static void null_device(const char *uri)
{
    int fd = open("/dev/null", O_RDWR);
    gs_image *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    check_context("/dev/null");
    MUST(fd >= 0);
    OK(gs_get_fd(store, uri, fd, NULL, ERR));
    if (OK(gs_add_fd(store, "nothing", 0, fd, NULL, &image, ERR))) {
        gs_image_get_info(image, &info);
        CHECK_SIZE(0, info.size);
        OK(gs_delete(store, info.uri, NULL, ERR));
        gs_image_free(image);
    }
    close(fd);
}

int main(void)
{
    static const size_t sizes[] = { 0, 1, 4095, 64 * KiB, 64 * KiB + 1, MiB - 1, 3 * MiB + 5 };
    dir = new_dir();
    scratch = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);

    for (size_t i = 0; i < (small_run() ? 5 : 7); i++) {
        uint8_t *data = new_data(sizes[i], RANDOM_DATA);
        add_from_file(data, sizes[i]);
        add_from_stream(data, sizes[i]);
        const char *uri = add_bytes(store, "image", data, sizes[i]);
        get_into_file(uri, data, sizes[i]);
        get_twice(uri, data, sizes[i]);
        get_into_stream(uri, data, sizes[i]);
        OK(gs_delete(store, uri, NULL, ERR));
        if (sizes[i] > 2000)
            position_after_failure(data, sizes[i]);
        free(data);
    }
    const char *uri = add_bytes(store, "image", "abc", 3);
    wrong_descriptors(uri);
    null_device(uri);
    gs_registry_free(reg);
    return check_result();
}
