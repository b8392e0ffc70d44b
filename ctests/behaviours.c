/* The checkable behaviours of glance_store (section 8 of the specification), row
 * by row, as far as they concern the core and the file driver.
 *
 * Where this library decided otherwise the row says so after "but". These rows
 * have a program of their own: 19-21 stores, config_errors; 23-26, 68-74
 * metadata_file; 53-56 permissions; 59-61 sparse; 62-67 datadirs; 80, 84
 * confinement; 85 locations. Rows 7, 9, 22 and 28-30 concern Python objects that
 * have no counterpart here, 86-112 the HTTP driver and helpers. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char  *dir;
static gs_registry *reg;
static gs_store    *store;

/* What one gs_add did. */
struct outcome {
    gs_status     status;
    struct source source;
    const char   *uri, *checksum, *multihash, *metadata;
    uint64_t      size;
};

static struct outcome add_to(gs_store *to, const char *id, const char *data, size_t len, uint64_t size, const char *hash_name)
{
    struct outcome outcome = { .source = { .data = (const uint8_t *)data, .len = len, .piece = 10 } };
    gs_opts        opts = GS_OPTS_INIT;
    gs_image      *image = NULL;
    gs_image_info  info = GS_IMAGE_INFO_INIT;
    opts.hash_name = hash_name;
    outcome.status = RETURNS(gs_add(to, id, size, source_read, &outcome.source, &opts, &image, ERR));
    if (image) {
        gs_image_get_info(image, &info);
        outcome.uri = text("%s", info.uri);
        outcome.checksum = text("%s", info.checksum);
        outcome.multihash = text("%s", info.multihash);
        outcome.metadata = without_blanks(info.metadata_json);
        outcome.size = info.size;
        gs_image_free(image);
    }
    return outcome;
}

static struct outcome add(const char *id, const char *data, uint64_t size)
{
    return add_to(store, id, data, strlen(data), size, "sha256");
}

static void is(gs_status want, gs_status got)
{
    CHECK_STR(status_name(want), status_name(got));
}

static gs_status resolve(const char *uri)
{
    gs_store *found = NULL;
    return RETURNS(gs_registry_resolve(reg, uri, &found, ERR));
}

static gs_status get_part(const char *uri, uint64_t offset, uint64_t length, const char **content)
{
    struct sink sink = { .first = offset };
    gs_opts     opts = GS_OPTS_INIT;
    opts.offset = offset;
    opts.length = length;
    gs_status status = RETURNS(gs_get(store, uri, sink_write, &sink, &opts, ERR));
    *content = text("%.*s", (int)sink.len, sink.len ? (const char *)sink.data : "");
    sink_free(&sink);
    return status;
}

static gs_status get(const char *uri)
{
    const char *content;
    return get_part(uri, 0, 0, &content);
}

static gs_status delete(const char *uri) { return RETURNS(gs_delete(store, uri, NULL, ERR)); }

static gs_status get_size(const char *uri)
{
    uint64_t size;
    return RETURNS(gs_get_size(store, uri, NULL, &size, ERR));
}

static gs_status set_acls(const char *uri)
{
    return RETURNS(gs_set_acls(store, uri, false, NULL, NULL, NULL, ERR));
}

static const char *in_dir(const char *name) { return text("file://%s/%s", dir, name); }

/* ---- Registry and dispatch ------------------------------------------------------------ */

static void row_1(void)
{
    gs_registry  *defaults = registry_of(SETTINGS({ "glance_store", "filesystem_store_datadir", dir }));
    gs_store_info info = GS_STORE_INFO_INIT;
    CHECK(gs_registry_count(defaults) >= 1);
    gs_store_get_info(default_store(defaults), &info);
    CHECK_STR("file", info.driver);
    gs_registry_free(defaults);
}

static void row_2(void)
{
    gs_registry *none = registry_of(SETTINGS({ "glance_store", "stores", "" }));
    gs_store    *found = NULL;
    CHECK_SIZE(0, gs_registry_count(none));
    FAILS(GS_UNKNOWN_SCHEME, gs_registry_resolve(none, in_dir("x"), &found, ERR));
    gs_registry_free(none);
}

static gs_status with_default(const char *scheme)
{
    return try_open(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                             { "glance_store", "default_store", scheme }));
}

