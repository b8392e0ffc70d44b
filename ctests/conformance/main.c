/* What every store that can be written to promises, shown on the one that the
 * environment names (backend.h). */
#include "backend.h"

#include <string.h>

static void check_description(void)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store_get_info(store, &info);
    check_context("the store's description");
    CHECK_STR("", info.add_disabled ? info.add_disabled : "");
    CHECK((info.capabilities & GS_CAN_READ) != 0);
    CHECK((info.capabilities & GS_CAN_WRITE) != 0);
    CHECK(*info.id && *info.driver);
    CHECK(info.schemes[0] != NULL);
    CHECK(gs_has(text("driver:%s", info.driver)));
}

int main(void)
{
    backend_open();
    const char *before = holdings();
    check_description();
    check_roundtrips();
    check_reads();
    check_refusals();
    check_cancels();
    check_company();
    check_context("after everything");
    CHECK_STR(before, holdings());
    backend_close();
    return check_result();
}
