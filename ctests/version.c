/* The header's version and the loaded library's are one, whole and part by part. */
#include "testing.h"

int main(void)
{
    uint32_t number = gs_version_number();
    CHECK_INT(GS_VERSION_NUMBER, number);
    CHECK_INT(GS_VERSION_MAJOR, number >> 16);
    CHECK_INT(GS_VERSION_MINOR, number >> 8 & 0xff);
    CHECK_INT(GS_VERSION_PATCH, number & 0xff);
    CHECK_STR(text("%d.%d.%d", GS_VERSION_MAJOR, GS_VERSION_MINOR, GS_VERSION_PATCH), gs_version());

    CHECK(gs_has("driver:file"));
    CHECK(!gs_has("driver:nonesuch"));
    CHECK(!gs_has("driver:"));
    CHECK(!gs_has("file"));
    CHECK(!gs_has(""));
    CHECK(!gs_has("hash:SHA256"));
    return check_result();
}
