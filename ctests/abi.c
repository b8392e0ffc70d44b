/* Prints what the ABI consists of beside its symbols: the layout of the public
 * structs and the values of the constants.  abi.sh compares it with abi.lock. */
#include <glance_store.h>

#include <inttypes.h>
#include <stdio.h>

#define SIZE(type) printf("sizeof %s %zu\n", #type, sizeof(type))
#define FIELD(type, field) \
    printf("field %s.%s at %zu size %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)0)->field))
#define CONSTANT(name) printf("constant %s %" PRIu64 "\n", #name, (uint64_t)(name))

static void structs(void)
{
    SIZE(gs_status);
    SIZE(gs_store_info);
    FIELD(gs_store_info, struct_size);
    FIELD(gs_store_info, id);
    FIELD(gs_store_info, driver);
    FIELD(gs_store_info, description);
    FIELD(gs_store_info, schemes);
    FIELD(gs_store_info, add_disabled);
    FIELD(gs_store_info, capabilities);
    FIELD(gs_store_info, weight);
    FIELD(gs_store_info, is_default);
    FIELD(gs_store_info, is_reserved);

    SIZE(gs_location_info);
    FIELD(gs_location_info, struct_size);
    FIELD(gs_location_info, uri);
    FIELD(gs_location_info, safe_uri);
    FIELD(gs_location_info, scheme);
    FIELD(gs_location_info, store_id);

    SIZE(gs_context);
    FIELD(gs_context, struct_size);
    FIELD(gs_context, user_id);
    FIELD(gs_context, project_id);
    FIELD(gs_context, auth_token);
    FIELD(gs_context, service_catalog_json);
    FIELD(gs_context, request_id);

    SIZE(gs_opts);
    FIELD(gs_opts, struct_size);
    FIELD(gs_opts, cancel);
    FIELD(gs_opts, context);
    FIELD(gs_opts, progress);
    FIELD(gs_opts, progress_user);
    FIELD(gs_opts, verify);
    FIELD(gs_opts, verify_user);
    FIELD(gs_opts, hash_name);
    FIELD(gs_opts, expect_checksum);
    FIELD(gs_opts, expect_multihash);
    FIELD(gs_opts, offset);
    FIELD(gs_opts, length);
    FIELD(gs_opts, timeout_ms);
    FIELD(gs_opts, flags);

    SIZE(gs_image_info);
    FIELD(gs_image_info, struct_size);
    FIELD(gs_image_info, uri);
    FIELD(gs_image_info, checksum);
    FIELD(gs_image_info, multihash);
    FIELD(gs_image_info, hash_name);
    FIELD(gs_image_info, store_id);
    FIELD(gs_image_info, metadata_json);
    FIELD(gs_image_info, size);
}

static void constants(void)
{
    CONSTANT(GS_VERSION_MAJOR);
    CONSTANT(GS_VERSION_MINOR);
    CONSTANT(GS_VERSION_PATCH);
    CONSTANT(GS_VERSION_NUMBER);

    CONSTANT(GS_OK);
    CONSTANT(GS_FAILED);
    CONSTANT(GS_INVALID);
    CONSTANT(GS_BUG);
    CONSTANT(GS_CANCELLED);
    CONSTANT(GS_TIMEOUT);
    CONSTANT(GS_CALLBACK);
    CONSTANT(GS_FORKED);
    CONSTANT(GS_NOT_FOUND);
    CONSTANT(GS_DUPLICATE);
    CONSTANT(GS_STORAGE_FULL);
    CONSTANT(GS_WRITE_DENIED);
    CONSTANT(GS_FORBIDDEN);
    CONSTANT(GS_NOT_AUTHENTICATED);
    CONSTANT(GS_IN_USE);
    CONSTANT(GS_UNKNOWN_SCHEME);
    CONSTANT(GS_BAD_URI);
    CONSTANT(GS_UNKNOWN_STORE);
    CONSTANT(GS_BAD_CONFIG);
    CONSTANT(GS_DRIVER_UNAVAILABLE);
    CONSTANT(GS_UNKNOWN_HASH);
    CONSTANT(GS_NOT_SUPPORTED);
    CONSTANT(GS_ADD_DISABLED);
    CONSTANT(GS_UNAVAILABLE);
    CONSTANT(GS_TOO_MANY_REDIRECTS);
    CONSTANT(GS_NO_ENDPOINT);
    CONSTANT(GS_SIZE_MISMATCH);
    CONSTANT(GS_VERIFY_FAILED);

    CONSTANT(GS_LOG_ERROR);
    CONSTANT(GS_LOG_WARN);
    CONSTANT(GS_LOG_INFO);
    CONSTANT(GS_LOG_DEBUG);
    CONSTANT(GS_LOG_TRACE);

    CONSTANT(GS_CAN_READ);
    CONSTANT(GS_CAN_READ_OFFSET);
    CONSTANT(GS_CAN_READ_CHUNK);
    CONSTANT(GS_CAN_READ_RANDOM);
    CONSTANT(GS_CAN_WRITE);
    CONSTANT(GS_CAN_WRITE_OFFSET);
    CONSTANT(GS_CAN_WRITE_CHUNK);
    CONSTANT(GS_CAN_WRITE_RANDOM);
    CONSTANT(GS_DRIVER_REUSABLE);

    CONSTANT(GS_SPARSE);
    CONSTANT(GS_NO_CHECKSUM);
    CONSTANT(GS_SIZE_UNKNOWN);
}

int main(void)
{
    structs();
    constants();
    return 0;
}
