/* A store reads and deletes below its data directories only: not through "..",
 * symbolic links, /proc, hosts or another store; and it names its files so that
 * every URI it gives leads back. */
#include "testing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir, *outside;
static gs_store   *store;

/* Every operation that takes a URI gives this status; what it returns aside. */
static void refused_with(gs_store *by, const char *uri, gs_status want)
{
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    gs_image   *image = NULL;
    uint64_t    size;
    check_context("\"%.150s\"", uri);
    FAILS(want, gs_get(by, uri, sink_write, &sink, NULL, ERR));
    FAILS(want, gs_get_fd(by, uri, 1, NULL, ERR));
    FAILS(want, gs_get_size(by, uri, NULL, &size, ERR));
    FAILS(want, gs_reader_open(by, uri, NULL, &reader, ERR));
    FAILS(want, gs_examine(by, uri, NULL, &image, ERR));
    FAILS(want, gs_copy(by, "copied", by, uri, NULL, &image, ERR));
    CHECK_INT(0, sink.calls);
    CHECK(reader == NULL && image == NULL);
}

static void deletion_refused_with(gs_store *by, const char *uri, gs_status want)
{
    check_context("\"%.150s\"", uri);
    FAILS(want, gs_delete(by, uri, NULL, ERR));
}

static void forbidden(const char *uri)
{
    refused_with(store, uri, GS_FORBIDDEN);
    deletion_refused_with(store, uri, GS_FORBIDDEN);
}

static void outside_paths(void)
{
    const char *other = strrchr(outside, '/') + 1;
    forbidden(text("file://%s/secret", outside));
    forbidden(text("filesystem://%s/secret", outside));
    forbidden(text("file://localhost%s/secret", outside));
    forbidden(text("file://%s/../%s/secret", dir, other));
    forbidden(text("file://%s/./../%s/secret", dir, other));
    forbidden(text("file://%s//..//%s//secret", dir, other));
    forbidden(text("file://%s/folder/../../%s/secret", dir, other));
    forbidden(text("file://%s/absent/../../%s/secret", dir, other));
    forbidden(text("file://%s/../../../../../../../../..%s/secret", dir, outside));
    forbidden(text("file://%s-sibling/secret", dir));
    forbidden("file:///etc/hostname");
    forbidden("file:///");
    forbidden("file:///dev/zero");
    forbidden("file:///proc/self/environ");
    forbidden(text("file:///proc/self/cwd/../..%s/secret", outside));
    forbidden(text("file:///proc/self/root%s/secret", outside));
    forbidden(text("file:///proc/self/root%s/image", dir));
    int secret = open(text("%s/secret", outside), O_RDONLY);
    MUST(secret >= 0);
    forbidden(text("file:///proc/self/fd/%d", secret));
    forbidden(text("file:///dev/fd/%d", secret));
    close(secret);
    /* Percent signs are plain characters of a path, not a way to write dots. */
    refused_with(store, text("file://%s/%%2e%%2e/%s/secret", dir, other), GS_NOT_FOUND);
    refused_with(store, text("file://%s/..%%2f%s", dir, other), GS_NOT_FOUND);
    /* Inside all the same. */
    check_context("paths that go round and stay inside");
    check_image(store, text("file:///%s/image", dir), "inside", 6);
    check_image(store, text("file://%s//image", dir), "inside", 6);
}

/* Links that lead out are not followed; deleting one never hurts its target. */
static void links(void)
{
    static const char *const names[] = { "to-file", "to-relative", "to-proc", "to-device", "chain" };
    int secret = open(text("%s/secret", outside), O_RDONLY);
    MUST(secret >= 0);
    MUST(symlink(text("%s/secret", outside), text("%s/to-file", dir)) == 0);
    MUST(symlink(text("../%s/secret", strrchr(outside, '/') + 1), text("%s/to-relative", dir)) == 0);
    MUST(symlink(text("/proc/self/fd/%d", secret), text("%s/to-proc", dir)) == 0);
    MUST(symlink("/dev/zero", text("%s/to-device", dir)) == 0);
    MUST(symlink("to-file", text("%s/chain", dir)) == 0);
    MUST(symlink(outside, text("%s/to-folder", dir)) == 0);
    MUST(symlink("/proc/self/root", text("%s/to-root", dir)) == 0);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        refused_with(store, text("file://%s/%s", dir, names[i]), GS_FORBIDDEN);
    forbidden(text("file://%s/to-folder/secret", dir));
    forbidden(text("file://%s/to-folder/absent", dir));
    forbidden(text("file://%s/to-root%s/secret", dir, outside));
    close(secret);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_context("delete of the link %s", names[i]);
        gs_status status = RETURNS(gs_delete(store, text("file://%s/%s", dir, names[i]), NULL, ERR));
        CHECK(status == GS_OK || status == GS_FORBIDDEN);
        if (status != GS_OK)
            MUST(unlink(text("%s/%s", dir, names[i])) == 0);
        CHECK(!exists(text("%s/%s", dir, names[i])));
    }
    MUST(unlink(text("%s/to-folder", dir)) == 0);
    MUST(unlink(text("%s/to-root", dir)) == 0);

    check_context("delete of a link that stays inside");
    MUST(symlink("image", text("%s/inside", dir)) == 0);
    OK(gs_delete(store, text("file://%s/inside", dir), NULL, ERR));
    CHECK(!exists(text("%s/inside", dir)));
    check_image(store, text("file://%s/image", dir), "inside", 6);
}

