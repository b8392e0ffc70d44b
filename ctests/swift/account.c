#include "account.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Accounts --------------------------------------------------------------------- */

/* A text as it stands in JSON. */
static const char *quoted(const char *plain)
{
    const char *all = "";
    for (; *plain; plain++)
        all = text("%s%s%c", all, *plain == '"' || *plain == '\\' ? "\\" : "", *plain);
    return text("\"%s\"", all);
}

struct account keystone_account(const char *user, const char *key, const char *storage)
{
    const char *colon = strchr(user, ':');
    MUST(colon != NULL);
    const char *body = text("{\"auth\":{\"identity\":{\"methods\":[\"password\"],\"password\":{\"user\":{\"name\":%s,"
                            "\"password\":%s,\"domain\":{\"id\":\"default\"}}}},\"scope\":{\"project\":{\"name\":\"%.*s\","
                            "\"domain\":{\"id\":\"default\"}}}}}",
                            quoted(colon + 1), quoted(key), (int)(colon - user), user);
    struct reply reply = request_ok("POST", text("%s/auth/tokens", swift("SWIFT_KEYSTONE_URL")),
                                    "Content-Type: application/json\r\n", body, strlen(body));
    struct account account = { .storage = storage, .token = reply_header(&reply, "X-Subject-Token") };
    account.header = text("X-Auth-Token: %s\r\n", account.token);
    reply_free(&reply);
    return account;
}

struct account demo_account(void)
{
    return keystone_account(swift("SWIFT_USER"), swift("SWIFT_KEY"), swift("SWIFT_STORAGE_URL"));
}

struct account v1_account(void)
{
    const char    *headers = text("X-Auth-User: %s\r\nX-Auth-Key: %s\r\n", swift("SWIFT_V1_USER"), swift("SWIFT_V1_KEY"));
    struct reply   reply = request_ok("GET", swift("SWIFT_V1_URL"), headers, NULL, 0);
    struct account account = { .storage = reply_header(&reply, "X-Storage-Url"),
                               .token = reply_header(&reply, "X-Auth-Token") };
    account.header = text("X-Auth-Token: %s\r\n", account.token);
    reply_free(&reply);
    return account;
}

/* ---- Containers and objects ---------------------------------------------------------- */

struct made {
    struct made   *next;
    struct account account;
    const char    *container;
    pid_t          owner;
};

static struct made *all_made;

const char *object_url(const struct account *account, const char *container, const char *name)
{
    return text("%s/%s%s%s", account->storage, container, *name ? "/" : "", name);
}

static void call(const char *method, const struct account *account, const char *container, const char *name)
{
    struct reply reply = request(method, object_url(account, container, name), account->header, NULL, 0);
    reply_free(&reply);
}

static void remove_containers(void)
{
    while (all_made) {
        struct made *made = all_made;
        all_made = made->next;
        if (made->owner == getpid() && container_exists(&made->account, made->container)) {
            const char *names = names_in(&made->account, made->container);
            for (const char *end; (end = strchr(names, '\n')) != NULL; names = end + 1)
                call("DELETE", &made->account, made->container, text("%.*s", (int)(end - names), names));
            call("DELETE", &made->account, made->container, "");
        }
        free(made);
    }
}

const char *free_container(const struct account *account)
{
    static unsigned count;
    struct made    *made = malloc(sizeof *made);
    MUST(made != NULL);
    *made = (struct made){ .next = all_made, .account = *account, .owner = getpid() };
    made->container = text("gs-test-%u-%u", (unsigned)getpid(), count++);
    /* Registered before the texts that it needs are thrown away: run before them. */
    if (!all_made)
        atexit(remove_containers);
    all_made = made;
    return made->container;
}

const char *new_container(const struct account *account)
{
    const char  *container = free_container(account);
    struct reply reply = request_ok("PUT", object_url(account, container, ""), account->header, NULL, 0);
    reply_free(&reply);
    return container;
}

bool container_exists(const struct account *account, const char *container)
{
    struct reply reply = request("HEAD", object_url(account, container, ""), account->header, NULL, 0);
    int          status = reply.status;
    reply_free(&reply);
    MUST(status == 204 || status == 404);
    return status == 204;
}

static const char *listed(const struct account *account, const char *container, const char *query)
{
    struct reply reply = request_ok("GET", text("%s%s", object_url(account, container, ""), query), account->header, NULL, 0);
    const char  *body = text("%s", reply.body);
    reply_free(&reply);
    return body;
}

