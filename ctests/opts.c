/* An option that the operation does not use has to be zero, so that a typo
 * surfaces: GS_INVALID, naming the field. The same for contradictions and for
 * flags that the library does not know. */
#include "testing.h"

#include <string.h>

#define ABC_MD5 "900150983cd24fb0d6963f7d28e17f72"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static gs_store   *store;
static const char *uri;

static int verify(void *user, const uint8_t *data, size_t len)
{
    (void)user, (void)data, (void)len;
    return 0;
}

static int progress(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return 0;
}

/* ---- The operations ------------------------------------------------------ */

static gs_status add(const gs_opts *opts)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    gs_image     *image = NULL;
    gs_status     status = RETURNS(gs_add(store, "new", 3, source_read, &source, opts, &image, ERR));
    CHECK_INT(0, source.calls);
    CHECK(image == NULL);
    return status;
}

static gs_status add_fd(const gs_opts *opts)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_add_fd(store, "new", 3, 0, opts, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status copy(const gs_opts *opts)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_copy(store, "new", store, uri, opts, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status examine(const gs_opts *opts)
{
    gs_image *image = NULL;
    gs_status status = RETURNS(gs_examine(store, uri, opts, &image, ERR));
    CHECK(image == NULL);
    return status;
}

static gs_status get(const gs_opts *opts)
{
    struct sink sink = { 0 };
    gs_status   status = RETURNS(gs_get(store, uri, sink_write, &sink, opts, ERR));
    CHECK_INT(0, sink.calls);
    sink_free(&sink);
    return status;
}

static gs_status get_fd(const gs_opts *opts) { return RETURNS(gs_get_fd(store, uri, 1, opts, ERR)); }

static gs_status get_size(const gs_opts *opts)
{
    uint64_t size = 4711;
    gs_status status = RETURNS(gs_get_size(store, uri, opts, &size, ERR));
    CHECK_SIZE(4711, size);
    return status;
}

static gs_status delete(const gs_opts *opts) { return RETURNS(gs_delete(store, uri, opts, ERR)); }

static gs_status set_acls(const gs_opts *opts)
{
    return RETURNS(gs_set_acls(store, uri, false, NULL, NULL, opts, ERR));
}

static gs_status reader_open(const gs_opts *opts)
{
    gs_reader *reader = NULL;
    gs_status  status = RETURNS(gs_reader_open(store, uri, opts, &reader, ERR));
    CHECK(reader == NULL);
    return status;
}

/* ---- The fields ---------------------------------------------------------- */

static void with_progress(gs_opts *opts) { opts->progress = progress; }
static void with_verify(gs_opts *opts) { opts->verify = verify; }
static void with_hash_name(gs_opts *opts) { opts->hash_name = "sha256"; }
static void with_expect_checksum(gs_opts *opts) { opts->expect_checksum = ABC_MD5; }
static void with_offset(gs_opts *opts) { opts->offset = 1; }
static void with_length(gs_opts *opts) { opts->length = 1; }
static void with_progress_user(gs_opts *opts) { opts->progress_user = opts; }
static void with_verify_user(gs_opts *opts) { opts->verify_user = opts; }
static void with_sparse(gs_opts *opts) { opts->flags = GS_SPARSE; }
static void with_no_checksum(gs_opts *opts) { opts->flags = GS_NO_CHECKSUM; }

static void with_expect_multihash(gs_opts *opts)
{
    opts->hash_name = "sha256";
    opts->expect_multihash = ABC_SHA256;
}

enum {
    ADD = 1 << 0, ADD_FD = 1 << 1, COPY = 1 << 2, GET = 1 << 3, GET_FD = 1 << 4,
    GET_SIZE = 1 << 5, DELETE = 1 << 6, SET_ACLS = 1 << 7, READER_OPEN = 1 << 8, EXAMINE = 1 << 9,
    ADDS = ADD | ADD_FD | COPY | EXAMINE, GETS = GET | GET_FD, OTHERS = GET_SIZE | DELETE | SET_ACLS | READER_OPEN
};

static const struct {
    const char *name;
    int         bit;
    gs_status (*call)(const gs_opts *opts);
} operations[] = {
    { "gs_add", ADD, add }, { "gs_add_fd", ADD_FD, add_fd }, { "gs_copy", COPY, copy }, { "gs_examine", EXAMINE, examine },
    { "gs_get", GET, get }, { "gs_get_fd", GET_FD, get_fd }, { "gs_get_size", GET_SIZE, get_size },
    { "gs_delete", DELETE, delete }, { "gs_set_acls", SET_ACLS, set_acls }, { "gs_reader_open", READER_OPEN, reader_open },
};

static const struct {
    const char *name; /* as the message has to say it */
    int         refused_by;
    void (*set)(gs_opts *opts);
} fields[] = {
    { "progress", OTHERS, with_progress },
    { "verify", GETS | OTHERS, with_verify },
    { "progress_user", ADDS | GETS | OTHERS, with_progress_user },
    { "verify_user", ADDS | GETS | OTHERS, with_verify_user },
    { "hash_name", GETS | OTHERS, with_hash_name }, /* gs_get*: only beside expect_multihash */
    { "expect_checksum", OTHERS, with_expect_checksum },
    { "hash", OTHERS, with_expect_multihash },
    { "offset", ADDS | OTHERS, with_offset },
    { "length", ADDS | OTHERS, with_length },
    { "flags", ADDS | OTHERS, with_sparse },
    { "flags", GETS | OTHERS, with_no_checksum },
};

static void unused_fields(void)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (size_t j = 0; j < sizeof fields / sizeof *fields; j++) {
            if (!(fields[j].refused_by & operations[i].bit))
                continue;
            gs_opts opts = GS_OPTS_INIT;
            check_context("%s with %s", operations[i].name, fields[j].name);
            fields[j].set(&opts);
            CHECK_STR("GS_INVALID", status_name(operations[i].call(&opts)));
            CHECK_HAS(fields[j].name, failure.message);
        }
}

static void unknown_flags(void)
{
    static const uint32_t unknown[] = { 1u << 2, 1u << 15, 1u << 31, UINT32_MAX };
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (size_t j = 0; j < sizeof unknown / sizeof *unknown; j++) {
            gs_opts opts = GS_OPTS_INIT;
            check_context("%s with flags %#x", operations[i].name, unknown[j]);
            opts.flags = unknown[j];
            CHECK_STR("GS_INVALID", status_name(operations[i].call(&opts)));
            CHECK_HAS("flag", failure.message);
        }
}

/* Fields that are fine alone and make no sense together. */
static void contradictions(void)
{
    gs_opts opts = GS_OPTS_INIT;
    check_context("expect_multihash without hash_name");
    opts.expect_multihash = ABC_SHA256;
    CHECK_STR("GS_INVALID", status_name(add(&opts)));
    CHECK_HAS("hash_name", failure.message);
    CHECK_STR("GS_INVALID", status_name(copy(&opts)));
    CHECK_STR("GS_INVALID", status_name(get(&opts)));
    CHECK_STR("GS_INVALID", status_name(get_fd(&opts)));

    check_context("expect_checksum with GS_NO_CHECKSUM");
    opts = (gs_opts)GS_OPTS_INIT;
    opts.expect_checksum = ABC_MD5;
    opts.flags = GS_NO_CHECKSUM;
    CHECK_STR("GS_INVALID", status_name(add(&opts)));
    CHECK_STR("GS_INVALID", status_name(add_fd(&opts)));
    CHECK_STR("GS_INVALID", status_name(copy(&opts)));
    CHECK_STR("GS_INVALID", status_name(examine(&opts)));

    for (int i = 0; i < 2; i++) {
        check_context("an expected hash of a part");
        opts = (gs_opts)GS_OPTS_INIT;
        opts.expect_checksum = ABC_MD5;
        opts.offset = i == 0 ? 1 : 0;
        opts.length = i == 1 ? 1 : 0;
        CHECK_STR("GS_INVALID", status_name(get(&opts)));
        CHECK_STR("GS_INVALID", status_name(get_fd(&opts)));
        opts.expect_checksum = NULL;
        opts.hash_name = "sha256";
        opts.expect_multihash = ABC_SHA256;
        CHECK_STR("GS_INVALID", status_name(get(&opts)));
        CHECK_STR("GS_INVALID", status_name(get_fd(&opts)));
    }
}

/* What every operation takes: cancel, context and timeout_ms. */
static void shared_fields(void)
{
    gs_context context = GS_CONTEXT_INIT;
    gs_opts    opts = GS_OPTS_INIT;
    uint64_t   size;
    gs_reader *reader = NULL;
    gs_image  *image = NULL;
    struct sink sink = { 0 };
    check_context("cancel, context and timeout_ms");
    context.user_id = "user";
    context.request_id = "req-1";
    opts.cancel = gs_cancel_new();
    opts.context = &context;
    opts.timeout_ms = 600000;
    OK(gs_get_size(store, uri, &opts, &size, ERR));
    OK(gs_get(store, uri, sink_write, &sink, &opts, ERR));
    OK(gs_reader_open(store, uri, &opts, &reader, ERR));
    OK(gs_copy(store, "copy", store, uri, &opts, &image, ERR));
    FAILS(GS_NOT_SUPPORTED, gs_set_acls(store, uri, false, NULL, NULL, &opts, ERR));
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_image_get_info(image, &info);
    OK(gs_delete(store, info.uri, &opts, ERR));
    gs_image_free(image);
    gs_reader_free(reader);
    gs_cancel_free(opts.cancel);
    sink_free(&sink);
}

int main(void)
{
    const char  *dir = new_dir();
    gs_registry *reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "image", "abc", 3);
    const char *before = listing(dir);

    unused_fields();
    unknown_flags();
    contradictions();
    shared_fields();

    CHECK_STR(before, listing(dir));
    gs_registry_free(reg);
    return check_result();
}
