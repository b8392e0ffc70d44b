/* What a registry knows of its stores: single and multi mode, order, default,
 * reserved stores, descriptions, weights, capabilities, schemes, fallback to
 * [backend_defaults], and stores that are misconfigured for writing. */
#include "testing.h"

#include <string.h>
#include <sys/stat.h>

static gs_store_info info_of(const gs_store *store)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    if (CHECK(store != NULL))
        gs_store_get_info(store, &info);
    return info;
}

static void check_file_store(const gs_store_info *info)
{
    CHECK_STR("file", info->driver);
    CHECK_STR(NULL, info->add_disabled);
    CHECK_INT(0x4f, info->capabilities);
    CHECK_INT(GS_CAN_READ_RANDOM | GS_CAN_WRITE | GS_DRIVER_REUSABLE, info->capabilities);
    if (!CHECK(info->schemes != NULL))
        return;
    CHECK_STR("file", info->schemes[0]);
    CHECK_STR("filesystem", info->schemes[1]);
    CHECK_STR(NULL, info->schemes[2]);
}

static void single_mode(void)
{
    gs_registry *reg = file_registry(new_dir());
    check_context("single mode");
    CHECK_SIZE(1, gs_registry_count(reg));
    gs_store *store = gs_registry_at(reg, 0);
    CHECK(store != NULL);
    CHECK(gs_registry_at(reg, 1) == NULL);
    CHECK(gs_registry_at(reg, SIZE_MAX) == NULL);
    CHECK(gs_registry_get(reg, NULL) == store);
    CHECK(gs_registry_get(reg, "file") == store);
    CHECK(gs_registry_get(reg, "filesystem") == NULL);
    CHECK(gs_registry_get(reg, "FILE") == NULL);
    CHECK(gs_registry_get(reg, "nonesuch") == NULL);

    gs_store_info info = info_of(store);
    check_file_store(&info);
    CHECK_STR("file", info.id);
    CHECK_STR("", info.description);
    CHECK_INT(0, info.weight);
    CHECK(info.is_default);
    CHECK(!info.is_reserved);
    gs_registry_free(reg);
}

/* `stores` names each driver once, however often it says it. */
static void single_mode_lists(void)
{
    static const char *const lists[] = { "file", "file,file", " file , file ", "file," };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        check_context("stores = %s", lists[i]);
        gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", lists[i] },
                                                { "glance_store", "filesystem_store_datadir", new_dir() }));
        CHECK_SIZE(1, gs_registry_count(reg));
        gs_registry_free(reg);
    }
    check_context("no stores");
    gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", "" }));
    gs_store    *found = NULL;
    CHECK_SIZE(0, gs_registry_count(reg));
    CHECK(gs_registry_get(reg, NULL) == NULL);
    FAILS(GS_UNKNOWN_SCHEME, gs_registry_resolve(reg, "file:///a", &found, ERR));
    gs_registry_free(reg);

    static const char *const defaults[] = { "file", "filesystem" };
    for (size_t i = 0; i < 2; i++) {
        check_context("default_store = %s", defaults[i]);
        reg = registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "default_store", defaults[i] },
                                   { "glance_store", "filesystem_store_datadir", new_dir() }));
        CHECK(gs_registry_get(reg, NULL) == gs_registry_at(reg, 0));
        gs_registry_free(reg);
    }
}

static void multi_mode(void)
{
    const char  *fast_dir = new_dir(), *cheap_dir = new_dir();
    gs_registry *reg = registry_of(SETTINGS({ NULL, "enabled_backends", "fast:file, cheap:file" },
                                            { "glance_store", "default_backend", "cheap" },
                                            { "fast", "filesystem_store_datadir", fast_dir },
                                            { "fast", "store_description", "NVMe, 3 TB" },
                                            { "fast", "weight", "200" },
                                            { "cheap", "filesystem_store_datadir", cheap_dir },
                                            { "cheap", "weight", "-7" }));
    check_context("multi mode");
    CHECK_SIZE(2, gs_registry_count(reg));
    gs_store     *fast = gs_registry_get(reg, "fast"), *cheap = gs_registry_get(reg, "cheap");
    gs_store_info fast_info = info_of(fast), cheap_info = info_of(cheap);
    CHECK(gs_registry_at(reg, 0) == fast);
    CHECK(gs_registry_at(reg, 1) == cheap);
    CHECK(gs_registry_get(reg, NULL) == cheap);
    CHECK(gs_registry_get(reg, "file") == NULL);
    check_file_store(&fast_info);
    check_file_store(&cheap_info);
    CHECK_STR("fast", fast_info.id);
    CHECK_STR("cheap", cheap_info.id);
    CHECK_STR("NVMe, 3 TB", fast_info.description);
    CHECK_STR("", cheap_info.description);
    CHECK_INT(200, fast_info.weight);
    CHECK_INT(-7, cheap_info.weight);
    CHECK(!fast_info.is_default && cheap_info.is_default);
    CHECK(!fast_info.is_reserved && !cheap_info.is_reserved);

    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_image_info image_info = GS_IMAGE_INFO_INIT;
    MUST(OK(gs_add(fast, "image", 3, source_read, &source, NULL, &image, ERR)));
    gs_image_get_info(image, &image_info);
    CHECK_STR(text("file://%s/image", fast_dir), image_info.uri);
    CHECK_STR("fast", image_info.store_id);
    CHECK_STR("{\"store\":\"fast\"}", without_blanks(image_info.metadata_json));
    gs_image_free(image);
    gs_registry_free(reg);
}