/* What is no regular file is refused at once, without waiting for a writer. */
static void special_files(void)
{
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    MUST(mkfifo(text("%s/fifo", dir), 0600) == 0);
    MUST(mkdir(text("%s/folder", dir), 0700) == 0);
    const char *const uris[] = {
        text("file://%s/fifo", dir), text("file://%s/folder", dir), text("file://%s", dir), text("file://%s/", dir), text("file://%s/.", dir),
    };
    for (size_t i = 0; i < sizeof uris / sizeof *uris; i++) {
        check_context("%s", uris[i]);
        CHECK(RETURNS(gs_get(store, uris[i], sink_write, &sink, NULL, ERR)) != GS_OK);
        CHECK(RETURNS(gs_get_fd(store, uris[i], 1, NULL, ERR)) != GS_OK);
        CHECK(RETURNS(gs_reader_open(store, uris[i], NULL, &reader, ERR)) != GS_OK);
    }
    for (size_t i = 1; i < sizeof uris / sizeof *uris; i++)
        deletion_refused_with(store, uris[i], GS_FORBIDDEN);
    CHECK_INT(0, sink.calls);
    MUST(unlink(text("%s/fifo", dir)) == 0);
    MUST(rmdir(text("%s/folder", dir)) == 0);
}

static void other_stores(void)
{
    const char  *fast_dir = new_dir(), *cheap_dir = new_dir();
    gs_registry *reg = two_file_stores(fast_dir, cheap_dir);
    gs_store    *fast = gs_registry_get(reg, "fast"), *cheap = gs_registry_get(reg, "cheap");
    const char  *uri = add_bytes(fast, "image", "abc", 3);
    refused_with(cheap, uri, GS_FORBIDDEN);
    deletion_refused_with(cheap, uri, GS_FORBIDDEN);
    check_context("the store that it belongs to");
    check_image(fast, uri, "abc", 3);
    gs_registry_free(reg);
}

/* Directories that are allowed for reading and deleting, not for adding. */
static void allowed_dirs(void)
{
    const char  *main_dir = new_dir(), *former = new_dir(), *older = new_dir();
    gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", "file" },
                                            { "glance_store", "filesystem_store_datadir", main_dir },
                                            { "glance_store", "filesystem_store_allowed_dirs", text("%s\n%s", former, older) }));
    check_context("filesystem_store_allowed_dirs");
    write_file(text("%s/image", former), "former", 6);
    write_file(text("%s/image", older), "older", 5);
    check_image(default_store(reg), text("file://%s/image", former), "former", 6);
    check_image(default_store(reg), text("file://%s/image", older), "older", 5);
    OK(gs_delete(default_store(reg), text("file://%s/image", former), NULL, ERR));
    CHECK_STR("", listing(former));
    CHECK_STR(text("file://%s/new", main_dir), add_bytes(default_store(reg), "new", "abc", 3));
    refused_with(default_store(reg), text("file://%s/secret", outside), GS_FORBIDDEN);
    gs_registry_free(reg);
}

/* ---- Names --------------------------------------------------------------- */

