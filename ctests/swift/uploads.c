/* What an add puts into a container: one object, or segments of exactly the
 * configured size and a manifest, under the names that glance_store gives them. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

static struct account account;
static const char    *container;

/* `count` bytes that repeat the pattern. */
static uint8_t *repeating(const char *pattern, size_t count)
{
    uint8_t *data = malloc(count + 1);
    MUST(data != NULL);
    for (size_t i = 0; i < count; i++)
        data[i] = (uint8_t)pattern[i % strlen(pattern)];
    return data;
}

/* The names of an image of so many segments: 0 is a plain object. */
static const char *expected_names(const char *id, size_t segments)
{
    const char *names = text("%s\n", id);
    for (size_t i = 1; i <= segments; i++)
        names = text("%s%s-%05zu\n", names, id, i);
    return names;
}

static void check_header(const char *name, const char *header, const char *wanted)
{
    struct reply reply = head_object(&account, container, name);
    CHECK_INT(200, reply.status);
    CHECK_STR(wanted, reply_header(&reply, header));
    reply_free(&reply);
}

/* ---- What is stored --------------------------------------------------------------- */

static const struct upload {
    const char *pattern;
    size_t      len;
    bool        announced;
    size_t      segments;
    size_t      last; /* bytes of the last segment */
    const char *md5, *etag;
} uploads[] = {
    { "*", 5120, true, 0, 0, "c2e5db72bd7fd153f53ede5da5a06de3", "c2e5db72bd7fd153f53ede5da5a06de3" },
    { "12345678", 5120, true, 0, 0, "1e676c3a2b9eb8e5b9dae42c7025b95a", "1e676c3a2b9eb8e5b9dae42c7025b95a" },
    { "*", UNIT - 1, true, 0, 0, "daba0c74b69007c485e3bbb0fb12c64f", "daba0c74b69007c485e3bbb0fb12c64f" },
    { "*", UNIT, true, 1, UNIT, "0ad73a1a95d9865b0c9fc819775fc4d1", NULL },
    { "*", 2 * UNIT, true, 2, UNIT, "76dc99aa45f8b13ab330f437bdb8d01c", NULL },
    { "*", 5 * UNIT, true, 5, UNIT, "21b68069e7f996f5dd8917e8dce7b697", "\"e383e87d69017f9a224eff0304924caf\"" },
    { "*", 5 * UNIT, false, 5, UNIT, "21b68069e7f996f5dd8917e8dce7b697", "\"e383e87d69017f9a224eff0304924caf\"" },
    { "abcde", 2500000, true, 3, 452000, "ca026e9bcf8ca257a8c28d5cac974a09", "\"12a6e734ef3f9dc5906fe2ba18f29302\"" },
    { "abcde", 2500000, false, 3, 452000, "ca026e9bcf8ca257a8c28d5cac974a09", "\"12a6e734ef3f9dc5906fe2ba18f29302\"" },
};

static void check_stored(const struct upload *upload, const char *id, bool is_static)
{
    CHECK_STR(expected_names(id, upload->segments), names_in(&account, container));
    check_header(id, "Content-Length", text("%zu", upload->len));
    for (size_t i = 1; i <= upload->segments; i++)
        check_header(text("%s-%05zu", id, i), "Content-Length", text("%zu", i < upload->segments ? (size_t)UNIT : upload->last));
    check_header(id, "X-Object-Manifest", upload->segments && !is_static ? text("%s/%s-", container, id) : "");
    check_header(id, "X-Static-Large-Object", upload->segments && is_static ? "True" : "");
    if (upload->etag)
        check_header(id, "Etag", upload->etag);
}

