/* URIs: which are accepted and how they are written back, which scheme and store
 * they have, and which store they resolve to. No I/O happens for any of it. */
#include "testing.h"

#include <string.h>
#include <sys/stat.h>

static gs_registry *reg;
static gs_store    *store;

/* canonical NULL: refused, or written back in a form that is left open. */
static const struct { const char *uri, *canonical; gs_status status; } rows[] = {
    { "file:///a/b", "file:///a/b", GS_OK },
    { "filesystem:///a/b", "file:///a/b", GS_OK },
    { "FILE:///a/b", "file:///a/b", GS_OK },
    { "FileSystem:///a/b", "file:///a/b", GS_OK },
    { "file://localhost/a/b", "file:///a/b", GS_OK },
    { "file:///a%20b", "file:///a%20b", GS_OK },
    { "file:///a;p=1", "file:///a;p=1", GS_OK },
    { "file:///a b ", "file:///a b", GS_OK },
    { "file:///a?b=c", "file:///a", GS_OK },
    { "file:///a#f", "file:///a", GS_OK },
    { "file:///var/lib/glance/images/\xc3\xa9", "file:///var/lib/glance/images/\xc3\xa9", GS_OK },
    { "file:////a/b", NULL, GS_OK },
    { "file://", NULL, GS_BAD_URI },
    { "file://   ", NULL, GS_BAD_URI },
    { "file://host/a", NULL, GS_BAD_URI },
    { "file://host", NULL, GS_BAD_URI },
    { "file://127.0.0.1/a", NULL, GS_BAD_URI },
    { "file://user@localhost/a", NULL, GS_BAD_URI },
    { "file://localhost:80/a", NULL, GS_BAD_URI },
    { "file://localhost", NULL, GS_BAD_URI },
    { "file:a", NULL, GS_BAD_URI },
    { "file:", NULL, GS_BAD_URI },
    { "unknown://x", NULL, GS_UNKNOWN_SCHEME },
    { "", NULL, GS_UNKNOWN_SCHEME },
    { "/abs/path", NULL, GS_UNKNOWN_SCHEME },
    { "noscheme", NULL, GS_UNKNOWN_SCHEME },
    { "filexx", NULL, GS_UNKNOWN_SCHEME },
    { "fil://a", NULL, GS_UNKNOWN_SCHEME },
    { "://a", NULL, GS_UNKNOWN_SCHEME },
    { ":", NULL, GS_UNKNOWN_SCHEME },
    { "s3://bucket/key", NULL, GS_UNKNOWN_SCHEME },
    { "1file:///a", NULL, GS_UNKNOWN_SCHEME },
};

static void check_location(const gs_location *location, const char *canonical, const char *id)
{
    gs_location_info info = GS_LOCATION_INFO_INIT;
    gs_location_get_info(location, &info);
    CHECK_STR(canonical, info.uri);
    CHECK_STR(canonical, info.safe_uri);
    CHECK(strcmp(info.scheme, "file") == 0 || strcmp(info.scheme, "filesystem") == 0);
    CHECK_STR(id, info.store_id);
}

static void parsing(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int resolved = 0; resolved < 2; resolved++) {
            gs_location *location = NULL;
            check_context("\"%s\"%s", rows[i].uri, resolved ? ", store resolved" : "");
            gs_status status = RETURNS(gs_location_parse(reg, resolved ? NULL : store, rows[i].uri, &location, ERR));
            CHECK_STR(status_name(rows[i].status), status_name(status));
            CHECK((location != NULL) == (status == GS_OK));
            if (location && rows[i].canonical)
                check_location(location, rows[i].canonical, "file");
            gs_location_free(location);
        }
}

/* What was written back is itself accepted and stays the same. */
static void canonical_twice(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].canonical)
            continue;
        gs_location *location = NULL;
        check_context("canonical \"%s\"", rows[i].canonical);
        if (OK(gs_location_parse(reg, store, rows[i].canonical, &location, ERR)))
            check_location(location, rows[i].canonical, "file");
        gs_location_free(location);
    }
}

