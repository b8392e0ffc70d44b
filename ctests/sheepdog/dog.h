/* dog.h - what the tests of the sheepdog driver share: stores, and a client of their own that sees what the
 * cluster holds, by nothing but the protocol. */
#ifndef DOG_H
#define DOG_H

#include "testing.h"

enum {
    DOG_CREATE_OBJECT = 0x01, DOG_READ_OBJECT = 0x02, DOG_WRITE_OBJECT = 0x03, DOG_NEW_VDI = 0x11,
    DOG_GET_VDI_INFO = 0x14, DOG_DELETE_VDI = 0x17,
};
enum { DOG_SUCCESS = 0x00, DOG_NO_OBJ = 0x02, DOG_INVALID = 0x05, DOG_NO_VDI = 0x08, DOG_VERSION = 0x14 };
enum { DOG_INODE_HEADER = 4664 };

struct request {
    uint8_t     opcode, version;
    uint64_t    oid;            /* of VDIs: the size */
    uint32_t    vid, snapshot;  /* of VDIs: what it is based on, and whether a snapshot is made */
    uint32_t    offset;
    const void *data;           /* sent with it */
    uint32_t    len;            /* of that, or of what is to come */
    uint8_t    *answer;         /* room for `len` bytes */
};

/* The result of a request; *vid (if asked for) is the VDI that the answer names. */
uint32_t ask(struct request request, uint32_t *vid);

/* VDI requests by name, without and with a tag. */
uint32_t ask_vdi(uint8_t opcode, const char *name, const char *tag, uint32_t *vid);
uint32_t new_vdi(const char *name, uint64_t size, uint32_t base, bool snapshot);

/* The VDI of that name, which must be there. */
uint32_t vid_of(const char *name);
uint64_t inode_number(uint32_t vid, uint32_t offset, uint32_t len);
uint64_t inode_oid(uint32_t vid);
uint64_t data_oid(uint32_t vid, uint32_t index);
void     write_inode(uint32_t vid, uint32_t offset, const void *data, uint32_t len);
/* Whom an object of the VDI belongs to; 0: there is none. */
uint32_t owner_of(uint32_t vid, uint32_t index);
/* Waits for it: a daemon lets go of objects a moment after their owners were wiped. */
bool     object_is_gone(uint32_t vid, uint32_t index);

/* How many bytes an object of a new VDI has. */
uint32_t object_size(void);

/* One sheepdog store, the default; further settings in pairs, ended by NULL. */
gs_registry *dog_registry(const char *key, ...);

/* A name that no other image has. */
const char *new_name(void);
/* The location of an image on the cluster. */
const char *uri_of(const char *name);

#endif /* DOG_H */
