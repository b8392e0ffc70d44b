/* Images of more segments than the server takes in one list, and deletes at once:
 * lists of lists, of which every one goes. */
#include "account.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS = 23, LEN = (SEGMENTS - 1) * UNIT + 5 };

static struct account account;
static const char    *container;

static unsigned count(const char *names, const char *part)
{
    unsigned found = 0;
    while ((names = strstr(names, part)) != NULL) {
        found++;
        names += strlen(part);
    }
    return found;
}

/* Whoever has the server delete all at once loses the image's own list, and little else. */
static void delete_at_once(const char *id)
{
    const char  *url = text("%s?multipart-manifest=delete", object_url(&account, container, id));
    struct reply reply = request("DELETE", url, text("%sAccept: application/json\r\n", account.header), NULL, 0);
    CHECK_HAS("400 Bad Request", reply.body);
    reply_free(&reply);
    CHECK_LACKS(text("%s\n", id), names_in(&account, container));
    CHECK_HAS(text("%s-00001\n", id), names_in(&account, container));
}

int main(void)
{
    account = demo_account();
    account.storage = getenv("LISTS_STORAGE_URL");
    MUST(account.storage != NULL);
    container = new_container(&account);
    uint8_t     *data = new_data(LEN, RANDOM_DATA);
    gs_registry *reg = registry_in(container, SETTINGS({ "glance_store", "swift_store_endpoint", account.storage },
                                                       { "glance_store", "swift_store_manifest", "slo" },
                                                       { "glance_store", "transfer_memory", "8" }));
    for (int refused = 0; refused < 2; refused++) {
        const char *id = new_id();
        check_context("a list of lists%s", refused ? ", of which the server has deleted some" : "");
        const char *uri = try_add(default_store(reg), id, data, LEN, LEN, GS_OK);
        const char *names = names_in(&account, container);
        CHECK_INT(SEGMENTS, (int)(count(names, text("%s-000", id))));
        /* 12 of two segments at most, 6 of these, 3, and 2 that the image names. */
        CHECK_INT(12 + 6 + 3 + 2, (int)count(names, "-slo-"));
        check_image(default_store(reg), uri, data, LEN);
        if (refused) {
            delete_at_once(id);
            FAILS(GS_NOT_FOUND, gs_delete(default_store(reg), uri, NULL, ERR));
        } else {
            OK(gs_delete(default_store(reg), uri, NULL, ERR));
        }
        CHECK_STR("", names_in(&account, container));
        check_absent(default_store(reg), uri);
    }
    gs_registry_free(reg);
    free(data);
    return check_result();
}