static void check_upload(gs_store *store, const struct upload *upload, bool is_static)
{
    uint8_t      *data = repeating(upload->pattern, upload->len);
    struct source source = { .data = data, .len = upload->len, .piece = 70001 };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    const char   *id = new_id();
    check_context("%zu bytes, %s, %s", upload->len, upload->announced ? "announced" : "not announced", is_static ? "slo" : "dlo");
    if (OK(gs_add(store, id, upload->announced ? upload->len : GS_SIZE_UNKNOWN, source_read, &source, NULL, &image, ERR))) {
        gs_image_get_info(image, &info);
        CHECK_SIZE(upload->len, info.size);
        CHECK_STR(upload->md5, info.checksum);
        check_stored(upload, id, is_static);
        check_image(store, info.uri, data, upload->len);
        OK(gs_delete(store, info.uri, NULL, ERR));
        check_absent(store, info.uri);
        CHECK_STR("", names_in(&account, container));
    }
    gs_image_free(image);
    free(data);
}

static void stored_objects(void)
{
    gs_registry *dynamic = registry_in(container, NULL);
    gs_registry *fixed = registry_in(container, SETTINGS({ "glance_store", "swift_store_manifest", "slo" }));
    for (size_t i = 0; i < (small_run() ? 4 : sizeof uploads / sizeof *uploads); i++) {
        check_upload(default_store(dynamic), &uploads[i], false);
        check_upload(default_store(fixed), &uploads[i], true);
    }
    gs_registry_free(dynamic);
    gs_registry_free(fixed);
}

static void empty_images(void)
{
    gs_registry *reg = registry_in(container, NULL);
    gs_store    *store = default_store(reg);
    for (int announced = 0; announced < 2; announced++) {
        const char *id = new_id();
        check_context("an empty image, %s", announced ? "announced" : "not announced");
        const char *uri = try_add(store, id, "", 0, announced ? 0 : GS_SIZE_UNKNOWN, GS_OK);
        CHECK_STR(text("%s\n", id), names_in(&account, container));
        check_header(id, "Content-Length", "0");
        check_image(store, uri, "", 0);
        OK(gs_delete(store, uri, NULL, ERR));
        CHECK_STR("", names_in(&account, container));
    }
    gs_registry_free(reg);
}

/* ---- Locations ------------------------------------------------------------------------ */