/* Without a default store everything works that names its store. */
static void multi_mode_without_default(void)
{
    check_context("multi mode without default_backend");
    gs_registry *reg = registry_of(SETTINGS({ NULL, "enabled_backends", "fast:file" },
                                            { "fast", "filesystem_store_datadir", new_dir() }));
    CHECK(gs_registry_get(reg, NULL) == NULL);
    gs_store_info info = info_of(gs_registry_get(reg, "fast"));
    CHECK(!info.is_default);
    gs_registry_free(reg);
}

/* An option comes from the store's group, else from [backend_defaults]. */
static void fallback(void)
{
    const char  *root = new_dir();
    struct stat  st;
    gs_registry *reg = registry_of(SETTINGS({ NULL, "enabled_backends", "own:file, shared:file" },
                                            { "glance_store", "default_backend", "own" },
                                            { "glance_store", "filesystem_store_file_perm", "604" },
                                            { "backend_defaults", "filesystem_store_file_perm", "640" },
                                            { "own", "filesystem_store_datadir", text("%s/own", root) },
                                            { "own", "filesystem_store_file_perm", "600" },
                                            { "shared", "filesystem_store_datadir", text("%s/shared", root) }));
    check_context("[backend_defaults]");
    add_bytes(gs_registry_get(reg, "own"), "image", "abc", 3);
    add_bytes(gs_registry_get(reg, "shared"), "image", "abc", 3);
    CHECK(stat(text("%s/own/image", root), &st) == 0);
    CHECK_INT(0600, st.st_mode & 07777);
    CHECK(stat(text("%s/shared/image", root), &st) == 0);
    CHECK_INT(0640, st.st_mode & 07777);
    gs_registry_free(reg);

    /* 0 is a setting too, it does not fall back. */
    mode_t old = umask(022);
    reg = registry_of(SETTINGS({ NULL, "enabled_backends", "own:file" },
                               { "glance_store", "default_backend", "own" },
                               { "backend_defaults", "filesystem_store_file_perm", "640" },
                               { "own", "filesystem_store_file_perm", "0" },
                               { "own", "filesystem_store_datadir", text("%s/zero", root) }));
    add_bytes(default_store(reg), "image", "abc", 3);
    umask(old);
    CHECK(stat(text("%s/zero/image", root), &st) == 0);
    CHECK_INT(0644, st.st_mode & 07777);
    gs_registry_free(reg);
}

static void reserved(void)
{
    const char  *fast_dir = new_dir(), *staging_dir = new_dir();
    gs_config   *cfg = config_of(SETTINGS({ NULL, "enabled_backends", "fast:file" },
                                          { "glance_store", "default_backend", "fast" },
                                          { "fast", "filesystem_store_datadir", fast_dir },
                                          { "os_glance_staging_store", "filesystem_store_datadir", staging_dir }));
    gs_registry *reg = NULL;
    check_context("reserved stores");
    OK(gs_config_reserve_store(cfg, "os_glance_staging_store", "file", ERR));
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    CHECK_SIZE(2, gs_registry_count(reg));
    gs_store_info fast = info_of(gs_registry_get(reg, "fast"));
    gs_store_info staging = info_of(gs_registry_get(reg, "os_glance_staging_store"));
    CHECK(!fast.is_reserved && fast.is_default);
    CHECK(staging.is_reserved && !staging.is_default);
    CHECK_STR("os_glance_staging_store", staging.id);
    const char *uri = add_bytes(gs_registry_get(reg, "os_glance_staging_store"), "image", "abc", 3);
    CHECK_STR(text("file://%s/image", staging_dir), uri);
    gs_registry_free(reg);

    check_context("a reserved store with the id of another");
    reg = NULL;
    gs_status status = RETURNS(gs_config_reserve_store(cfg, "fast", "file", ERR));
    if (status == GS_OK)
        status = RETURNS(gs_registry_open(cfg, &reg, ERR));
    CHECK_STR("GS_BAD_CONFIG", status_name(status));
    CHECK_HAS("fast", failure.message);
    CHECK(reg == NULL);
    gs_config_free(cfg);
}

