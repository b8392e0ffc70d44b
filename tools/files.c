/* files.c - where an image comes from, and the file it goes to whole or not at all. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

enum { NEW_FILE_MODE = 0666 };

int random_uuid(struct uuid *uuid)
{
    unsigned char bytes[16];
    char *text = uuid->text;

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return fail_errno("random image id");
    bytes[6] = (bytes[6] & 0x0f) | 0x40; /* version 4 */
    bytes[8] = (bytes[8] & 0x3f) | 0x80; /* variant of RFC 9562 */
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        text += sprintf(text, "%02x", bytes[i]);
    }
    return EXIT_DONE;
}

/* ---- Source ------------------------------------------------------------ */

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

static uint64_t size_ahead(int fd, const struct stat *status)
{
    uint64_t size = (uint64_t)status->st_size;
    off_t position = lseek(fd, 0, SEEK_CUR);

    if (S_ISBLK(status->st_mode) ? ioctl(fd, BLKGETSIZE64, &size) != 0 : !S_ISREG(status->st_mode))
        return GS_SIZE_UNKNOWN;
    if (position < 0)
        return GS_SIZE_UNKNOWN;
    return (uint64_t)position < size ? size - (uint64_t)position : 0;
}

int source_open(struct source *source, const char *path)
{
    struct stat status;
    const char *name = is_standard(path) ? "standard input" : path;
    int code;

    source->fd = is_standard(path) ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0)
        return fail_errno(name);
    if (fstat(source->fd, &status) != 0) {
        code = fail_errno(name);
        source_close(source);
        return code;
    }
    if (S_ISDIR(status.st_mode)) {
        source_close(source);
        return fail(EXIT_USAGE, "%s: is a directory; name an image file or '-'", name);
    }
    source->size = size_ahead(source->fd, &status);
    return EXIT_DONE;
}

void source_close(struct source *source)
{
    if (source->fd > STDERR_FILENO)
        close(source->fd);
}

/* ---- Sink -------------------------------------------------------------- */

static int fail_exists(const char *path)
{
    return fail(EXIT_EXISTS, "%s: exists already; --force replaces it", path);
}

/* "dir/.glance-store-UUID.part": beside the final file, so that a rename is enough. */
static int name_part(struct sink *sink)
{
    const char *slash = strrchr(sink->path, '/');
    int directory = slash == NULL ? 0 : (int)(slash - sink->path) + 1;
    struct uuid uuid;
    int length, code = random_uuid(&uuid);

    if (code != EXIT_DONE)
        return code;
    length = snprintf(sink->part, sizeof sink->part, "%.*s.glance-store-%s.part", directory, sink->path, uuid.text);
    if (length < (int)sizeof sink->part)
        return EXIT_DONE;
    errno = ENAMETOOLONG;
    return fail_errno(sink->path);
}

/* An unnamed file vanishes by itself even when the process is killed. */
static int open_unnamed(const char *path)
{
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX];

    if (slash == NULL)
        return open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, NEW_FILE_MODE);
    if (snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path) >= (int)sizeof directory) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, NEW_FILE_MODE);
}

static int open_new(struct sink *sink)
{
    int code;

    sink->fd = open_unnamed(sink->path);
    if (sink->fd >= 0)
        return EXIT_DONE;
    if (errno != EOPNOTSUPP && errno != EISDIR)
        return fail_errno(sink->path);
    code = name_part(sink);
    if (code != EXIT_DONE)
        return code;
    sink->fd = open(sink->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, NEW_FILE_MODE);
    if (sink->fd >= 0)
        return EXIT_DONE;
    sink->part[0] = '\0';
    return fail_errno(sink->path);
}

static int open_standard_output(struct sink *sink)
{
    if (isatty(STDOUT_FILENO) && !sink->replace)
        return fail(EXIT_USAGE, "an image would garble this terminal; redirect the output, or use --force");
    sink->direct = true;
    sink->fd = STDOUT_FILENO;
    return EXIT_DONE;
}

int sink_open(struct sink *sink, const char *path, bool replace)
{
    struct stat status;

    *sink = (struct sink){.path = path, .replace = replace, .fd = -1};
    if (is_standard(path))
        return open_standard_output(sink);
    if (stat(path, &status) != 0)
        return open_new(sink);
    if (S_ISDIR(status.st_mode))
        return fail(EXIT_USAGE, "%s: is a directory; name a file in it", path);
    if ((S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) && !replace)
        return fail_exists(path);
    if (S_ISREG(status.st_mode))
        return open_new(sink);
    sink->direct = true;
    sink->fd = open(path, O_WRONLY | O_CLOEXEC);
    return sink->fd >= 0 ? EXIT_DONE : fail_errno(path);
}

static int give_name(struct sink *sink)
{
    char descriptor[64];
    int code = name_part(sink);

    if (code != EXIT_DONE)
        return code;
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", sink->fd);
    if (linkat(AT_FDCWD, descriptor, AT_FDCWD, sink->part, AT_SYMLINK_FOLLOW) == 0)
        return EXIT_DONE;
    sink->part[0] = '\0';
    return fail_errno(sink->path);
}

/* Without replacing: where the file system has no such rename (NFS), by a link. */
static int move_into_place(const struct sink *sink)
{
    if (sink->replace)
        return rename(sink->part, sink->path);
    if (renameat2(AT_FDCWD, sink->part, AT_FDCWD, sink->path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(sink->part, sink->path) != 0)
        return -1;
    return unlink(sink->part);
}

static int close_sink(struct sink *sink)
{
    int fd = sink->fd;

    sink->fd = -1;
    if (fd > STDERR_FILENO && close(fd) != 0)
        return fail_errno(sink->path);
    return EXIT_DONE;
}

/* Closed before it gets its final name: some file systems report lost writes there. */
static int publish(struct sink *sink)
{
    int code = sink->part[0] == '\0' ? give_name(sink) : EXIT_DONE;

    if (code == EXIT_DONE)
        code = close_sink(sink);
    if (code != EXIT_DONE)
        return code;
    if (move_into_place(sink) != 0)
        return errno == EEXIST ? fail_exists(sink->path) : fail_errno(sink->path);
    sink->part[0] = '\0';
    return EXIT_DONE;
}

int sink_commit(struct sink *sink)
{
    int code = sink->direct ? close_sink(sink) : publish(sink);

    if (code != EXIT_DONE)
        sink_abandon(sink);
    return code;
}

void sink_abandon(struct sink *sink)
{
    if (sink->part[0] != '\0')
        unlink(sink->part);
    if (sink->fd > STDERR_FILENO)
        close(sink->fd);
}
