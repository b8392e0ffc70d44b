/* commands.c - what the program can do. */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "files.h"

/* ---- stores ------------------------------------------------------------ */

static const char *unless_empty(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static void print_store(struct output *out, const gs_store_info *info)
{
    output_record_begin(out);
    output_string(out, "id", info->id);
    output_string(out, "driver", info->driver);
    output_string(out, "description", unless_empty(info->description));
    output_strings(out, "schemes", info->schemes);
    output_bool(out, "default", info->is_default);
    output_bool(out, "reserved", info->is_reserved);
    output_number(out, "weight", info->weight);
    output_number(out, "capabilities", info->capabilities);
    output_string(out, "add_disabled", info->add_disabled);
    output_record_end(out);
}

static int run_stores(struct session *session)
{
    struct output *out = &session->output;
    bool only_ids = session->args->quiet && !out->json;
    size_t count = gs_registry_count(session->registry);

    output_list_begin(out);
    for (size_t i = 0; i < count; i++) {
        gs_store_info info = GS_STORE_INFO_INIT;

        gs_store_get_info(gs_registry_at(session->registry, i), &info);
        if (i > 0 && !out->json && !only_ids)
            putchar('\n');
        if (only_ids)
            puts(info.id);
        else
            print_store(out, &info);
    }
    output_list_end(out);
    return EXIT_DONE;
}

/* ---- add and cp -------------------------------------------------------- */

static void print_hashes(struct output *out, const gs_image *image)
{
    gs_image_info info = GS_IMAGE_INFO_INIT;

    gs_image_get_info(image, &info);
    output_string(out, "checksum", unless_empty(info.checksum));
    output_string(out, "hash_name", unless_empty(info.hash_name));
    output_string(out, "multihash", unless_empty(info.multihash));
}

static void print_image(struct session *session, const char *id, const gs_image *image, double seconds)
{
    struct output *out = &session->output;
    gs_image_info info = GS_IMAGE_INFO_INIT;

    gs_image_get_info(image, &info);
    if (session->args->quiet && !out->json) {
        puts(info.uri);
        return;
    }
    output_record_begin(out);
    output_string(out, "uri", info.uri);
    output_string(out, "id", id);
    output_string(out, "store", info.store_id);
    output_size(out, "size", info.size);
    print_hashes(out, image);
    output_json(out, "metadata", info.metadata_json);
    output_speed(out, info.size, seconds);
    output_record_end(out);
}

/* --id, or a fresh one in `fresh`. */
static int choose_id(const struct session *session, struct uuid *fresh, const char **id)
{
    *id = session->args->id != NULL ? session->args->id : fresh->text;
    return session->args->id != NULL ? EXIT_DONE : random_uuid(fresh);
}

/* Ends the call that made `image`, whatever came of it. */
static int finish_image(struct session *session, const char *id, gs_status status, gs_image *image, gs_error *error)
{
    double seconds = progress_end(&session->progress);

    if (status != GS_OK)
        return fail_status(status, error);
    print_image(session, id, image, seconds);
    gs_image_free(image);
    return EXIT_DONE;
}

static int add_from(struct session *session, gs_store *store, const struct source *source)
{
    const struct args *args = session->args;
    uint64_t size = args->size_given ? args->size : source->size;
    struct uuid fresh;
    const char *id;
    gs_opts options;
    gs_image *image = NULL;
    gs_error *error;
    gs_status status;
    int code = choose_id(session, &fresh, &id);

    if (code != EXIT_DONE)
        return code;
    options = session_transfer(session);
    status = gs_add_fd(store, id, size, source->fd, &options, &image, &error);
    return finish_image(session, id, status, image, error);
}

static int run_add(struct session *session)
{
    struct source source;
    gs_store *store;
    int code = session_target(session, &store);

    if (code == EXIT_DONE)
        code = source_open(&source, session->args->operands[0]);
    if (code != EXIT_DONE)
        return code;
    code = add_from(session, store, &source);
    source_close(&source);
    return code;
}

static int run_cp(struct session *session)
{
    const char *uri = session->args->operands[0], *id;
    struct uuid fresh;
    gs_store *from, *to;
    gs_opts options;
    gs_image *image = NULL;
    gs_error *error;
    gs_status status;
    int code = session_target(session, &to);

    if (code == EXIT_DONE)
        code = session_owner(session, session->args->from, uri, &from);
    if (code == EXIT_DONE)
        code = choose_id(session, &fresh, &id);
    if (code != EXIT_DONE)
        return code;
    options = session_transfer(session);
    status = gs_copy(to, id, from, uri, &options, &image, &error);
    return finish_image(session, id, status, image, error);
}

/* ---- get --------------------------------------------------------------- */

static void print_received(struct session *session, double seconds)
{
    const struct args *args = session->args;
    struct output *out = &session->output;

    if (strcmp(args->operands[1], "-") == 0 || (args->quiet && !out->json))
        return;
    output_record_begin(out);
    output_string(out, "file", args->operands[1]);
    output_size(out, "size", session->progress.done);
    output_speed(out, session->progress.done, seconds);
    output_record_end(out);
}

static int get_into(struct session *session, gs_store *store, struct sink *sink)
{
    gs_opts options = session_transfer(session);
    gs_error *error;
    gs_status status = gs_get_fd(store, session->args->operands[0], sink->fd, &options, &error);
    double seconds = progress_end(&session->progress);
    int code;

    if (status != GS_OK) {
        sink_abandon(sink);
        return fail_status(status, error);
    }
    code = sink_commit(sink);
    if (code == EXIT_DONE)
        print_received(session, seconds);
    return code;
}

static int run_get(struct session *session)
{
    const struct args *args = session->args;
    struct sink sink;
    gs_store *store;
    int code;

    if (args->json && strcmp(args->operands[1], "-") == 0)
        return fail(EXIT_USAGE, "get: --json and the image cannot both go to standard output");
    code = session_owner(session, args->store, args->operands[0], &store);
    if (code == EXIT_DONE)
        code = sink_open(&sink, args->operands[1], args->force);
    return code == EXIT_DONE ? get_into(session, store, &sink) : code;
}

/* ---- size, rm, info ---------------------------------------------------- */

static int get_size(struct session *session, gs_store *store, uint64_t *size)
{
    gs_opts options = session_options(session);
    gs_error *error;
    gs_status status = gs_get_size(store, session->args->operands[0], &options, size, &error);

    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

static int run_size(struct session *session)
{
    struct output *out = &session->output;
    gs_store *store;
    uint64_t size;
    int code = session_owner(session, session->args->store, session->args->operands[0], &store);

    if (code == EXIT_DONE)
        code = get_size(session, store, &size);
    if (code != EXIT_DONE)
        return code;
    if (!out->json) {
        printf("%" PRIu64 "\n", size);
        return EXIT_DONE;
    }
    output_record_begin(out);
    output_size(out, "size", size);
    output_record_end(out);
    return EXIT_DONE;
}

static int run_rm(struct session *session)
{
    const char *uri = session->args->operands[0];
    struct output *out = &session->output;
    gs_opts options = session_options(session);
    gs_store *store;
    gs_error *error;
    gs_status status;
    int code = session_owner(session, session->args->store, uri, &store);

    if (code != EXIT_DONE)
        return code;
    status = gs_delete(store, uri, &options, &error);
    if (status != GS_OK)
        return fail_status(status, error);
    if (!out->json)
        return EXIT_DONE;
    output_record_begin(out);
    output_bool(out, "removed", true);
    output_record_end(out);
    return EXIT_DONE;
}

static void print_location(struct session *session, const gs_store *store, const gs_location *location, uint64_t size)
{
    struct output *out = &session->output;
    gs_location_info where = GS_LOCATION_INFO_INIT;
    gs_store_info owner = GS_STORE_INFO_INIT;

    gs_location_get_info(location, &where);
    gs_store_get_info(store, &owner);
    output_string(out, "uri", where.safe_uri);
    output_string(out, "store", where.store_id);
    output_string(out, "driver", owner.driver);
    output_size(out, "size", size);
}

/* Reads the whole image; `image` then tells its hashes. */
static int examine(struct session *session, gs_store *store, gs_image **image)
{
    gs_opts options = session_transfer(session);
    gs_error *error;
    gs_status status = gs_examine(store, session->args->operands[0], &options, image, &error);

    progress_end(&session->progress);
    return status == GS_OK ? EXIT_DONE : fail_status(status, error);
}

static int info_of(struct session *session, gs_store *store, const gs_location *location)
{
    const struct args *args = session->args;
    gs_image *image = NULL;
    uint64_t size;
    int code = get_size(session, store, &size);

    if (code == EXIT_DONE && (args->hash != NULL || args->checksum != NULL))
        code = examine(session, store, &image);
    if (code != EXIT_DONE)
        return code;
    output_record_begin(&session->output);
    print_location(session, store, location, size);
    if (image != NULL)
        print_hashes(&session->output, image);
    output_record_end(&session->output);
    gs_image_free(image);
    return EXIT_DONE;
}

static int run_info(struct session *session)
{
    gs_location *location;
    gs_store *store;
    gs_error *error;
    gs_status status;
    int code = session_owner(session, session->args->store, session->args->operands[0], &store);

    if (code != EXIT_DONE)
        return code;
    status = gs_location_parse(session->registry, store, session->args->operands[0], &location, &error);
    if (status != GS_OK)
        return fail_status(status, error);
    code = info_of(session, store, location);
    gs_location_free(location);
    return code;
}

/* ---- Table ------------------------------------------------------------- */

const struct command commands[] = {
    {"stores", FOR_STORES, "", 0, "list the configured stores",
     "Lists every configured store: its id, its driver, the URI schemes that it serves,\n"
     "and, when it takes no new images, the reason why.\n",
     "  glance-store stores\n"
     "  glance-store stores --config /etc/glance/glance-api.conf --json\n",
     run_stores},
    {"add", FOR_ADD, "FILE", 1, "store an image",
     "Stores FILE, or standard input when FILE is '-', as a new image, and prints the\n"
     "storage URI to keep with its size, checksum (MD5) and multihash (SHA-512 unless\n"
     "--hash says otherwise). After any failure nothing of the image remains.\n",
     "  glance-store add disk.qcow2\n"
     "  uri=$(glance-store add -q disk.qcow2)\n"
     "  zstdcat disk.raw.zst | glance-store add -\n"
     "  glance-store add --store fast --id web-1 --hash sha256 disk.raw\n",
     run_add},
    {"get", FOR_GET, "URI FILE", 2, "fetch an image",
     "Writes the image at URI to FILE, or to standard output when FILE is '-'. FILE\n"
     "appears only when the image is complete, and an existing one is kept unless\n"
     "--force is given.\n",
     "  glance-store get file:///srv/images/disk disk.qcow2\n"
     "  glance-store get --expect sha256:HEX --sparse URI disk.raw\n"
     "  glance-store get --offset 1M --length 512 URI - | xxd\n",
     run_get},
    {"size", FOR_SIZE, "URI", 1, "print an image's size in bytes",
     "Prints the size of the image at URI, in bytes.\n",
     "  glance-store size file:///srv/images/disk\n",
     run_size},
    {"rm", FOR_RM, "URI", 1, "remove an image",
     "Removes the image at URI from its store. It does not ask.\n",
     "  glance-store rm file:///srv/images/disk\n",
     run_rm},
    {"cp", FOR_CP, "URI", 1, "copy an image to another store",
     "Copies the image at URI as a new image into the default store, or into the one\n"
     "that --store names, and prints what add prints.\n",
     "  glance-store cp --store cheap file:///srv/fast/disk\n"
     "  glance-store cp --from fast --store cheap --id disk-2 file:///srv/fast/disk\n",
     run_cp},
    {"info", FOR_INFO, "URI", 1, "describe an image",
     "Prints where the image at URI is and how large. With --hash or --expect it also\n"
     "reads the whole image and prints its checksum (MD5) and that hash.\n",
     "  glance-store info file:///srv/images/disk\n"
     "  glance-store info --hash sha256 file:///srv/images/disk\n",
     run_info},
    {NULL, 0, NULL, 0, NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    const struct command *command = commands;

    while (command->name != NULL && strcmp(command->name, name) != 0)
        command++;
    return command->name == NULL ? NULL : command;
}