static void row_3(void) { is(GS_BAD_CONFIG, with_default("rbd")); is(GS_OK, with_default("file")); }
static void row_4(void) { is(GS_BAD_CONFIG, with_default("bogus")); }
static void row_5(void) { is(GS_UNKNOWN_SCHEME, resolve("s3://x")); CHECK_HAS("s3", failure.message); }

static void row_6(void)
{
    is(GS_UNKNOWN_SCHEME, resolve("unknown://x"));
    is(GS_UNKNOWN_SCHEME, resolve(""));
    is(GS_UNKNOWN_SCHEME, resolve("/abs/path"));
}

static void row_8(void)
{
    gs_registry *two = two_file_stores(dir, new_dir());
    CHECK(gs_registry_get(two, "fast") != NULL);
    CHECK(gs_registry_get(two, "file3") == NULL);
    gs_registry_free(two);
}

static gs_status with_backends(const char *backends)
{
    return try_open(SETTINGS({ NULL, "enabled_backends", backends }, { "a", "filesystem_store_datadir", dir },
                             { "b", "filesystem_store_datadir", text("%s/b", dir) }));
}

static void row_10(void)
{
    is(GS_OK, with_backends(" a : file , b:file "));
    is(GS_BAD_CONFIG, with_backends("a:file,a:http"));
    is(GS_BAD_CONFIG, with_backends("a:file,"));
}

static void row_11(void)
{
    gs_config   *cfg = config_of(SETTINGS({ NULL, "enabled_backends", "fast:file" }, { "glance_store", "default_backend", "fast" },
                                          { "fast", "filesystem_store_datadir", dir },
                                          { "consuming_service_reserved_store", "filesystem_store_datadir", text("%s/reserved", dir) }));
    gs_registry *opened = NULL;
    OK(gs_config_reserve_store(cfg, "consuming_service_reserved_store", "file", ERR));
    MUST(OK(gs_registry_open(cfg, &opened, ERR)));
    gs_store *reserved = gs_registry_get(opened, "consuming_service_reserved_store");
    MUST(reserved != NULL);
    CHECK(gs_registry_at(opened, 1) == reserved);
    CHECK_STR(text("file://%s/reserved/image", dir), add_to(reserved, "image", "abc", 3, 3, NULL).uri);
    gs_registry_free(opened);
    gs_config_free(cfg);
}

static void row_12(void)
{
    is(GS_BAD_CONFIG, try_open(SETTINGS({ NULL, "enabled_backends", "a:file" }, { "a", "filesystem_store_datadir", dir },
                                        { "glance_store", "default_backend", "zz" })));
    gs_registry *none = registry_of(SETTINGS({ NULL, "enabled_backends", "a:file" }, { "a", "filesystem_store_datadir", dir }));
    CHECK(gs_registry_get(none, NULL) == NULL);
    gs_registry_free(none);
}

static void row_13(void)
{
    gs_registry *two = two_file_stores(dir, new_dir());
    CHECK_STR("{\"store\":\"fast\"}", add_to(default_store(two), "image", "abc", 3, 3, NULL).metadata);
    gs_registry_free(two);
}

static void row_14(void)
{
    gs_registry  *two = registry_of(SETTINGS({ NULL, "enabled_backends", "a:file, b:file" }, { "glance_store", "default_backend", "a" },
                                             { "a", "filesystem_store_datadir", dir }, { "a", "weight", "10" },
                                             { "b", "filesystem_store_datadir", text("%s/b", dir) }));
    gs_store_info a = GS_STORE_INFO_INIT, b = GS_STORE_INFO_INIT, single = GS_STORE_INFO_INIT;
    gs_store_get_info(gs_registry_get(two, "a"), &a);
    gs_store_get_info(gs_registry_get(two, "b"), &b);
    gs_store_get_info(store, &single);
    CHECK_INT(10, a.weight);
    CHECK_INT(0, b.weight);
    CHECK_INT(0, single.weight);
    gs_registry_free(two);
}

static void row_15(void)
{
    is(GS_NOT_SUPPORTED, set_acls(in_dir("absent")));
    is(GS_UNKNOWN_SCHEME, set_acls("nope:///x"));
}

static void row_16(void)
{
    add("image", "abc", 3);
    is(GS_OK, resolve(in_dir("image")));
    is(GS_OK, get(in_dir("image")));
    is(GS_NOT_FOUND, get(in_dir("absent")));
    is(GS_UNKNOWN_SCHEME, resolve("zzz:///x"));
}

