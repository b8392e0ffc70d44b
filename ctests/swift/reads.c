/* Images that others stored are read, sized and deleted: plain, by a dynamic
 * manifest, by a static one; and absence is an error, not a size of 0. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

static struct account account;
static const char    *container;
static gs_registry   *reg;
static gs_store      *store;

static const char *uri_of(const char *name)
{
    return text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", strstr(swift("SWIFT_KEYSTONE_URL"), "//") + 2, container, name);
}

/* ---- Images that the library did not store ------------------------------------------ */

enum { PIECE = 100000, PIECES = 4, PIECES_LEN = PIECE * (PIECES - 1) + 77 };

static void put_pieces(const char *name, const uint8_t *data)
{
    for (size_t i = 0; i < PIECES; i++) {
        size_t len = i + 1 < PIECES ? PIECE : 77;
        put_object(&account, container, text("%s-%05zu", name, i + 1), NULL, data + i * PIECE, len);
    }
}

static void put_dynamic(const char *name, const uint8_t *data)
{
    put_pieces(name, data);
    put_object(&account, container, name, text("X-Object-Manifest: %s/%s-\r\n", container, name), NULL, 0);
}

static void put_static(const char *name, const uint8_t *data)
{
    const char *list = "";
    put_pieces(name, data);
    for (size_t i = 1; i <= PIECES; i++)
        list = text("%s%s{\"path\":\"/%s/%s-%05zu\"}", list, i > 1 ? "," : "", container, name, i);
    struct reply reply = request_ok("PUT", text("%s?multipart-manifest=put", object_url(&account, container, name)),
                                    account.header, text("[%s]", list), strlen(list) + 2);
    reply_free(&reply);
}

static void put_plain(const char *name, const uint8_t *data)
{
    put_object(&account, container, name, NULL, data, PIECES_LEN);
}

static void check_parts(const char *uri, const uint8_t *data, size_t len)
{
    const uint64_t offsets[] = { 0, 1, PIECE - 1, PIECE, len - 78, len - 77, len - 1, len, len + 1 };
    const uint64_t lengths[] = { 0, 1, PIECE + 2 };
    gs_reader     *reader = NULL;
    OK(gs_reader_open(store, uri, NULL, &reader, ERR));
    CHECK_SIZE(len, gs_reader_size(reader));
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            struct sink    sink = { .first = offsets[i] };
            gs_opts        opts = GS_OPTS_INIT;
            size_t         left = offsets[i] < len ? len - offsets[i] : 0, count = 0;
            size_t         wanted = lengths[j] && lengths[j] < left ? lengths[j] : left;
            static uint8_t got[PIECE + 2];
            opts.offset = offsets[i];
            opts.length = lengths[j];
            if (OK(gs_get(store, uri, sink_write, &sink, &opts, ERR)))
                CHECK_BYTES(data + len - left, wanted, sink.data, sink.len);
            sink_free(&sink);
            if (lengths[j] && OK(gs_reader_pread(reader, got, lengths[j], offsets[i], &count, ERR)))
                CHECK_BYTES(data + len - left, wanted, got, count);
        }
    gs_reader_free(reader);
}

static void foreign_images(void)
{
    static const struct { const char *name; void (*put)(const char *, const uint8_t *); } kinds[] = {
        { "plain", put_plain }, { "dynamic", put_dynamic }, { "static", put_static }
    };
    uint8_t *data = new_data(PIECES_LEN, RANDOM_DATA);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *uri = uri_of(kinds[i].name);
        kinds[i].put(kinds[i].name, data);
        check_context("a %s image that another stored", kinds[i].name);
        check_image(store, uri, data, PIECES_LEN);
        check_parts(uri, data, PIECES_LEN);
        /* And nobody else's. */
        put_object(&account, container, text("%s2", kinds[i].name), NULL, "abc", 3);
        const char *kept = text("%s2\n", kinds[i].name);
        OK(gs_delete(store, uri, NULL, ERR));
        CHECK_STR(kept, names_in(&account, container));
        delete_object(&account, container, text("%s2", kinds[i].name));
        check_absent(store, uri);
    }
    free(data);
}

/* The segments of a manifest may lie in a container of their own. */
static void segments_elsewhere(void)
{
    const char *elsewhere = new_container(&account);
    check_context("segments in another container");
    put_object(&account, elsewhere, "parts/1", NULL, "hello ", 6);
    put_object(&account, elsewhere, "parts/2", NULL, "world", 5);
    put_object(&account, container, "image", text("X-Object-Manifest: %s/parts/\r\n", elsewhere), NULL, 0);
    check_image(store, uri_of("image"), "hello world", 11);
    OK(gs_delete(store, uri_of("image"), NULL, ERR));
    CHECK_STR("", names_in(&account, container));
    CHECK_STR("", names_in(&account, elsewhere));
}

static void empty_manifest(void)
{
    check_context("a manifest without segments");
    put_object(&account, container, "empty", text("X-Object-Manifest: %s/empty-\r\n", container), NULL, 0);
    check_image(store, uri_of("empty"), "", 0);
    OK(gs_delete(store, uri_of("empty"), NULL, ERR));
    CHECK_STR("", names_in(&account, container));
}

/* ---- What is not there ------------------------------------------------------------------ */

static void check_refused(const char *uri, gs_status status)
{
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    uint64_t    size = 4711;
    FAILS(status, gs_get(store, uri, sink_write, &sink, NULL, ERR));
    FAILS(status, gs_get_size(store, uri, NULL, &size, ERR));
    FAILS(status, gs_reader_open(store, uri, NULL, &reader, ERR));
    FAILS(status, gs_delete(store, uri, NULL, ERR));
    CHECK_INT(0, sink.calls);
    CHECK_SIZE(4711, size);
    CHECK_LACKS("demopass", failure.message);
}

static void absent_images(void)
{
    check_context("an image that is not there");
    check_refused(uri_of("absent"), GS_NOT_FOUND);
    check_context("a container that is not there");
    container = "gs-test-no-such-container";
    check_refused(uri_of("absent"), GS_NOT_FOUND);
}

/* Another's password, a user that may not, and one that is not. */
static void refused_users(void)
{
    const char *address = strstr(swift("SWIFT_KEYSTONE_URL"), "//") + 2;
    put_plain("image", (const uint8_t *)repeated('x', PIECES_LEN));
    const char *before = contents(&account, container);
    check_context("a wrong password");
    check_refused(text("swift+http://demo%%3Ademo:mistaken@%s/%s/image", address, container), GS_NOT_AUTHENTICATED);
    CHECK_LACKS("mistaken", failure.message);
    check_context("a project that does not exist");
    check_refused(text("swift+http://nowhere%%3Ademo:demopass@%s/%s/image", address, container), GS_NOT_AUTHENTICATED);
    check_context("a user without rights");
    check_refused(text("swift+http://demo%%3Areader:readerpass@%s/%s/image", address, container), GS_FORBIDDEN);
    check_context("a user without a project");
    check_refused(text("swift+http://demo:demopass@%s/%s/image", address, container), GS_BAD_URI);
    CHECK_STR(before, contents(&account, container));
}

int main(void)
{
    account = demo_account();
    container = new_container(&account);
    reg = registry_in(container, NULL);
    store = default_store(reg);
    foreign_images();
    segments_elsewhere();
    empty_manifest();
    refused_users();
    absent_images();
    gs_registry_free(reg);
    return check_result();
}
