/* Which container an image goes to, by the seed as well, and who creates it. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

static struct account account;

#define CREATE { "glance_store", "swift_store_create_container_on_put", "true" }

static void missing(void)
{
    const char  *container = free_container(&account);
    gs_registry *reg = registry_in(container, NULL);
    check_context("a container that is missing");
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_status     status = RETURNS(gs_add(default_store(reg), new_id(), 3, source_read, &source, NULL, &image, ERR));
    CHECK(status != GS_OK && image == NULL);
    CHECK_HAS(container, failure.message);
    CHECK_HAS("swift_store_create_container_on_put", failure.message);
    CHECK(!container_exists(&account, container));
    gs_registry_free(reg);
}

static void created(void)
{
    const char  *container = free_container(&account);
    gs_registry *reg = registry_in(container, SETTINGS(CREATE));
    uint8_t     *data = new_data(2 * UNIT, ZERO_DATA);
    check_context("a container that is created");
    const char *small = try_add(default_store(reg), new_id(), "abc", 3, 3, GS_OK);
    const char *large = try_add(default_store(reg), new_id(), data, 2 * UNIT, GS_SIZE_UNKNOWN, GS_OK);
    check_image(default_store(reg), small, "abc", 3);
    check_image(default_store(reg), large, data, 2 * UNIT);
    OK(gs_delete(default_store(reg), small, NULL, ERR));
    OK(gs_delete(default_store(reg), large, NULL, ERR));
    CHECK_STR("", names_in(&account, container));
    gs_registry_free(reg);

    check_context("a container that is created for a source that fails");
    reg = registry_in(free_container(&account), SETTINGS(CREATE));
    try_add(default_store(reg), new_id(), "abc", 3, 4, GS_SIZE_MISMATCH);
    gs_registry_free(reg);
    free(data);
}

/* ---- Seeds ------------------------------------------------------------------------------ */

static const struct { const char *seed, *id, *suffix; } seeds[] = {
    { "0", "fdae39a1-bac5-4238-aba4-69bcc726e848", "" },
    { "1", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_f" },
    { "3", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fda" },
    { "8", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1" },
    { "9", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-b" },
    { "10", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-ba" },
    { "12", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5" },
    { "13", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5-" },
    { "14", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5-42" },
    { "17", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5-4238-" },
    { "18", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5-4238-a" },
    { "21", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5-4238-aba4-" },
    { "32", "fdae39a1-bac5-4238-aba4-69bcc726e848", "_fdae39a1-bac5-4238-aba4-69bcc726e848" },
    { "3", "3A1xxxxx-bac5-4238-aba4-69bcc726e848", "_3a1" },
    /* Shorter than the seed. */
    { "8", "abc", "_abc" },
};

static void seeded(void)
{
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        const char  *prefix = free_container(&account), *container = text("%s%s", prefix, seeds[i].suffix);
        gs_registry *reg = registry_in(prefix, SETTINGS(CREATE, { "glance_store", "swift_store_multiple_containers_seed", seeds[i].seed }));
        check_context("seed %s and id %s", seeds[i].seed, seeds[i].id);
        const char *uri = try_add(default_store(reg), seeds[i].id, "abc", 3, 3, GS_OK);
        if (uri) {
            CHECK_HAS(text("/%s/%s", container, seeds[i].id), uri);
            CHECK_STR(text("%s\n", seeds[i].id), names_in(&account, container));
            check_image(default_store(reg), uri, "abc", 3);
            OK(gs_delete(default_store(reg), uri, NULL, ERR));
            struct reply reply = request_ok("DELETE", object_url(&account, container, ""), account.header, NULL, 0);
            reply_free(&reply);
        }
        gs_registry_free(reg);
    }
}

static void seeded_and_missing(void)
{
    const char  *prefix = free_container(&account);
    gs_registry *reg = registry_in(prefix, SETTINGS({ "glance_store", "swift_store_multiple_containers_seed", "2" }));
    check_context("a seed and no container");
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    CHECK(RETURNS(gs_add(default_store(reg), "fdae39a1", 3, source_read, &source, NULL, &image, ERR)) != GS_OK);
    CHECK_HAS(text("%s_fd", prefix), failure.message);
    gs_registry_free(reg);
}

/* ---- Options of several stores ------------------------------------------------------------- */

static void defaults_of_all_backends(void)
{
    const char  *container = free_container(&account);
    gs_registry *reg = registry_of(SETTINGS({ "DEFAULT", "enabled_backends", "one:swift, two:swift" },
                                            { "glance_store", "default_backend", "one" },
                                            { "backend_defaults", "swift_store_create_container_on_put", "true" },
                                            { "backend_defaults", "swift_store_auth_address", swift("SWIFT_KEYSTONE_URL") },
                                            { "backend_defaults", "swift_store_user", swift("SWIFT_USER") },
                                            { "backend_defaults", "swift_store_key", swift("SWIFT_KEY") },
                                            { "backend_defaults", "swift_store_container", "unused" },
                                            { "one", "swift_store_container", container },
                                            { "two", "swift_store_container", text("%s-two", container) },
                                            { "two", "swift_store_create_container_on_put", "false" }));
    gs_store *one = gs_registry_get(reg, "one"), *two = gs_registry_get(reg, "two"), *found = NULL;
    check_context("options of [backend_defaults]");
    const char   *id = new_id();
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    MUST(OK(gs_add(one, id, 3, source_read, &source, NULL, &image, ERR)));
    gs_image_get_info(image, &info);
    CHECK_STR("one", info.store_id);
    CHECK_STR("{\"store\":\"one\"}", without_blanks(info.metadata_json));
    /* A location belongs to the store whose container it names. */
    OK(gs_registry_resolve(reg, info.uri, &found, ERR));
    CHECK(found == one);
    check_image(one, info.uri, "abc", 3);
    OK(gs_delete(one, info.uri, NULL, ERR));
    gs_image_free(image);

    source.at = 0;
    image = NULL;
    CHECK(RETURNS(gs_add(two, id, 3, source_read, &source, NULL, &image, ERR)) != GS_OK);
    CHECK(!container_exists(&account, text("%s-two", container)));
    gs_registry_free(reg);
}

int main(void)
{
    account = demo_account();
    missing();
    created();
    seeded();
    seeded_and_missing();
    defaults_of_all_backends();
    return check_result();
}
