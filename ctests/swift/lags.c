/* Listings that lag: they show the state of before, as those of a busy Swift do
 * for a while. No image is made of what a listing says too much or too little,
 * and nothing stays that it does not show. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

enum { LEN = 3 * UNIT + 5, SEGMENTS = 10 };

static struct account account;
static const char    *container;
static struct faults *faults;
static uint8_t       *data;

static gs_registry *registry(void)
{
    return spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_retries", "0" }));
}

/* A listing as the container gives it, of these numbers of segments that another add has stored. */
static const char *page_of(const char *id, const char *numbers)
{
    const char *page = "";
    for (; *numbers; numbers++)
        page = text("%s%s{\"name\":\"%s-0000%c\",\"bytes\":5,\"hash\":\"35b036cbaf01235fd89af8f2c0d6c6b4\","
                    "\"content_type\":\"a/b;glance-store-upload=killed\"}", page, *page ? "," : "", id, *numbers);
    return text("[%s]", page);
}

/* The listings with these times, such as 2-3, show that; all are one page, and an empty one. */
static void shows(const char *id, const char *times, const char *page)
{
    faults_rule(faults, "GET *prefix=%s-*marker= %s status=200 body='%s'", id, times, page);
    faults_rule(faults, "GET *prefix=%s-*marker=%s* * status=200 body=[]", id, id);
}

/* What an add leaves that was killed: the segments of these numbers. */
static void leave_segments(const char *id, const char *numbers)
{
    for (; *numbers; numbers++)
        put_object(&account, container, text("%s-0000%c", id, *numbers), "X-Object-Meta-Glance-Store-Upload: killed\r\n", "stale", 5);
}

static const char *names_of(const char *id, int segments)
{
    const char *names = text("%s\n", id);
    for (int i = 1; i <= segments; i++)
        names = text("%s%s-%05d\n", names, id, i);
    return names;
}

/* Adds, and finds it, and nothing else in the container. */
static void check_added(gs_store *store, const char *id, size_t len)
{
    const char *uri = try_add(store, id, data, len, len, GS_OK);
    CHECK_STR(names_of(id, (int)((len + UNIT - 1) / UNIT)), names_in(&account, container));
    if (uri) {
        check_image(store, uri, data, len);
        faults_clear(faults);
        OK(gs_delete(store, uri, NULL, ERR));
    }
    CHECK_STR("", names_in(&account, container));
    faults_clear(faults);
}

/* ---- Adds --------------------------------------------------------------------------- */

static void leftovers_that_do_not_show(gs_store *store)
{
    const char *id = new_id();
    check_context("leftovers of which the listing shows some");
    leave_segments(id, "12358");
    shows(id, "1", page_of(id, "2"));
    check_added(store, id, 2 * UNIT);

    id = new_id();
    check_context("leftovers of which the listing shows none");
    leave_segments(id, "1234567");
    const char *before = contents(&account, container);
    shows(id, "1", "[]");
    try_add(store, id, data, 2 * UNIT, 2 * UNIT, GS_DUPLICATE);
    CHECK_STR(before, contents(&account, container));
    faults_clear(faults);
    check_added(store, id, 2 * UNIT);
}

static void objects_that_are_gone(gs_store *store)
{
    const char *id = new_id();
    check_context("leftovers that are gone");
    shows(id, "1", page_of(id, "123456"));
    check_added(store, id, LEN);

    id = new_id();
    check_context("another image that is gone");
    shows(id, "1", text("[{\"name\":\"%s-copy\",\"bytes\":5,\"hash\":\"\"}]", id));
    check_added(store, id, LEN);

    id = new_id();
    check_context("leftovers that are gone, and show once more in the end");
    shows(id, "2", page_of(id, "123456"));
    check_added(store, id, LEN);
}

static void segments_that_do_not_show(gs_store *store)
{
    const char *id = new_id();
    check_context("segments that the listing does not show yet");
    shows(id, "2-4", "[]");
    check_added(store, id, LEN);

    id = new_id();
    check_context("an image that is too short at first, as the server's own listing lags");
    faults_rule(faults, "HEAD */%s 2-4 answer-header=\"Content-Length: %d\"", id, UNIT);
    check_added(store, id, LEN);
}

static void *add_what_never_shows(void *user)
{
    const char *id = new_id();
    check_context("segments that the listing never shows");
    shows(id, "2-", "[]");
    try_add(user, id, data, LEN, LEN, GS_UNAVAILABLE);
    CHECK_HAS("swift_store_manifest", failure.message);
    return NULL;
}

static void *add_what_stays_short(void *user)
{
    const char *id = new_id();
    check_context("an image that is too short for ever");
    faults_rule(faults, "HEAD */%s 2- answer-header=\"Content-Length: %d\"", id, UNIT);
    try_add(user, id, data, LEN, LEN, GS_FAILED);
    CHECK_HAS(text("%d", LEN), failure.message);
    return NULL;
}

/* It is waited for, but not for ever. */
static void patience_that_ends(gs_store *store)
{
    pthread_t threads[] = { start(add_what_never_shows, store), start(add_what_stays_short, store) };
    join(threads[0]);
    join(threads[1]);
    check_context("what never shows");
    CHECK_STR("", names_in(&account, container));
    faults_clear(faults);
}

