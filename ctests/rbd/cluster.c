#include "cluster.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

const char *ceph(const char *name)
{
    const char *value = getenv(name);
    if (!value || !*value)
        SKIP("%s is not set: with_ceph.sh runs these programs", name);
    return value;
}

void ceph_script(const char *command)
{
    MUST(system(text("\"%s\" %s \"%s\" >\"%s/log/script\" 2>&1", ceph("CEPH_SCRIPT"), command, ceph("CEPH_DIR"), ceph("CEPH_DIR"))) == 0);
}

static const char *with_users(const char *command)
{
    const char *conf[] = { ceph("CEPH_GLANCE_CONF"), ceph("CEPH_CINDER_CONF"), ceph("CEPH_ADMIN_CONF") };
    return text("set -e; glance() { rbd --conf %s --id glance \"$@\"; }; cinder() { rbd --conf %s --id cinder \"$@\"; }; "
                "admin() { rbd --conf %s --id admin \"$@\"; }; %s",
                conf[0], conf[1], conf[2], command);
}

static const char *vtext(const char *format, va_list args)
{
    char command[4096];
    MUST(vsnprintf(command, sizeof command, format, args) < (int)sizeof command);
    return text("%s", command);
}

const char *output(const char *format, ...)
{
    char        line[4096];
    const char *all = "";
    va_list     args;
    va_start(args, format);
    const char *command = vtext(format, args);
    va_end(args);
    FILE *pipe = popen(with_users(command), "r");
    MUST(pipe != NULL);
    while (fgets(line, sizeof line, pipe))
        all = text("%s%s", all, line);
    if (pclose(pipe) != 0) {
        fprintf(stderr, "failed: %s\n", command);
        MUST(false);
    }
    return all;
}

bool succeeds(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *command = vtext(format, args);
    va_end(args);
    return system(text("{ %s; } >/dev/null 2>&1", with_users(command))) == 0;
}

const char *conf_with(const char *name, const char *expression)
{
    const char *path = text("%s/%s.conf", ceph("CEPH_DIR"), name);
    MUST(succeeds("sed '%s' %s >%s", expression, ceph("CEPH_GLANCE_CONF"), path));
    return path;
}

const char *silent_conf(int *fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(*fd >= 0 && bind(*fd, (struct sockaddr *)&address, len) == 0 && listen(*fd, 16) == 0);
    MUST(getsockname(*fd, (struct sockaddr *)&address, &len) == 0);
    return conf_with("silent", text("s/^mon host = .*/mon host = 127.0.0.1:%u/", (unsigned)ntohs(address.sin_port)));
}

static void set(gs_config *config, const char *key, const char *value)
{
    MUST(gs_config_set(config, "glance_store", key, value, ERR) == GS_OK);
}

gs_registry *rbd_registry(const char *key, ...)
{
    gs_config   *config = gs_config_new();
    gs_registry *reg;
    va_list      args;
    set(config, "stores", "rbd");
    set(config, "default_store", "rbd");
    set(config, "rbd_store_user", ceph("CEPH_USER"));
    set(config, "rbd_store_ceph_conf", ceph("CEPH_GLANCE_CONF"));
    set(config, "rbd_store_chunk_size", "1");
    va_start(args, key);
    for (; key; key = va_arg(args, const char *))
        set(config, key, va_arg(args, const char *));
    va_end(args);
    MUST(OK(gs_registry_open(config, &reg, ERR)));
    gs_config_free(config);
    return reg;
}

const char *uri_of(const char *id)
{
    return text("rbd://%s/images/%s/snap", ceph("CEPH_FSID"), id);
}

const char *objects(void)
{
    return output("rados --conf %s --id glance -p images ls | sed -n '/^rbd_\\(data\\|header\\|id\\|object_map\\)/p' | sort",
                  ceph("CEPH_GLANCE_CONF"));
}

gs_status add(gs_store *store, const char *id, const void *data, size_t len, bool known)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_status     status = gs_add(store, id, known ? len : GS_SIZE_UNKNOWN, source_read, &source, NULL, &image, ERR);
    CHECK((status == GS_OK) == (image != NULL));
    gs_image_free(image);
    return status;
}

const char *described(const char *id)
{
    return without_blanks(output("glance info --format json 'images/%s'", id));
}

gs_store *open_store(gs_registry **reg, const char *key, const char *value)
{
    gs_registry_free(*reg);
    *reg = rbd_registry(key, value, NULL);
    return default_store(*reg);
}

void drop(gs_store *store, const char *id)
{
    OK(gs_delete(store, uri_of(id), NULL, ERR));
}