static void row_17(void) { is(GS_UNKNOWN_SCHEME, delete("http://h/x")); }

static void row_18(void)
{
    gs_registry *two = two_file_stores(text("%s/fast", dir), text("%s/cheap", dir));
    gs_store    *found = NULL;
    FAILS(GS_UNKNOWN_STORE, gs_registry_resolve(two, in_dir("x"), &found, ERR));
    gs_registry_free(two);
}

/* ---- Capabilities ------------------------------------------------------------------------ */

static void row_27(void)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(store, &info);
    CHECK_INT(79, info.capabilities);
    CHECK_INT(GS_CAN_READ_RANDOM, GS_CAN_READ_OFFSET | GS_CAN_READ_CHUNK);
    CHECK_INT(GS_CAN_WRITE_RANDOM, GS_CAN_WRITE_OFFSET | GS_CAN_WRITE_CHUNK);
    CHECK_INT(GS_CAN_READ, GS_CAN_READ_OFFSET & GS_CAN_READ_CHUNK);
    CHECK_INT(GS_CAN_WRITE, GS_CAN_WRITE_OFFSET & GS_CAN_WRITE_CHUNK);
}

static void misconfigured(const char *key, const char *value)
{
    gs_registry  *closed = registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                                { "glance_store", key, value }));
    gs_store     *bad = default_store(closed);
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(bad, &info);
    CHECK_INT(71, info.capabilities);
    CHECK(info.add_disabled != NULL);
    is(GS_ADD_DISABLED, add_to(bad, "new", "abc", 3, 3, NULL).status);
    CHECK_STR("StoreAddDisabled", failure.name);
    gs_registry_free(closed);
}

static void row_31(void)
{
    add("image", "abc", 3);
    misconfigured("filesystem_store_file_perm", "7");
    gs_registry *closed = registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                               { "glance_store", "filesystem_store_file_perm", "7" }));
    FAILS(GS_NOT_SUPPORTED, gs_delete(default_store(closed), in_dir("image"), NULL, ERR));
    CHECK_STR("StoreDeleteNotSupported", failure.name);
    check_image(default_store(closed), in_dir("image"), "abc", 3);
    gs_registry_free(closed);
}

static void row_32(void) { misconfigured("filesystem_store_datadir", ""); }

/* ---- Adding --------------------------------------------------------------------------------- */

static void row_34(void)
{
    const char    *stars = repeated('*', 5120);
    struct outcome outcome = add("image", stars, 5120);
    is(GS_OK, outcome.status);
    CHECK_STR(in_dir("image"), outcome.uri);
    CHECK_SIZE(5120, outcome.size);
    CHECK_STR("c2e5db72bd7fd153f53ede5da5a06de3", outcome.checksum);
    CHECK_STR("caa938e97d93065e6d5e609e8d22592c8d8d64b8117f576684bce52e8227bbcb", outcome.multihash);
    check_image(store, in_dir("image"), stars, 5120);
}

static void row_35(void)
{
    struct outcome outcome = add("image", "", 0);
    CHECK_SIZE(0, outcome.size);
    CHECK_STR("d41d8cd98f00b204e9800998ecf8427e", outcome.checksum);
    CHECK(exists(text("%s/image", dir)));
}

static void mismatch(struct outcome outcome, const char *promised, const char *supplied)
{
    is(GS_SIZE_MISMATCH, outcome.status);
    CHECK_STR("Invalid", failure.name);
    CHECK_HAS(promised, failure.message);
    CHECK_HAS(supplied, failure.message);
    CHECK_STR("", listing(dir));
}

static void row_36(void)
{
    mismatch(add("image", "abc", 2), "2", "3");
    mismatch(add("image", "abc", 4), "4", "3");
    mismatch(add("image", "abc", 0), "0", "");
    is(GS_OK, add("exact", "abc", 3).status);
    is(GS_OK, add("unknown", "abc", GS_SIZE_UNKNOWN).status);
}

static void row_37(void)
{
    struct outcome outcome = add("image", repeated('*', 1120), 1020);
    mismatch(outcome, "1020", "");
    CHECK(outcome.source.at > 1020);
    CHECK(outcome.source.at <= 1030);
}

static void row_38(void)
{
    struct outcome outcome = add("image", repeated('*', 800), 1000);
    mismatch(outcome, "1000", "800");
    CHECK_SIZE(800, outcome.source.at);
}