static void schemes(void)
{
    static const struct { const char *uri; gs_status status; } resolved[] = {
        { "file:///a", GS_OK }, { "FILE:///a", GS_OK }, { "filesystem:///a", GS_OK }, { "fIlEsYsTeM:///a", GS_OK },
        { "http://h/a", GS_UNKNOWN_SCHEME }, { "", GS_UNKNOWN_SCHEME }, { "/a", GS_UNKNOWN_SCHEME }, { "a", GS_UNKNOWN_SCHEME },
    };
    for (size_t i = 0; i < sizeof resolved / sizeof *resolved; i++) {
        gs_store *found = NULL;
        check_context("resolve \"%s\"", resolved[i].uri);
        gs_status status = RETURNS(gs_registry_resolve(reg, resolved[i].uri, &found, ERR));
        CHECK_STR(status_name(resolved[i].status), status_name(status));
        CHECK(found == (status == GS_OK ? store : NULL));
    }
}

static void resolves(const gs_registry *registry, const char *uri, const char *id)
{
    gs_store *found = NULL;
    check_context("resolve \"%s\" among several stores", uri);
    gs_status     status = RETURNS(gs_registry_resolve(registry, uri, &found, ERR));
    gs_store_info info = GS_STORE_INFO_INIT;
    CHECK_STR(id ? "GS_OK" : "GS_UNKNOWN_STORE", status_name(status));
    if (found)
        gs_store_get_info(found, &info);
    CHECK_STR(id, info.id);

    gs_location *location = NULL;
    status = RETURNS(gs_location_parse(registry, NULL, uri, &location, ERR));
    CHECK_STR(id ? "GS_OK" : "GS_UNKNOWN_STORE", status_name(status));
    gs_location_info where = GS_LOCATION_INFO_INIT;
    if (location)
        gs_location_get_info(location, &where);
    CHECK_STR(id, where.store_id);
    gs_location_free(location);
}

/* Several stores of one scheme: the longest data directory that holds the path,
 * by whole components. */
static void longest_directory(void)
{
    const char  *root = new_dir();
    gs_registry *several = registry_of(SETTINGS(
        { NULL, "enabled_backends", "outer:file, inner:file, sibling:file, many:file" },
        { "glance_store", "default_backend", "sibling" },
        { "outer", "filesystem_store_datadir", text("%s/images", root) },
        { "inner", "filesystem_store_datadir", text("%s/images/inner", root) },
        { "sibling", "filesystem_store_datadir", text("%s/images2", root) },
        { "many", "filesystem_store_datadir", "" },
        { "many", "filesystem_store_datadirs", text("%s/m1:2\n%s/m2:1", root, root) }));
    resolves(several, text("file://%s/images/a", root), "outer");
    resolves(several, text("file://%s/images/inner/a", root), "inner");
    resolves(several, text("file://%s/images2/a", root), "sibling");
    resolves(several, text("file://%s/m1/a", root), "many");
    resolves(several, text("filesystem://%s/m2/a", root), "many");
    resolves(several, text("FILE://%s/m2/a", root), "many");
    resolves(several, text("file://%s/images3/a", root), NULL);
    resolves(several, text("file://%s/image", root), NULL);
    resolves(several, "file:///a", NULL);

    check_context("a URI that its store's scheme does not know");
    gs_location *location = NULL;
    FAILS(GS_UNKNOWN_SCHEME, gs_location_parse(several, gs_registry_get(several, "outer"), "http://h/a", &location, ERR));
    gs_registry_free(several);
}

int main(void)
{
    const char *dir = new_dir();
    reg = file_registry(dir);
    store = default_store(reg);

    parsing();
    canonical_twice();
    schemes();
    longest_directory();

    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
    return check_result();
}
