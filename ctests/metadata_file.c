/* filesystem_store_metadata_file: one object or an array of them; the first whose
 * mount point is a prefix of the image's path becomes the location's metadata. */
#include "testing.h"

#include <string.h>
#include <unistd.h>

static const char *dir, *path;

static gs_registry *with_metadata(const char *json)
{
    write_file(path, json, strlen(json));
    return registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                { "glance_store", "filesystem_store_metadata_file", path }));
}

static const char *metadata_of_add(gs_store *store)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    if (!OK(gs_add(store, "image", 3, source_read, &source, NULL, &image, ERR)))
        return "";
    gs_image_get_info(image, &info);
    const char *json = without_blanks(info.metadata_json);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
    return json;
}

static void accepted(void)
{
    const char *here = text("{\"id\": \"abcdefg\", \"mountpoint\": \"%s\"}", dir);
    const char *there = "{\"id\": \"xyz1234\", \"mountpoint\": \"/xyz\"}";
    const struct { const char *json; const char *parts[3]; } rows[] = {
        { here, { "\"id\":\"abcdefg\"", text("\"mountpoint\":\"%s\"", dir), "{" } },
        { text("[%s]", here), { "\"id\":\"abcdefg\"", "", "" } },
        { text("[%s, %s]", here, there), { "\"id\":\"abcdefg\"", "", "" } },
        { text("[%s, %s]", there, here), { "\"id\":\"abcdefg\"", "", "" } },
        { text("[{\"id\": \"first\", \"mountpoint\": \"/\"}, %s]", here), { "\"id\":\"first\"", "", "" } },
        { "{\"id\": \"a\", \"mountpoint\": \"/\", \"akey\": [\"value1\", \"value2\"]}", { "\"akey\":[\"value1\",\"value2\"]", "\"id\":\"a\"", "" } },
        { "{\"id\": \"a\", \"mountpoint\": \"/\", \"akey\": {\"b\": {\"c\": [\"d\", {\"e\": \"f\"}]}}}",
          { "\"akey\":{\"b\":{\"c\":[\"d\",{\"e\":\"f\"}]}}", "", "" } },
        { "{\"id\": \"caf\\u00e9 \\\"quoted\\\"\", \"mountpoint\": \"/\"}", { "\\\"quoted\\\"", "", "" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("%s", rows[i].json);
        gs_registry *reg = with_metadata(rows[i].json);
        const char  *json = metadata_of_add(default_store(reg));
        for (int j = 0; j < 3; j++)
            CHECK_HAS(without_blanks(rows[i].parts[j]), json);
        gs_registry_free(reg);
    }
}

static void none_matches(void)
{
    static const char *const files[] = {
        "[]", "{\"id\": \"a\", \"mountpoint\": \"/nowhere\"}", "[{\"id\": \"a\", \"mountpoint\": \"/nowhere\"}]",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        check_context("%s", files[i]);
        gs_registry *reg = with_metadata(files[i]);
        CHECK_STR("{}", metadata_of_add(default_store(reg)));
        gs_registry_free(reg);
    }
}

static void expect_refused(const char *file)
{
    gs_registry  *reg = registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                             { "glance_store", "filesystem_store_metadata_file", file }));
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(default_store(reg), &info);
    CHECK_HAS(file, info.add_disabled);
    CHECK_INT(0x47, info.capabilities);
    gs_registry_free(reg);
}

static void refused(void)
{
    static const char *const files[] = {
        "{}", "", "nonsense", "{\"id\": \"a\"}", "{\"mountpoint\": \"/tmp\"}", "{\"id\": 10, \"mountpoint\": \"/tmp\"}",
        "{\"id\": \"a\", \"mountpoint\": 12345}", "{\"id\": null, \"mountpoint\": \"/tmp\"}",
        "{\"id\": \"a\", \"mountpoint\": \"/tmp\", \"akey\": 10}", "{\"id\": \"a\", \"mountpoint\": \"/tmp\", \"akey\": true}",
        "{\"id\": \"a\", \"mountpoint\": \"/tmp\", \"akey\": null}", "{\"id\": \"a\", \"mountpoint\": \"/tmp\", \"akey\": [\"x\", 1]}",
        "{\"id\": \"a\", \"mountpoint\": \"/tmp\", \"akey\": {\"b\": {\"c\": 1.5}}}",
        "[{\"id\": \"a\", \"mountpoint\": \"/tmp\"}, {\"id\": \"b\"}]", "[{\"mountpoint\": \"/tmp\"}]", "[{}]",
        "[{\"id\": \"a\", \"mountpoint\": \"/tmp\"}, {\"id\": 10, \"mountpoint\": \"/tmp\"}]",
        "\"text\"", "12", "null", "true", "[1]", "[\"a\"]", "[[]]", "[{\"id\": \"a\", \"mountpoint\": \"/tmp\"}",
        "{\"id\": \"a\", \"mountpoint\": \"/tmp\"} trailing", "{\"id\": \"\xff\", \"mountpoint\": \"/tmp\"}",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        check_context("%s", files[i]);
        write_file(path, files[i], strlen(files[i]));
        expect_refused(path);
    }
    check_context("a metadata file that is missing or cannot be read");
    expect_refused(text("%s/missing.json", dir));
    expect_refused(dir);
    check_context("JSON nested without end");
    write_file(path, repeated('[', MiB), MiB);
    expect_refused(path);
}

/* Read once: what happens to the file later has no effect. */
static void read_once(void)
{
    check_context("the file changes after the registry has opened");
    gs_registry *reg = with_metadata("{\"id\": \"a\", \"mountpoint\": \"/\"}");
    write_file(path, "nonsense", 8);
    CHECK_HAS("\"id\":\"a\"", metadata_of_add(default_store(reg)));
    MUST(unlink(path) == 0);
    CHECK_HAS("\"id\":\"a\"", metadata_of_add(default_store(reg)));
    gs_registry_free(reg);
}

static void multi_mode(void)
{
    static const struct { const char *json, *metadata; } rows[] = {
        { "{\"id\": \"a\", \"mountpoint\": \"/nowhere\"}", "{\"store\":\"fast\"}" },
        { "{\"id\": \"a\", \"mountpoint\": \"/\"}", "\"store\":\"fast\"" },
        { "{\"id\": \"a\", \"mountpoint\": \"/\"}", "\"id\":\"a\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("multi mode, %s", rows[i].json);
        write_file(path, rows[i].json, strlen(rows[i].json));
        gs_registry *reg = registry_of(SETTINGS({ NULL, "enabled_backends", "fast:file" }, { "glance_store", "default_backend", "fast" },
                                                { "fast", "filesystem_store_datadir", dir },
                                                { "fast", "filesystem_store_metadata_file", path }));
        const char *json = metadata_of_add(default_store(reg));
        CHECK_HAS(rows[i].metadata, json);
        /* Adding does not change what the store remembers. */
        CHECK_STR(json, metadata_of_add(default_store(reg)));
        gs_registry_free(reg);
    }
}

int main(void)
{
    dir = new_dir();
    path = text("%s/metadata.json", new_dir());

    accepted();
    none_matches();
    refused();
    read_once();
    multi_mode();

    CHECK_STR("", listing(dir));
    return check_result();
}