static void row_39(void)
{
    add("image", "abc", 3);
    is(GS_DUPLICATE, add("image", "abc", 3).status);
    is(GS_DUPLICATE, add("image", "nevergonnamakeit", GS_SIZE_UNKNOWN).status);
    CHECK_STR("Duplicate", failure.name);
    check_image(store, in_dir("image"), "abc", 3);
}

static void unknown_hash(const char *name)
{
    struct outcome outcome = add_to(store, "image", "abc", 3, 3, name);
    is(GS_UNKNOWN_HASH, outcome.status);
    CHECK_STR("UnknownHashingAlgo", failure.name);
    CHECK_HAS(name, failure.message);
    CHECK_INT(0, outcome.source.calls);
    CHECK_STR("", listing(dir));
}

static void row_40(void)
{
    add("image", "abc", 3);
    is(GS_UNKNOWN_HASH, add_to(store, "image", "abc", 3, 3, "nope").status);
    check_image(store, in_dir("image"), "abc", 3);
}

static void row_41(void) { unknown_hash("nope"); }

static void row_42(void)
{
    struct outcome outcome = add_to(store, "image", "hello", 5, 5, "sha512");
    CHECK_STR("9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"
              "2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043", outcome.multihash);
    CHECK_STR("5d41402abc4b2a76b9719d911017c592", outcome.checksum);
}

static void row_43(void) { CHECK_STR("", add_to(store, "image", "abc", 3, 3, NULL).multihash); }
static void row_44(void) { unknown_hash("SHA256"); }

struct verifier { const char *expected; size_t seen; int answer; };

static int verify(void *user, const uint8_t *data, size_t len)
{
    struct verifier *verifier = user;
    CHECK(memcmp(verifier->expected + verifier->seen, data, len) == 0);
    verifier->seen += len;
    return verifier->answer;
}

static gs_status add_verified(struct verifier *verifier, const char *data, uint64_t size)
{
    struct source source = { .data = (const uint8_t *)data, .len = strlen(data), .piece = 10 };
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    opts.verify = verify;
    opts.verify_user = verifier;
    gs_status status = RETURNS(gs_add(store, "image", size, source_read, &source, &opts, &image, ERR));
    gs_image_free(image);
    return status;
}

static void row_45(void)
{
    struct verifier verifier = { .expected = "thirteenbytes" };
    is(GS_OK, add_verified(&verifier, "thirteenbytes", 13));
    CHECK_SIZE(13, verifier.seen);
}

static void row_46(void)
{
    struct verifier verifier = { .expected = "thirteenbytes", .answer = 1 };
    is(GS_VERIFY_FAILED, add_verified(&verifier, "thirteenbytes", 13));
    CHECK_STR("", listing(dir));
}

static void row_47(void)
{
    struct verifier verifier = { .expected = "thirteenbytes" };
    is(GS_SIZE_MISMATCH, add_verified(&verifier, "thirteenbytes", 12));
    CHECK(verifier.seen <= 12);
    CHECK_STR("", listing(dir));
}

struct failing { unsigned calls; int errnum; };

static int64_t read_and_fail(void *user, uint8_t *buf, size_t len)
{
    struct failing *failing = user;
    CHECK(len > 0);
    *buf = 'x';
    return failing->calls++ == 0 ? 1 : -failing->errnum;
}

static void reader_fails(int errnum)
{
    struct failing failing = { .errnum = errnum };
    gs_image      *image = NULL;
    FAILS(GS_CALLBACK, gs_add(store, "image", GS_SIZE_UNKNOWN, read_and_fail, &failing, NULL, &image, ERR));
    CHECK_INT(errnum, failure.errnum);
    CHECK_STR("", listing(dir));
}

static void row_48(void) { reader_fails(EINVAL); }
static void row_49(void) { reader_fails(ENOSPC); reader_fails(EIO); }

static void row_57(void)
{
    static const struct { const char *size; gs_status status; } sizes[] = { { "1073741824", GS_OK }, { "0", GS_BAD_CONFIG } };
    for (int i = 0; i < 2; i++)
        is(sizes[i].status, try_open(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                              { "glance_store", "filesystem_store_chunk_size", sizes[i].size })));
}

/* ---- Getting, deleting -------------------------------------------------------------------------- */