static void expect_add_disabled(gs_registry *reg, const char *reason)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_store     *store = default_store(reg);
    gs_image     *image = NULL;
    gs_store_info info = info_of(store);
    CHECK_HAS(reason, info.add_disabled);
    CHECK_INT(0x47, info.capabilities);
    FAILS(GS_ADD_DISABLED, gs_add(store, "new", 3, source_read, &source, NULL, &image, ERR));
    CHECK_HAS(reason, failure.message);
    CHECK_STR("StoreAddDisabled", failure.name);
    FAILS(GS_ADD_DISABLED, gs_add_fd(store, "new", 3, 0, NULL, &image, ERR));
    CHECK_INT(0, source.calls);
    CHECK(image == NULL);
}

/* Reading goes on when writing is misconfigured; deleting counts as writing. */
static void add_disabled(void)
{
    const char  *dir = new_dir();
    gs_registry *good = file_registry(dir);
    const char  *uri = add_bytes(default_store(good), "image", "abc", 3);
    gs_image    *image = NULL;
    gs_registry_free(good);

    check_context("a permission that excludes the owner");
    gs_registry *reg = registry_of(SETTINGS({ "glance_store", "stores", "file" },
                                            { "glance_store", "filesystem_store_datadir", dir },
                                            { "glance_store", "filesystem_store_file_perm", "7" }));
    expect_add_disabled(reg, "filesystem_store_file_perm");
    check_image(default_store(reg), uri, "abc", 3);
    FAILS(GS_NOT_SUPPORTED, gs_delete(default_store(reg), uri, NULL, ERR));
    FAILS(GS_ADD_DISABLED, gs_copy(default_store(reg), "copy", default_store(reg), uri, NULL, &image, ERR));
    gs_registry_free(reg);

    check_context("a file where the data directory should be");
    const char *file = text("%s/image", dir);
    reg = registry_of(SETTINGS({ "glance_store", "stores", "file" },
                               { "glance_store", "filesystem_store_datadir", file }));
    expect_add_disabled(reg, file);
    gs_registry_free(reg);

    check_context("a directory that cannot be created");
    const char *impossible = text("%s/image/below", dir);
    reg = registry_of(SETTINGS({ "glance_store", "stores", "file" },
                               { "glance_store", "filesystem_store_datadir", impossible }));
    expect_add_disabled(reg, impossible);
    gs_registry_free(reg);

    check_context("no data directory at all");
    reg = registry_of(SETTINGS({ "glance_store", "stores", "file" },
                               { "glance_store", "filesystem_store_datadir", "" }));
    expect_add_disabled(reg, "filesystem_store_datadir");
    gs_registry_free(reg);

    check_context("one store of two");
    reg = registry_of(SETTINGS({ NULL, "enabled_backends", "bad:file, good:file" },
                               { "glance_store", "default_backend", "bad" },
                               { "bad", "filesystem_store_datadir", "" },
                               { "good", "filesystem_store_datadir", dir }));
    expect_add_disabled(reg, "filesystem_store_datadir");
    gs_store_info info = info_of(gs_registry_get(reg, "good"));
    CHECK_STR(NULL, info.add_disabled);
    check_image(gs_registry_get(reg, "good"), uri, "abc", 3);
    gs_registry_free(reg);
}

/* Two registries know nothing of each other. */
static void independent_registries(void)
{
    const char  *left_dir = new_dir(), *right_dir = new_dir();
    gs_registry *left = file_registry(left_dir), *right = file_registry(right_dir);
    check_context("two registries");
    const char *uri = add_bytes(default_store(left), "image", "abc", 3);
    FAILS(GS_FORBIDDEN, gs_delete(default_store(right), uri, NULL, ERR));
    gs_registry_free(right);
    check_image(default_store(left), uri, "abc", 3);
    gs_registry_free(left);
}

int main(void)
{
    single_mode();
    single_mode_lists();
    multi_mode();
    multi_mode_without_default();
    fallback();
    reserved();
    add_disabled();
    independent_registries();
    return check_result();
}