const char *contents(const struct account *account, const char *container)
{
    return listed(account, container, "?format=json");
}

const char *names_in(const struct account *account, const char *container)
{
    return listed(account, container, "");
}

void put_object(const struct account *account, const char *container, const char *name, const char *headers,
                const void *data, size_t len)
{
    const char  *all = text("%s%s", account->header, headers ? headers : "");
    struct reply reply = request_ok("PUT", object_url(account, container, name), all, data, len);
    reply_free(&reply);
}

void delete_object(const struct account *account, const char *container, const char *name)
{
    struct reply reply = request_ok("DELETE", object_url(account, container, name), account->header, NULL, 0);
    reply_free(&reply);
}

struct reply head_object(const struct account *account, const char *container, const char *name)
{
    return request("HEAD", object_url(account, container, name), account->header, NULL, 0);
}

/* ---- Stores ---------------------------------------------------------------------------- */

enum { MOST_SETTINGS = 40 };

struct settings { struct setting all[MOST_SETTINGS]; size_t count; };

static void append(struct settings *settings, const struct setting *more)
{
    for (; more && more->key; more++) {
        MUST(settings->count + 1 < MOST_SETTINGS);
        settings->all[settings->count++] = *more;
    }
}

#define GROUP "glance_store"

static struct settings keystone_settings(const char *container)
{
    struct settings settings = { 0 };
    append(&settings, SETTINGS({ GROUP, "stores", "swift" }, { GROUP, "default_store", "swift" },
                               { GROUP, "swift_store_auth_address", swift("SWIFT_KEYSTONE_URL") },
                               { GROUP, "swift_store_user", swift("SWIFT_USER") },
                               { GROUP, "swift_store_key", swift("SWIFT_KEY") },
                               { GROUP, "swift_store_container", container },
                               { GROUP, "swift_store_large_object_size", "1" },
                               { GROUP, "swift_store_large_object_chunk_size", "1" }));
    return settings;
}

gs_registry *registry_in(const char *container, const struct setting *more)
{
    struct settings settings = keystone_settings(container);
    append(&settings, more);
    return registry_of(settings.all);
}

gs_status try_swift(const char *container, const struct setting *more)
{
    struct settings settings = keystone_settings(container);
    append(&settings, more);
    return try_open(settings.all);
}

gs_registry *v1_registry(const char *container, const struct setting *more)
{
    struct settings settings = keystone_settings(container);
    append(&settings, SETTINGS({ GROUP, "swift_store_auth_version", "1" },
                               { GROUP, "swift_store_auth_address", swift("SWIFT_V1_URL") },
                               { GROUP, "swift_store_user", swift("SWIFT_V1_USER") },
                               { GROUP, "swift_store_key", swift("SWIFT_V1_KEY") }));
    append(&settings, more);
    return registry_of(settings.all);
}

gs_registry *spoilt_registry(const struct faults *faults, const char *container, const struct setting *more)
{
    struct settings settings = keystone_settings(container);
    append(&settings, SETTINGS({ GROUP, "swift_store_auth_address", keystone_through(faults) }));
    append(&settings, more);
    return registry_of(settings.all);
}

const char *new_id(void)
{
    static unsigned count;
    return text("%08x-cafe-4000-8000-%012x", (unsigned)getpid(), __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
}

const char *try_add(gs_store *store, const char *id, const void *data, size_t len, uint64_t size, gs_status wanted)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    GIVES(wanted, gs_add(store, id, size, source_read, &source, NULL, &image, ERR));
    gs_image_get_info(image, &info);
    const char *uri = image ? text("%s", info.uri) : NULL;
    gs_image_free(image);
    return uri;
}

/* ---- Processes --------------------------------------------------------------------------- */

int in_processes(size_t count, int (*run)(size_t share))
{
    enum { MOST = 8 };
    pid_t children[MOST];
    MUST(count <= MOST);
    fflush(NULL);
    for (size_t i = 0; i < count; i++) {
        children[i] = fork();
        MUST(children[i] >= 0);
        if (children[i] == 0)
            exit(run(i));
    }
    for (size_t i = 0; i < count; i++) {
        check_context("the process with share %zu", i);
        CHECK_INT(0, wait_for(children[i]));
    }
    return check_result();
}