static void row_75(void)
{
    static const struct { uint64_t offset, length; const char *content; } parts[] = {
        { 0, 0, "chunk00000remainder" }, { 5, 0, "00000remainder" }, { 0, 5, "chunk" }, { 5, 5, "00000" }, { 17, 5, "er" },
        { 0, 15, "chunk00000remai" }, { 0, 1000, "chunk00000remainder" }, { 19, 0, "" }, { 100, 0, "" },
    };
    add("image", "chunk00000remainder", 19);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *content;
        is(GS_OK, get_part(in_dir("image"), parts[i].offset, parts[i].length, &content));
        CHECK_STR(parts[i].content, content);
    }
}

static void row_76(void)
{
    const char *all = "", *byte;
    add("image", "chunk00000remainder", 19);
    for (uint64_t offset = 0; offset < 19; offset++) {
        is(GS_OK, get_part(in_dir("image"), offset, 1, &byte));
        all = text("%s%s", all, byte);
    }
    CHECK_STR("chunk00000remainder", all);
}

static void row_77(void)
{
    is(GS_NOT_FOUND, get(in_dir("absent")));
    CHECK_STR("NotFound", failure.name);
    is(GS_NOT_FOUND, get_size(in_dir("absent")));
    is(GS_NOT_FOUND, delete(in_dir("absent")));
}

static void row_78(void)
{
    add("image", "abc", 3);
    is(GS_OK, delete(in_dir("image")));
    is(GS_NOT_FOUND, get(in_dir("image")));
}

static void row_79(void)
{
    MUST(mkdir(text("%s/folder", dir), 0700) == 0);
    is(GS_FORBIDDEN, delete(in_dir("folder")));
    CHECK_STR("Forbidden", failure.name);
}

static void row_81(void)
{
    add("image", "abc", 3);
    MUST(symlink("image", text("%s/link", dir)) == 0);
    is(GS_OK, delete(in_dir("link")));
    CHECK(!exists(text("%s/link", dir)));
    check_image(store, in_dir("image"), "abc", 3);
}

static const struct { const char *number, *what; void (*run)(void); } rows[] = {
    { "1", "the default stores open", row_1 },
    { "2", "no stores: every scheme is unknown", row_2 },
    { "3", "default_store has to be there", row_3 },
    { "4", "default_store has to be a scheme", row_4 },
    { "5", "s3 without a store for it", row_5 },
    { "6", "unknown and missing schemes", row_6 },
    { "8", "an id that is not enabled", row_8 },
    { "10", "enabled_backends", row_10 },
    { "11", "a reserved store", row_11 },
    { "12", "default_backend has to be there, but may be left out", row_12 },
    { "13", "no store named: the default one", row_13 },
    { "14", "weights", row_14 },
    { "15", "access lists, but not supported is said", row_15 },
    { "16", "the store of a URI, but an unknown scheme is said", row_16 },
    { "17", "delete by a store that does not serve the scheme", row_17 },
    { "18", "no store for the URI", row_18 },
    { "27", "the bits of a file store", row_27 },
    { "31", "a misconfigured file store", row_31 },
    { "32", "no data directory", row_32 },
    { "34", "5120 stars", row_34 },
    { "35", "an empty image", row_35 },
    { "36", "sizes off by one, but 0 is a size and unknown another", row_36 },
    { "37", "100 bytes too many", row_37 },
    { "38", "200 bytes too few", row_38 },
    { "39", "an id twice", row_39 },
    { "40", "an id twice and an unknown hash, but the hash is said", row_40 },
    { "41", "an unknown hash", row_41 },
    { "42", "sha512 of hello", row_42 },
    { "43", "no hash name", row_43 },
    { "44", "a hash name in capitals", row_44 },
    { "45", "verify sees all", row_45 },
    { "46", "verify fails", row_46 },
    { "47", "verify sees nothing beyond the size", row_47 },
    { "48", "the reader fails after its first chunk", row_48 },
    { "49", "the reader's errno, but as the callback's", row_49 },
    { "57", "chunk sizes", row_57 },
    { "75", "parts of an image, but with the size that is there", row_75 },
    { "76", "an image byte by byte", row_76 },
    { "77", "an image that is not there", row_77 },
    { "78", "an image that is not there any more", row_78 },
    { "79", "delete of a directory", row_79 },
    { "81", "delete of a link", row_81 },
};

int main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("behaviour %s, %s", rows[i].number, rows[i].what);
        dir = new_dir();
        reg = file_registry(dir);
        store = default_store(reg);
        rows[i].run();
        gs_registry_free(reg);
    }
    return check_result();
}
