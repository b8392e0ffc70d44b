/* Wrong configuration fails whole, when the registry is opened at the latest,
 * with GS_BAD_CONFIG and a message that says file, line, group, key, value and
 * the nearest name that exists. */
#include "testing.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir, *path;

/* Loads and opens; the first failure. */
static gs_status open_text(const char *content)
{
    gs_config   *cfg = gs_config_new();
    gs_registry *reg = NULL;
    write_file(path, content, strlen(content));
    gs_status status = RETURNS(gs_config_load(cfg, path, ERR));
    if (status == GS_OK)
        status = RETURNS(gs_registry_open(cfg, &reg, ERR));
    gs_registry_free(reg);
    gs_config_free(cfg);
    return status;
}

/* Line 1 is [DEFAULT], line 8 the first of the sample, in group [fast]. */
static void in_a_store(void)
{
    static const struct { const char *lines; int line; const char *parts[3]; } rows[] = {
        { "filesystem_store_datadri = /x", 8, { "fast", "filesystem_store_datadri", "filesystem_store_datadir" } },
        { "\n\nfilesystem_store_fileperm = 640", 10, { "fast", "filesystem_store_fileperm", "filesystem_store_file_perm" } },
        { "FILESYSTEM_STORE_CHUNK_SIZE = 1", 8, { "FILESYSTEM_STORE_CHUNK_SIZE", "filesystem_store_chunk_size", "" } },
        { "store-description = x", 8, { "store-description", "store_description", "" } },
        { "utterly_unknown_zzz = 1", 8, { "utterly_unknown_zzz", "fast", "" } },
        { "weight = heavy", 8, { "fast", "weight", "heavy" } },
        { "weight = 99999999999", 8, { "weight", "99999999999", "" } },
        { "weight = 1.5", 8, { "weight", "1.5", "" } },
        { "weight = 0x10", 8, { "weight", "0x10", "" } },
        { "filesystem_thin_provisioning = maybe", 8, { "filesystem_thin_provisioning", "maybe", "true" } },
        { "filesystem_thin_provisioning = 2", 8, { "filesystem_thin_provisioning", "2", "" } },
        { "filesystem_store_chunk_size = 0", 8, { "filesystem_store_chunk_size", "0", "1" } },
        { "filesystem_store_chunk_size = -1", 8, { "filesystem_store_chunk_size", "-1", "" } },
        { "filesystem_store_file_perm = rw", 8, { "filesystem_store_file_perm", "rw", "" } },
        { "filesystem_store_timeout = -1", 8, { "filesystem_store_timeout", "-1", "" } },
        { "filesystem_store_thread_pool_size = 0", 8, { "filesystem_store_thread_pool_size", "0", "" } },
        { "filesystem_store_threadpool_threshold = 101", 8, { "filesystem_store_threadpool_threshold", "101", "100" } },
        { "transfer_memory = 7", 8, { "transfer_memory", "7", "8" } },
        { "transfer_memory = lots", 8, { "transfer_memory", "lots", "" } },
        { "store_description = $nonesuch", 8, { "store_description", "nonesuch", "" } },
        { "store_description = ${foreign.nonesuch}", 8, { "store_description", "foreign.nonesuch", "" } },
        { "store_description = $store_description", 8, { "store_description", "", "" } },
        { "no assignment here", 8, { "", "", "" } },
        { "= no key", 8, { "", "", "" } },
        { "[unclosed", 8, { "", "", "" } },
        { "[ fast ]\nweight = 1", 8, { "", "", "" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("\"%s\"", rows[i].lines);
        gs_status status = open_text(text("[DEFAULT]\nenabled_backends = fast:file\n[glance_store]\ndefault_backend = fast\n"
                                          "[fast]\n# the seventh line has the directory\n"
                                          "filesystem_store_datadir = %s\n%s\n", dir, rows[i].lines));
        CHECK_STR("GS_BAD_CONFIG", status_name(status));
        CHECK_STR("BadStoreConfiguration", failure.name);
        CHECK_HAS(text("%s:%d", path, rows[i].line), failure.message);
        for (int j = 0; j < 3; j++)
            CHECK_HAS(rows[i].parts[j], failure.message);
    }
}

static void elsewhere(void)
{
    static const struct { const char *content; const char *parts[3]; } rows[] = {
        { "key = before any group\n", { ":1", "", "" } },
        { "  continuation of nothing\n", { ":1", "", "" } },
        { "[DEFAULT]\nenabled_backends = fast:fiel\n[fast]\n", { "fiel", "file", "fast" } },
        { "[DEFAULT]\nenabled_backends = fast\n[fast]\n", { "enabled_backends", "fast", ":2" } },
        { "[DEFAULT]\nenabled_backends = fast:file,\n", { "enabled_backends", ":2", "" } },
        { "[DEFAULT]\nenabled_backends = :file\n", { "enabled_backends", ":2", "" } },
        { "[DEFAULT]\nenabled_backends = fast:\n", { "fast", "", "" } },
        { "[DEFAULT]\nenabled_backends = fast:file, fast:file\n", { "enabled_backends", "fast", ":2" } },
        { "[DEFAULT]\nenabled_backends = fast:file;slow:file\n", { "file;slow:file", "", "" } },
        { "[glance_store]\nstores = fiel\n", { "fiel", "file", "" } },
        { "[glance_store]\nstores = file\ndefault_store = bogus\n", { "default_store", "bogus", ":3" } },
        { "[glance_store]\nstores = file\ndefault_store = rbd\n", { "rbd", "", "" } },
        { "[DEFAULT]\nenabled_backends = fast:file\n[glance_store]\ndefault_backend = fasst\n", { "default_backend", "fasst", "fast" } },
        { "[DEFAULT]\nenabled_backends = fast:file\n[glance_store]\ndefault_backnd = fast\n", { "default_backnd", "default_backend", ":4" } },
        { "[DEFAULT]\nenabled_backends = fast:file\n[backend_defaults]\nfilesystem_store_datadirx = /x\n",
          { "backend_defaults", "filesystem_store_datadirx", ":4" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("\"%s\"", rows[i].content);
        CHECK_STR("GS_BAD_CONFIG", status_name(open_text(rows[i].content)));
        for (int j = 0; j < 3; j++)
            CHECK_HAS(rows[i].parts[j], failure.message);
    }
    check_context("bytes that are not UTF-8 in a file");
    CHECK_STR("GS_BAD_CONFIG", status_name(open_text("[DEFAULT]\ndebug = \xff\n")));
    CHECK_HAS(":2", failure.message);
}

/* Keys that belong to others are left alone: foreign groups, glance's own keys
 * in [DEFAULT], options of drivers that are not enabled. */
static void foreign_keys(void)
{
    check_context("foreign keys");
    gs_status status = open_text(text("[DEFAULT]\nenabled_backends = fast:file\ndebug = true\nanything_at_all = 1\n"
                                      "[glance_store]\ndefault_backend = fast\nrbd_store_pool = images\n"
                                      "[fast]\nfilesystem_store_datadir = %s\nswift_store_auth_address = http://x\n"
                                      "[slow]\nfilesystem_store_datadri = typo of a store that is not enabled\n"
                                      "[database]\nconnection = mysql://u:p@h/d\n", dir));
    CHECK_STR("GS_OK", status_name(status));
}

static void files(void)
{
    gs_config  *cfg = gs_config_new();
    const char *missing = text("%s/missing.conf", dir);
    check_context("files that cannot be read");
    FAILS(GS_BAD_CONFIG, gs_config_load(cfg, missing, ERR));
    CHECK_HAS(missing, failure.message);
    CHECK_INT(ENOENT, failure.errnum);
    FAILS(GS_BAD_CONFIG, gs_config_load(cfg, dir, ERR));
    CHECK_HAS(dir, failure.message);
    CHECK_INT(EISDIR, failure.errnum);
    gs_config_free(cfg);
}

/* A value that a call has set is named by group and key. */
static void by_call(void)
{
    static const struct setting good[] = { { NULL, "enabled_backends", "fast:file" }, { "glance_store", "default_backend", "fast" } };
    check_context("gs_config_set");
    gs_status status = try_open(SETTINGS(good[0], good[1], { "fast", "filesystem_store_datadir", dir },
                                         { "fast", "filesystem_store_chunk_size", "many" }));
    CHECK_STR("GS_BAD_CONFIG", status_name(status));
    CHECK_HAS("fast", failure.message);
    CHECK_HAS("filesystem_store_chunk_size", failure.message);
    CHECK_HAS("many", failure.message);
    CHECK_STR("GS_BAD_CONFIG", status_name(try_open(SETTINGS(good[0], good[1], { "fast", "wieght", "1" }))));
    CHECK_HAS("wieght", failure.message);
    CHECK_HAS("weight", failure.message);
}

/* Drivers of glance_store that are not built in are told apart from typos. */
static void missing_drivers(void)
{
    static const char *const drivers[] = { "rbd", "swift", "s3", "cinder", "vmware" };
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        if (gs_has(text("driver:%s", drivers[i])))
            continue;
        check_context("driver %s", drivers[i]);
        gs_status status = try_open(SETTINGS({ NULL, "enabled_backends", text("fast:file, far:%s", drivers[i]) },
                                             { "fast", "filesystem_store_datadir", dir }));
        CHECK_STR("GS_DRIVER_UNAVAILABLE", status_name(status));
        CHECK_HAS(drivers[i], failure.message);
    }
}

/* A failed load or open leaves the configuration usable. */
static void after_a_failure(void)
{
    gs_config   *cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                                          { "glance_store", "filesystem_store_datadir", dir },
                                          { "glance_store", "filesystem_store_chunk_size", "0" }));
    gs_registry *reg = NULL;
    check_context("after a failure");
    FAILS(GS_BAD_CONFIG, gs_registry_open(cfg, &reg, ERR));
    FAILS(GS_BAD_CONFIG, gs_config_load(cfg, text("%s/missing.conf", dir), ERR));
    OK(gs_config_set(cfg, "glance_store", "filesystem_store_chunk_size", "1", ERR));
    /* Of a file with an error nothing is taken, not even the lines before it. */
    const char *half = "[glance_store]\nfilesystem_store_chunk_size = 0\nno assignment here\n";
    write_file(path, half, strlen(half));
    FAILS(GS_BAD_CONFIG, gs_config_load(cfg, path, ERR));
    OK(gs_registry_open(cfg, &reg, ERR));
    gs_registry_free(reg);
    gs_config_free(cfg);
}

/* What fails to open has created nothing: no data directory either. */
static void nothing_created(void)
{
    const char *fresh = text("%s/fresh", dir);
    check_context("nothing created");
    gs_status status = try_open(SETTINGS({ NULL, "enabled_backends", "fast:file, slow:nonesuch" },
                                         { "fast", "filesystem_store_datadir", fresh }));
    CHECK_STR("GS_BAD_CONFIG", status_name(status));
    CHECK(!exists(fresh));
}

int main(void)
{
    dir = new_dir();
    path = text("%s/test.conf", new_dir());

    in_a_store();
    elsewhere();
    foreign_keys();
    files();
    by_call();
    missing_drivers();
    after_a_failure();
    nothing_created();
    return check_result();
}