/* What a failed add has stored is removed whatever listings say. */
static void failed_adds(gs_store *store)
{
    const char *id = new_id();
    check_context("an add that fails");
    shows(id, "1-", "[]");
    faults_rule(faults, "PUT */%s-00003 * status=413", id);
    try_add(store, id, data, LEN, LEN, GS_STORAGE_FULL);
    faults_clear(faults);
    CHECK_STR("", names_in(&account, container));
}

/* Segments that a rival has removed, whatever the listing says, are none to make an image of. */
struct rival { gs_store *store; const char *id; };

static void remove_leftovers_of(const struct rival *rival)
{
    const char *uri = text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", strstr(swift("SWIFT_KEYSTONE_URL"), "//") + 2,
                           container, rival->id);
    FAILS(GS_NOT_FOUND, gs_delete(rival->store, uri, NULL, ERR));
}

/* As of a rival whose other requests have failed. */
static void remove_the_last_segment(const struct rival *rival)
{
    delete_object(&account, container, text("%s-%05d", rival->id, SEGMENTS));
}

static void (*remove_segments)(const struct rival *rival);

static void *remove_before_the_manifest(void *user)
{
    faults_await(faults, "manifest");
    remove_segments(user);
    faults_release(faults, "manifest");
    return NULL;
}

static void segments_that_are_gone(gs_store *store)
{
    gs_registry *other = registry_in(container, NULL);
    struct rival rival = { default_store(other), new_id() };
    uint8_t     *many = new_data(SEGMENTS * UNIT, ZERO_DATA);
    faults_rule(faults, "PUT */%s 1 hold=manifest at=request", rival.id);
    /* So does the server's own. */
    faults_rule(faults, "HEAD */%s 2- answer-header=\"Content-Length: %d\"", rival.id, SEGMENTS * UNIT);
    pthread_t thread = start(remove_before_the_manifest, &rival);
    try_add(store, rival.id, many, SEGMENTS * UNIT, SEGMENTS * UNIT, GS_FAILED);
    CHECK_HAS("not there any more", failure.message);
    join(thread);
    faults_clear(faults);
    CHECK_STR("", names_in(&account, container));
    free(many);
    gs_registry_free(other);
}

/* ---- Deletes ------------------------------------------------------------------------- */

static void deleted_images(gs_store *store)
{
    static const char *const numbers[] = { "", "1", "124", "3", "1234", "123456" };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *id = new_id(), *uri = try_add(store, id, data, LEN, LEN, GS_OK);
        check_context("a delete of an image of which the listing shows the segments \"%s\"", numbers[i]);
        faults_clear(faults);
        shows(id, "1", page_of(id, numbers[i]));
        OK(gs_delete(store, uri, NULL, ERR));
        CHECK_STR("", names_in(&account, container));
        faults_clear(faults);
    }
}

static void deleted_leftovers(gs_store *store)
{
    static const char *const numbers[] = { "1", "124", "3", "1234567" };
    const char *address = strstr(keystone_through(faults), "//") + 2;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *id = new_id();
        check_context("a delete of leftovers of which the listing shows the segments \"%s\"", numbers[i]);
        leave_segments(id, "123458");
        shows(id, "1", page_of(id, numbers[i]));
        FAILS(GS_NOT_FOUND, gs_delete(store, text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", address, container, id), NULL, ERR));
        CHECK_STR("", names_in(&account, container));
        faults_clear(faults);
    }
}

/* Who would be told of it cannot be, then: what fills the account goes all the same. */
static void leftovers_in_a_full_account(gs_store *store)
{
    const char *id = new_id(), *address = strstr(keystone_through(faults), "//") + 2;
    check_context("a delete of leftovers in a full account");
    leave_segments(id, "123");
    faults_rule(faults, "PUT */%s-00000 * status=413", id);
    FAILS(GS_NOT_FOUND, gs_delete(store, text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", address, container, id), NULL, ERR));
    CHECK_STR("", names_in(&account, container));
    faults_clear(faults);

    check_context("a delete of leftovers where nothing may be stored");
    leave_segments(id, "123");
    const char *before = contents(&account, container);
    faults_rule(faults, "PUT */%s-00000 * status=403", id);
    FAILS(GS_FORBIDDEN, gs_delete(store, text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", address, container, id), NULL, ERR));
    CHECK_STR(before, contents(&account, container));
    faults_clear(faults);
    FAILS(GS_NOT_FOUND, gs_delete(store, text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", address, container, id), NULL, ERR));
    CHECK_STR("", names_in(&account, container));
}

/* ---- All of them ------------------------------------------------------------------------ */

static void quick_cases(gs_store *store)
{
    leftovers_that_do_not_show(store);
    objects_that_are_gone(store);
    segments_that_do_not_show(store);
    failed_adds(store);
    check_context("segments that a rival has removed, as the listing does not show");
    remove_segments = remove_leftovers_of;
    segments_that_are_gone(store);
    check_context("the last of many segments, which a rival has removed");
    remove_segments = remove_the_last_segment;
    segments_that_are_gone(store);
    deleted_images(store);
    deleted_leftovers(store);
    leftovers_in_a_full_account(store);
}

/* What takes long is waiting: it does so beside the others. */
static int run_share(size_t share)
{
    account = demo_account();
    container = new_container(&account);
    faults = swift_faults();
    data = new_data(LEN, RANDOM_DATA);
    gs_registry *reg = registry();
    if (share == 0)
        patience_that_ends(default_store(reg));
    else
        quick_cases(default_store(reg));
    gs_registry_free(reg);
    free(data);
    faults_stop(faults);
    return check_result();
}

int main(void)
{
    return in_processes(2, run_share);
}