static void locations(void)
{
    gs_registry *reg = registry_in(container, NULL);
    const char  *id = new_id(), *address = strstr(swift("SWIFT_KEYSTONE_URL"), "//") + 2;
    check_context("the location of a new image");
    const char *uri = try_add(default_store(reg), id, "abc", 3, 3, GS_OK);
    CHECK_STR(text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", address, container, id), uri);
    OK(gs_delete(default_store(reg), uri, NULL, ERR));
    gs_registry_free(reg);
}

/* ---- What was there before -------------------------------------------------------------- */

/* Segments of an upload that died must not become part of a new image, whoever left them. */
static void stale_segments(void)
{
    gs_registry *reg = registry_in(container, NULL);
    gs_store    *store = default_store(reg);
    uint8_t     *data = new_data(2 * UNIT + 1, RANDOM_DATA);
    const char  *id = new_id();
    check_context("segments that a killed process left");
    for (int i = 1; i <= 6; i++)
        put_object(&account, container, text("%s-%05d", id, i), NULL, "stale", 5);
    const char *uri = try_add(store, id, data, 2 * UNIT + 1, 2 * UNIT + 1, GS_OK);
    CHECK_STR(expected_names(id, 3), names_in(&account, container));
    check_image(store, uri, data, 2 * UNIT + 1);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", names_in(&account, container));

    check_context("segments that a killed process left, removed with a plain image");
    for (int i = 1; i <= 2; i++)
        put_object(&account, container, text("%s-%05d", id, i), NULL, "stale", 5);
    uri = try_add(store, id, data, 100, 100, GS_OK);
    check_image(store, uri, data, 100);
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", names_in(&account, container));
    free(data);
    gs_registry_free(reg);
}

/* An id that begins as another does, and a dash: its objects are not that image's segments. */
static void names_that_begin_alike(void)
{
    gs_registry *reg = registry_in(container, NULL);
    gs_store    *store = default_store(reg);
    uint8_t     *data = new_data(2 * UNIT, RANDOM_DATA);
    const char  *id = new_id(), *longer = text("%s-copy", id);
    const char  *neighbour = try_add(store, longer, "neighbour", 9, 9, GS_OK), *before = contents(&account, container);
    check_context("an id that begins as another");
    struct source source = { .data = data, .len = 2 * UNIT };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    /* The manifest of such an image may name its segments or nothing: it is right or refused. */
    gs_status status = RETURNS(gs_add(store, id, 2 * UNIT, source_read, &source, NULL, &image, ERR));
    if (status == GS_OK) {
        gs_image_get_info(image, &info);
        check_image(store, info.uri, data, 2 * UNIT);
        OK(gs_delete(store, info.uri, NULL, ERR));
        gs_image_free(image);
    }
    CHECK_STR(before, contents(&account, container));
    check_image(store, neighbour, "neighbour", 9);
    OK(gs_delete(store, neighbour, NULL, ERR));
    free(data);
    gs_registry_free(reg);
}

/* ---- On the wire -------------------------------------------------------------------------- */

static void *let_both_go(void *user)
{
    faults_await(user, "one");
    faults_await(user, "two");
    faults_release(user, "one");
    faults_release(user, "two");
    return NULL;
}

static void requests(void)
{
    struct faults *faults = swift_faults();
    gs_registry   *reg = spoilt_registry(faults, container, NULL);
    gs_store      *store = default_store(reg);
    uint8_t       *data = new_data(3 * UNIT, RANDOM_DATA);
    const char    *id = new_id();
    check_context("the requests of an add");
    faults_rule(faults, "PUT */%s-00001 1 hold=one at=request", id);
    faults_rule(faults, "PUT */%s-00002 1 hold=two at=request", id);
    pthread_t thread = start(let_both_go, faults);
    const char *uri = try_add(store, id, data, 3 * UNIT, 3 * UNIT, GS_OK);
    join(thread);
    CHECK_INT(4, faults_count(faults, "swift PUT", id));
    CHECK_INT(3, faults_count(faults, "swift PUT", text("%s-0000", id)));
    /* The listing tells that they are there, and whose. */
    CHECK_INT(3, faults_count(faults, "swift PUT", "application/octet-stream;glance-store-upload="));
    /* In the end the first ones are looked at, and for whoever removes them. */
    CHECK_INT(4, faults_count(faults, "swift HEAD", text("%s-0000", id)));
    /* radosgw has another opinion of a manifest's ETag. */
    CHECK_INT(1, faults_count(faults, "swift PUT", text("-object-manifest\": \"%s/%s-\"", container, id)));
    CHECK_INT(1, faults_count(faults, "keystone POST /v3/auth/tokens", "password"));
    faults_clear(faults);

    check_context("the requests of an add and a delete with a list");
    gs_registry *fixed = spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_manifest", "slo" }));
    const char  *list = try_add(default_store(fixed), new_id(), data, 3 * UNIT, 3 * UNIT, GS_OK);
    /* A server may have another opinion of a hash than that of the bytes it got, and says so with 422. */
    CHECK_INT(0, faults_count(faults, "swift PUT", "\"etag\""));
    OK(gs_delete(default_store(fixed), list, NULL, ERR));
    CHECK_INT(1, faults_count(faults, "swift DELETE", ""));
    CHECK_INT(1, faults_count(faults, "swift DELETE", "?multipart-manifest=delete"));
    gs_registry_free(fixed);
    faults_clear(faults);

    check_context("the requests of a small add");
    const char *small = try_add(store, new_id(), data, 100, 100, GS_OK);
    CHECK_INT(1, faults_count(faults, "swift PUT", ""));
    CHECK_INT(0, faults_count(faults, "keystone", ""));
    OK(gs_delete(store, small, NULL, ERR));
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_INT(0, faults_count(faults, "keystone", ""));
    free(data);
    gs_registry_free(reg);
    faults_stop(faults);
}

int main(void)
{
    account = demo_account();
    container = new_container(&account);
    stored_objects();
    empty_images();
    locations();
    stale_segments();
    names_that_begin_alike();
    requests();
    return check_result();
}
