/* filesystem_store_datadirs: priorities, free space, and what cannot be such a
 * list. The directories are small tmpfs mounts, so that free space is known. */
#include "testing.h"

#include <string.h>
#include <sys/stat.h>

static gs_registry *with_dirs(const char *lines)
{
    return registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", "" },
                                { "glance_store", "filesystem_store_datadirs", lines }));
}

static const char *mounted(const char *size)
{
    const char *dir = new_dir();
    mount_tmpfs(dir, text("size=%s,mode=755", size));
    return dir;
}

/* Where an image of that size goes; NULL: nowhere. */
static void goes_to(const char *lines, size_t len, bool known, const char *dir)
{
    static uint8_t data[4 * MiB];
    gs_registry   *reg = with_dirs(lines);
    gs_store      *store = default_store(reg);
    struct source  source = { .data = data, .len = len };
    gs_image      *image = NULL;
    gs_image_info  info = GS_IMAGE_INFO_INIT;
    check_context("%zu bytes to\n%s", len, lines);
    gs_status status = RETURNS(gs_add(store, "image", known ? len : GS_SIZE_UNKNOWN, source_read, &source, NULL, &image, ERR));
    if (dir && CHECK_INT(GS_OK, status)) {
        gs_image_get_info(image, &info);
        CHECK_STR(text("file://%s/image", dir), info.uri);
        check_image(store, info.uri, data, len);
        OK(gs_delete(store, info.uri, NULL, ERR));
    }
    if (!dir) {
        CHECK_STR("GS_STORAGE_FULL", status_name(status));
        CHECK_STR("StorageFull", failure.name);
        CHECK_INT(0, source.calls);
    }
    gs_image_free(image);
    gs_registry_free(reg);
}

static void choosing(void)
{
    const char *small = mounted("1m"), *large = mounted("3m"), *twin = mounted("1m");
    goes_to(text("%s:100\n%s:200", small, large), 10, true, large);
    goes_to(text("%s:200\n%s:100", small, large), 10, true, small);
    goes_to(text("%s:-5\n%s", large, small), 10, true, small);
    goes_to(text("%s: 5 \n%s:+6", small, large), 10, true, large);
    goes_to(text("%s:1_0\n%s:9", small, large), 10, true, small);
    goes_to(text("  %s  \n%s", small, large), 10, true, large);
    goes_to(text("%s:\n%s:0", small, large), 10, true, large);
    /* Equal priorities: more free space; a tie: the first written. */
    goes_to(text("%s\n%s", small, large), 10, true, large);
    goes_to(text("%s\n%s", small, twin), 10, true, small);
    goes_to(text("%s\n%s", twin, small), 10, true, twin);
    /* Too small for the image: the next priority. */
    goes_to(text("%s:200\n%s:100", small, large), 2 * MiB, true, large);
    goes_to(text("%s:200\n%s:200\n%s:100", small, twin, large), 2 * MiB, true, large);
    goes_to(text("%s:200\n%s:100", small, large), 4 * MiB, true, NULL);
    goes_to(text("%s\n%s", small, twin), 2 * MiB, true, NULL);
    /* Exactly what is free is enough. */
    goes_to(text("%s:200\n%s:100", small, large), MiB, true, small);
    goes_to(text("%s:200\n%s:100", small, large), MiB + 1, true, large);
    /* An unknown size needs nothing beforehand. */
    goes_to(text("%s:200\n%s:100", small, large), 10, false, small);

    /* The same directory twice with one priority counts once. */
    goes_to(text("%s:100\n%s:200\n%s:100", small, large, small), 10, true, large);

    check_context("full directories");
    static uint8_t zeros[MiB];
    write_file(text("%s/filler", small), zeros, MiB);
    goes_to(text("%s:200\n%s:100", small, large), 0, true, large);
    goes_to(text("%s:200\n%s:100", small, large), 10, true, large);
    write_file(text("%s/filler", twin), zeros, MiB);
    goes_to(text("%s\n%s", small, twin), 0, true, NULL);
    goes_to(text("%s\n%s", small, twin), 10, false, NULL);
}

static void one_id_in_all(void)
{
    const char   *small = mounted("1m"), *large = mounted("3m");
    gs_registry  *reg = with_dirs(text("%s:200\n%s:100", small, large));
    gs_store     *store = default_store(reg);
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    check_context("an id that another data directory has already");
    write_file(text("%s/image", large), "there", 5);
    FAILS(GS_DUPLICATE, gs_add(store, "image", 3, source_read, &source, NULL, &image, ERR));
    check_image(store, text("file://%s/image", large), "there", 5);
    CHECK(!exists(text("%s/image", small)));
    gs_registry_free(reg);
}

static void refused(void)
{
    const char *dir = new_dir();
    const struct { const char *lines, *named; } lists[] = {
        { text("%s:abc", dir), "abc" }, { ":100", ":100" }, { "  ", "filesystem_store_datadirs" }, { text("%s:100\n:200", dir), ":200" },
        { text("%s:1.5", dir), "1.5" }, { text("%s:99999999999999999999", dir), "99999999999999999999" },
        { text("%s/a:100\n%s/b:200\n%s/a:300", dir, dir, dir), text("%s/a", dir) },
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        gs_store_info info = GS_STORE_INFO_INIT;
        check_context("datadirs %s", lists[i].lines);
        gs_registry *reg = with_dirs(lists[i].lines);
        gs_store_get_info(default_store(reg), &info);
        CHECK_HAS(lists[i].named, info.add_disabled);
        CHECK_INT(0x47, info.capabilities);
        gs_registry_free(reg);
    }

    check_context("datadir and datadirs");
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_registry  *reg = registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                             { "glance_store", "filesystem_store_datadirs", dir }));
    gs_store_get_info(default_store(reg), &info);
    CHECK_HAS("filesystem_store_datadirs", info.add_disabled);
    CHECK_HAS("filesystem_store_datadir", info.add_disabled);
    gs_registry_free(reg);
}

/* Missing directories are made, with their parents. */
static void created(void)
{
    const char  *root = new_dir();
    gs_registry *reg = with_dirs(text("%s/a/b/c:1\n%s/d:2", root, root));
    check_context("missing directories");
    CHECK(exists(text("%s/a/b/c", root)));
    CHECK_STR(text("file://%s/d/image", root), add_bytes(default_store(reg), "image", "abc", 3));
    gs_registry_free(reg);

    const char *single = text("%s/e/f", root);
    gs_registry_free(file_registry(single));
    CHECK(exists(single));
}

/* A colon in a path needs a priority behind it. */
static void path_with_colon(void)
{
    const char  *root = new_dir();
    check_context("a path with a colon");
    gs_registry *reg = with_dirs(text("%s/p:5:6", root));
    CHECK_STR(text("file://%s/p:5/image", root), add_bytes(default_store(reg), "image", "abc", 3));
    gs_registry_free(reg);
}

int main(void)
{
    refused();
    created();
    path_with_colon();
    choosing();
    one_id_in_all();
    return check_result();
}
