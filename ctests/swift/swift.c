#include "swift.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *swift(const char *name)
{
    const char *value = getenv(name);
    MUST(value != NULL);
    return value;
}

/* ---- The proxy ---------------------------------------------------------------- */

static const char *server_of(const char *url)
{
    const char *address = strstr(url, "//") + 2;
    return text("%.*s", (int)strcspn(address, "/"), address);
}

struct faults *swift_faults(void)
{
    return faults_start(text("keystone=%s", server_of(swift("SWIFT_KEYSTONE_URL"))),
                        text("swift=%s", server_of(swift("SWIFT_URL"))), NULL);
}

const char *keystone_through(const struct faults *faults)
{
    return text("%s/v3", faults_url(faults, "keystone"));
}

const char *tempauth_through(const struct faults *faults)
{
    return text("%s/auth/v1.0", faults_url(faults, "swift"));
}

/* ---- Stores ------------------------------------------------------------------- */

const char *own_container(void)
{
    return text("tests-%u", (unsigned)getpid());
}

static gs_config *swift_config(const char *auth_address, const char *key, va_list settings)
{
    gs_config *config = config_of(SETTINGS({ "glance_store", "stores", "swift" },
                                           { "glance_store", "default_store", "swift" },
                                           { "glance_store", "swift_store_auth_address", auth_address },
                                           { "glance_store", "swift_store_user", swift("SWIFT_USER") },
                                           { "glance_store", "swift_store_key", swift("SWIFT_KEY") },
                                           { "glance_store", "swift_store_container", own_container() },
                                           { "glance_store", "swift_store_create_container_on_put", "true" },
                                           { "glance_store", "swift_store_retries", "0" }));
    for (; key; key = va_arg(settings, const char *))
        MUST(OK(gs_config_set(config, "glance_store", key, va_arg(settings, const char *), ERR)));
    return config;
}

gs_registry *swift_registry(const char *auth_address, const char *key, ...)
{
    gs_registry *reg = NULL;
    va_list      settings;
    va_start(settings, key);
    gs_config *config = swift_config(auth_address, key, settings);
    va_end(settings);
    MUST(OK(gs_registry_open(config, &reg, ERR)));
    gs_config_free(config);
    return reg;
}

/* ---- What the servers hold ------------------------------------------------------ */

const char *own_listing(const char *storage_url, const char *token)
{
    const char  *header = text("X-Auth-Token: %s\r\n", token), *all = "";
    struct reply containers = request_ok("GET", text("%s?prefix=%s", storage_url, own_container()), header, NULL, 0);
    char        *rest = containers.body;
    for (char *container; (container = strsep(&rest, "\n")) && *container;) {
        struct reply objects = request_ok("GET", text("%s/%s", storage_url, container), header, NULL, 0);
        char        *more = objects.body;
        all = text("%s%s\n", all, container);
        for (char *object; (object = strsep(&more, "\n")) && *object;)
            all = text("%s%s/%s\n", all, container, object);
        reply_free(&objects);
    }
    reply_free(&containers);
    return all;
}

/* ---- Users ---------------------------------------------------------------------- */

/* The value of a key whose value is an array; no text in it has brackets. */
static const char *array_of(const char *json, const char *key)
{
    const char *start = strstr(json, text("\"%s\":", key)), *end;
    MUST(start != NULL);
    start = strchr(start, '[');
    end = start;
    for (int depth = 0; *end;) {
        depth += (*end == '[') - (*end == ']');
        end++;
        if (depth == 0)
            break;
    }
    return text("%.*s", (int)(end - start), start);
}

struct login log_in(const char *user, const char *key, const char *project_id)
{
    const char *name = strchr(user, ':') + 1;
    const char *body = text("{\"auth\": {\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\":"
                            " {\"name\": \"%s\", \"password\": \"%s\", \"domain\": {\"id\": \"default\"}}}},"
                            " \"scope\": {\"project\": {\"name\": \"%.*s\", \"domain\": {\"id\": \"default\"}}}}}",
                            name, key, (int)(name - 1 - user), user);
    struct reply reply = request_ok("POST", text("%s/auth/tokens", swift("SWIFT_KEYSTONE_URL")),
                                    "Content-Type: application/json\r\n", body, strlen(body));
    struct login login = { .token = reply_header(&reply, "X-Subject-Token"), .catalogue = array_of(reply.body, "catalog") };
    login.context = (gs_context)GS_CONTEXT_INIT;
    login.context.auth_token = login.token;
    login.context.service_catalog_json = login.catalogue;
    login.context.project_id = project_id;
    reply_free(&reply);
    return login;
}
