#include "dog.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 48, NAME = 256, WRITES = 0x01 };

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    MUST(value != NULL);
    return value;
}

/* ---- The protocol -------------------------------------------------------------- */

static int connected(void)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    int             fd;
    MUST(getaddrinfo(environment("SHEEPDOG_ADDRESS"), environment("SHEEPDOG_PORT"), &hints, &found) == 0);
    fd = socket(found->ai_family, SOCK_STREAM, 0);
    MUST(fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0);
    freeaddrinfo(found);
    return fd;
}

static void put(uint8_t *at, uint64_t number, int len)
{
    for (int i = 0; i < len; i++)
        at[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t get(const uint8_t *at, uint32_t len)
{
    uint64_t number = 0;
    while (len > 0)
        number = number << 8 | at[--len];
    return number;
}

static void send_all(int fd, const void *data, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t count = write(fd, (const uint8_t *)data + sent, len - sent);
        MUST(count > 0);
        sent += (size_t)count;
    }
}

static void receive_all(int fd, uint8_t *data, size_t len)
{
    for (size_t received = 0; received < len;) {
        ssize_t count = read(fd, data + received, len - received);
        MUST(count > 0);
        received += (size_t)count;
    }
}

uint32_t ask(struct request request, uint32_t *vid)
{
    uint8_t  header[HEADER] = { request.version ? request.version : 2, request.opcode, request.data ? WRITES : 0 };
    uint32_t len;
    int      fd = connected();
    put(header + 8, 4711, 4);
    put(header + 12, request.len, 4);
    put(header + 16, request.oid, 8);
    put(header + 24, request.vid, 4);
    put(header + 32, request.snapshot, 4);
    put(header + 40, request.offset, 4);
    send_all(fd, header, HEADER);
    if (request.data)
        send_all(fd, request.data, request.len);
    receive_all(fd, header, HEADER);
    CHECK_INT(request.opcode, header[1]);
    CHECK_INT(4711, get(header + 8, 4));
    len = (uint32_t)get(header + 12, 4);
    MUST(len == 0 || (request.answer && len <= request.len));
    receive_all(fd, request.answer, len);
    close(fd);
    if (vid)
        *vid = (uint32_t)get(header + 24, 4);
    return (uint32_t)get(header + 16, 4);
}

uint32_t ask_vdi(uint8_t opcode, const char *name, const char *tag, uint32_t *vid)
{
    char data[2 * NAME] = { 0 };
    MUST(strlen(name) < NAME && strlen(tag) < NAME);
    memcpy(data, name, strlen(name));
    memcpy(data + NAME, tag, strlen(tag));
    return ask((struct request){ .opcode = opcode, .data = data, .len = sizeof data }, vid);
}

uint32_t new_vdi(const char *name, uint64_t size, uint32_t base, bool snapshot)
{
    char     data[NAME] = { 0 };
    uint32_t vid = 0;
    memcpy(data, name, strlen(name));
    MUST(ask((struct request){ .opcode = DOG_NEW_VDI, .oid = size, .vid = base, .snapshot = snapshot, .data = data,
                               .len = sizeof data }, &vid) == DOG_SUCCESS);
    return vid;
}

uint32_t vid_of(const char *name)
{
    uint32_t vid = 0;
    MUST(ask_vdi(DOG_GET_VDI_INFO, name, "", &vid) == DOG_SUCCESS);
    return vid;
}

uint64_t inode_oid(uint32_t vid)
{
    return UINT64_C(1) << 63 | (uint64_t)vid << 32;
}

uint64_t data_oid(uint32_t vid, uint32_t index)
{
    return (uint64_t)vid << 32 | index;
}

uint64_t inode_number(uint32_t vid, uint32_t offset, uint32_t len)
{
    uint8_t data[8];
    MUST(ask((struct request){ .opcode = DOG_READ_OBJECT, .version = 1, .oid = inode_oid(vid), .offset = offset,
                               .len = len, .answer = data }, NULL) == DOG_SUCCESS);
    return get(data, len);
}

void write_inode(uint32_t vid, uint32_t offset, const void *data, uint32_t len)
{
    MUST(ask((struct request){ .opcode = DOG_WRITE_OBJECT, .oid = inode_oid(vid), .offset = offset, .data = data,
                               .len = len }, NULL) == DOG_SUCCESS);
}

uint32_t owner_of(uint32_t vid, uint32_t index)
{
    return (uint32_t)inode_number(vid, DOG_INODE_HEADER + 4 * index, 4);
}

bool object_is_gone(uint32_t vid, uint32_t index)
{
    uint8_t  byte;
    uint32_t result = DOG_SUCCESS;
    for (int tries = 0; tries < 200 && result == DOG_SUCCESS; tries++) {
        if (tries > 0)
            usleep(50 * 1000);
        result = ask((struct request){ .opcode = DOG_READ_OBJECT, .version = 1, .oid = data_oid(vid, index), .len = 1,
                                       .answer = &byte }, NULL);
    }
    MUST(result == DOG_SUCCESS || result == DOG_NO_OBJ);
    return result == DOG_NO_OBJ;
}

uint32_t object_size(void)
{
    const char *name = new_name();
    uint32_t    vid = new_vdi(name, 0, 0, false);
    uint32_t    size = UINT32_C(1) << inode_number(vid, 555, 1);
    MUST(ask_vdi(DOG_DELETE_VDI, name, "", NULL) == DOG_SUCCESS);
    return size;
}

/* ---- Stores and names ------------------------------------------------------------ */

static void set(gs_config *config, const char *key, const char *value)
{
    MUST(gs_config_set(config, "glance_store", key, value, ERR) == GS_OK);
}

gs_registry *dog_registry(const char *key, ...)
{
    gs_config   *config = gs_config_new();
    gs_registry *reg = NULL;
    va_list      args;
    set(config, "stores", "sheepdog");
    set(config, "default_store", "sheepdog");
    set(config, "sheepdog_store_address", environment("SHEEPDOG_ADDRESS"));
    set(config, "sheepdog_store_port", environment("SHEEPDOG_PORT"));
    va_start(args, key);
    for (; key; key = va_arg(args, const char *))
        set(config, key, va_arg(args, const char *));
    va_end(args);
    MUST(OK(gs_registry_open(config, &reg, ERR)));
    gs_config_free(config);
    return reg;
}

const char *new_name(void)
{
    static unsigned count;
    return text("%08x-c0de-4000-8000-%012x", (unsigned)getpid(), __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
}

const char *uri_of(const char *name)
{
    const char *address = environment("SHEEPDOG_ADDRESS"), *port = environment("SHEEPDOG_PORT");
    bool        is_v6 = strchr(address, ':') != NULL;
    return text("sheepdog://%s%s%s:%s:%s", is_v6 ? "[" : "", address, is_v6 ? "]" : "", port, name);
}