static void bad_ids(void)
{
    const char *const ids[] = {
        "", ".", "..", "/", "a/b", "/a", "a/", "../a", "a/../b", "/etc/passwd", text("%s/x", outside),
        "a\nb", "a\rb", "a\tb", "\x01", "a\x7f", "a?b", "a#b", "?", "#", " a", "a ", " ", "\ta", "a\n", repeated('a', 256), repeated('a', 5000),
    };
    const char *before = listing(dir);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
        gs_image     *image = NULL;
        check_context("id \"%.40s\"", ids[i]);
        FAILS(GS_INVALID, gs_add(store, ids[i], 3, source_read, &source, NULL, &image, ERR));
        CHECK_HAS("image id", failure.message);
        FAILS(GS_INVALID, gs_add_fd(store, ids[i], 0, 0, NULL, &image, ERR));
        FAILS(GS_INVALID, gs_copy(store, ids[i], store, text("file://%s/image", dir), NULL, &image, ERR));
        CHECK_INT(0, source.calls);
        CHECK(image == NULL);
        CHECK_STR(before, listing(dir));
    }
}

static void odd_ids(void)
{
    const char *const ids[] = {
        "a b", "a%20b", "%2e%2e", "...", "..a", ".hidden", "-rf", "--help", "~", "*", "a;b=c", "a:b", "a\\b", "a'b\"c", "$HOME", "a&b",
        "CON", "\xc3\xa9\xe5\x9b\xbe", "1b2c3d4e-0000-4000-8000-0123456789ab", repeated('a', 255), ".gs-0123456789abcdef.part", ".gs-image",
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
        gs_image     *image = NULL;
        check_context("id \"%.40s\"", ids[i]);
        gs_status status = RETURNS(gs_add(store, ids[i], 3, source_read, &source, NULL, &image, ERR));
        /* Names that the driver keeps for itself are refused, never lost. */
        CHECK(status == GS_OK || (status == GS_INVALID && strncmp(ids[i], ".gs-", 4) == 0));
        if (status != GS_OK)
            continue;
        gs_image_info info = GS_IMAGE_INFO_INIT;
        gs_image_get_info(image, &info);
        CHECK_STR(text("file://%s/%s", dir, ids[i]), info.uri);
        gs_registry_free(file_registry(dir));
        check_image(store, info.uri, "abc", 3);
        OK(gs_delete(store, info.uri, NULL, ERR));
        gs_image_free(image);
    }
}

/* A directory whose name a URI cannot carry is refused for adding; from every
 * other one the URI leads back. */
static void odd_directories(void)
{
    static const char *const names[] = { "a b", "a%20b", "a;b", "\xc3\xa9", "a:b", "a?b", "a#b", "trailing ", " leading", "a\nb" };
    const char *root = new_dir();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gs_store_info info = GS_STORE_INFO_INIT;
        check_context("data directory \"%s\"", names[i]);
        gs_registry *reg = file_registry(text("%s/%s", root, names[i]));
        gs_store_get_info(default_store(reg), &info);
        if (!info.add_disabled) {
            const char *uri = add_bytes(default_store(reg), "image", "abc", 3);
            check_image(default_store(reg), uri, "abc", 3);
            OK(gs_delete(default_store(reg), uri, NULL, ERR));
        }
        CHECK(!info.add_disabled || strpbrk(names[i], "?#\n") || *names[i] == ' ' || names[i][strlen(names[i]) - 1] == ' ');
        gs_registry_free(reg);
    }

    check_context("a data directory that is a link");
    MUST(mkdir(text("%s/real", root), 0755) == 0 && symlink("real", text("%s/link", root)) == 0);
    gs_registry *reg = file_registry(text("%s/link", root));
    const char  *uri = add_bytes(default_store(reg), "image", "abc", 3);
    CHECK_STR(text("file://%s/link/image", root), uri);
    check_image(default_store(reg), uri, "abc", 3);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    gs_registry_free(reg);

    check_context("a data directory with a slash at its end");
    reg = file_registry(text("%s/real/", root));
    uri = add_bytes(default_store(reg), "image", "abc", 3);
    check_image(default_store(reg), uri, "abc", 3);
    CHECK(exists(text("%s/real/image", root)));
    gs_registry_free(reg);
}

int main(void)
{
    dir = new_dir();
    outside = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    add_bytes(store, "image", "inside", 6);
    write_file(text("%s/secret", outside), "secret", 6);
    const char *before = listing(dir);

    outside_paths();
    links();
    special_files();
    other_stores();
    allowed_dirs();
    bad_ids();
    odd_ids();
    odd_directories();

    check_context("afterwards");
    CHECK_STR(before, listing(dir));
    size_t len;
    char  *secret = read_file(text("%s/secret", outside), &len);
    CHECK_BYTES("secret", 6, secret, len);
    free(secret);
    gs_registry_free(reg);
    return check_result();
}
