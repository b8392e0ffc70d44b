#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool small_run(void)
{
    return getenv("GS_TEST_SMALL") != NULL;
}

/* ---- What has to go away at the end -------------------------------------- */

enum leftover_kind { A_TEXT, A_DIR, A_MOUNT };

struct leftover {
    struct leftover   *next;
    enum leftover_kind kind;
    pid_t              owner;
    char               text[];
};

static struct leftover *leftovers;
static pthread_mutex_t  leftovers_lock = PTHREAD_MUTEX_INITIALIZER;

static void remove_tree(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        DIR *dir = opendir(path);
        for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            char *child;
            MUST(asprintf(&child, "%s/%s", path, entry->d_name) >= 0);
            remove_tree(child);
            free(child);
        }
        if (dir)
            closedir(dir);
    }
    if (remove(path) != 0)
        perror(path);
}

static void clean_up(void)
{
    while (leftovers) {
        struct leftover *last = leftovers;
        leftovers = last->next;
        bool mine = last->owner == getpid();
        if (mine && last->kind == A_MOUNT && umount2(last->text, MNT_DETACH) != 0)
            perror(last->text);
        if (mine && last->kind == A_DIR)
            remove_tree(last->text);
        free(last);
    }
}

static char *keep(enum leftover_kind kind, const char *string)
{
    size_t           size = strlen(string) + 1;
    struct leftover *one = malloc(sizeof *one + size);
    MUST(one != NULL);
    memcpy(one->text, string, size);
    one->kind = kind;
    one->owner = getpid();
    pthread_mutex_lock(&leftovers_lock);
    if (!leftovers)
        atexit(clean_up);
    one->next = leftovers;
    leftovers = one;
    pthread_mutex_unlock(&leftovers_lock);
    return one->text;
}

const char *text(const char *format, ...)
{
    char   *made;
    va_list args;
    va_start(args, format);
    MUST(vasprintf(&made, format, args) >= 0);
    va_end(args);
    const char *kept = keep(A_TEXT, made);
    free(made);
    return kept;
}

const char *repeated(char character, size_t length)
{
    char *made = malloc(length + 1);
    MUST(made != NULL);
    memset(made, character, length);
    made[length] = '\0';
    const char *kept = keep(A_TEXT, made);
    free(made);
    return kept;
}

const char *without_blanks(const char *string)
{
    char *made = keep(A_TEXT, string), *end = made;
    for (const char *at = made; *at; at++)
        if (*at != ' ')
            *end++ = *at;
    *end = '\0';
    return made;
}

/* ---- Directories and files ----------------------------------------------- */

const char *new_dir(void)
{
    const char *parent = getenv("TMPDIR");
    char        path[512];
    snprintf(path, sizeof path, "%s/gs-test-XXXXXX", parent && *parent ? parent : "/tmp");
    MUST(mkdtemp(path) != NULL);
    MUST(chmod(path, 0755) == 0);
    return keep(A_DIR, path);
}

static const char *listing_below(const char *dir, const char *prefix)
{
    struct dirent **entries;
    const char     *all = "";
    int             count = scandir(dir, &entries, NULL, alphasort);
    MUST(count >= 0);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            const char *path = text("%s/%s", dir, name);
            struct stat st;
            MUST(lstat(path, &st) == 0);
            long long size = S_ISDIR(st.st_mode) ? 0 : (long long)st.st_size;
            all = text("%s%s%s %o %lld\n", all, prefix, name, (unsigned)st.st_mode, size);
            if (S_ISDIR(st.st_mode))
                all = text("%s%s", all, listing_below(path, text("%s%s/", prefix, name)));
        }
        free(entries[i]);
    }
    free(entries);
    return all;
}

const char *listing(const char *dir)
{
    return listing_below(dir, "");
}

void write_file(const char *path, const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    MUST(file != NULL);
    MUST(fwrite(data, 1, len, file) == len);
    MUST(fclose(file) == 0);
}

void *read_file(const char *path, size_t *len)
{
    *len = file_size(path);
    void *data = malloc(*len + 1);
    FILE *file = fopen(path, "rb");
    MUST(data != NULL && file != NULL);
    MUST(fread(data, 1, *len, file) == *len);
    fclose(file);
    return data;
}

size_t file_size(const char *path)
{
    struct stat st;
    MUST(stat(path, &st) == 0);
    return (size_t)st.st_size;
}

bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

const char *digest_of(const char *program, const char *path)
{
    char  line[256] = "";
    FILE *output = popen(text("%s '%s'", program, path), "r");
    MUST(output != NULL);
    MUST(fgets(line, sizeof line, output) != NULL);
    pclose(output);
    line[strcspn(line, " \n")] = '\0';
    return text("%s", line);
}

void mount_tmpfs(const char *dir, const char *options)
{
    if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
        SKIP("this process may not mount a tmpfs: %s (run as root)", strerror(errno));
    keep(A_MOUNT, dir);
}

int wait_for(pid_t child)
{
    int status;
    MUST(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int as_nobody(void (*function)(void *), void *argument)
{
    enum { NOBODY = 65534 };
    if (geteuid() != 0)
        SKIP("only root can become another user to lose its rights");
    fflush(NULL);
    pid_t child = fork();
    MUST(child >= 0);
    if (child > 0)
        return wait_for(child);
    check_forget();
    MUST(setresgid(NOBODY, NOBODY, NOBODY) == 0);
    MUST(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    function(argument);
    fflush(NULL);
    _exit(check_result());
}

/* The system call fails with `errnum`, or only if its argument has one of the bits. */
static void forbid(uint32_t number, unsigned argument, uint32_t bits, int errnum)
{
#if defined(__x86_64__)
    enum { ARCHITECTURE = AUDIT_ARCH_X86_64 };
#elif defined(__aarch64__)
    enum { ARCHITECTURE = AUDIT_ARCH_AARCH64 };
#else
    enum { ARCHITECTURE = 0 };
#endif
    const uint32_t     low_half = (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)ARCHITECTURE, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half),
        BPF_JUMP(bits ? BPF_JMP | BPF_JSET | BPF_K : BPF_JMP | BPF_JGE | BPF_K, bits, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    bool installed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (!installed)
        SKIP("this process may not install a system call filter: %s", strerror(errno));
}

void forbid_unnamed_files(void)
{
    enum { FLAG = O_TMPFILE & ~O_DIRECTORY };
    forbid(SYS_openat, 2, FLAG, EOPNOTSUPP);
    MUST(open("/tmp", O_TMPFILE | O_WRONLY, 0600) == -1 && errno == EOPNOTSUPP);
}

static void forbid_system_call(long number)
{
    forbid((uint32_t)number, 0, 0, ENOSYS);
    MUST(syscall(number, -1, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS);
}

/* GS_TEST_WITHOUT names what an older kernel or another file system lacks. */
static void __attribute__((constructor)) do_without(void)
{
    const char *what = getenv("GS_TEST_WITHOUT");
    if (!what)
        return;
    if (strcmp(what, "unnamed_files") == 0) {
        forbid_unnamed_files();
    } else if (strcmp(what, "openat2") == 0) {
        forbid_system_call(SYS_openat2);
    } else {
        MUST(strcmp(what, "kernel_copies") == 0);
        forbid_system_call(SYS_copy_file_range);
        forbid_system_call(SYS_sendfile);
        forbid_system_call(SYS_splice);
    }
}

/* ---- What a process has ---------------------------------------------------- */

unsigned entries_of(const char *dir)
{
    unsigned count = 0;
    DIR     *entries = opendir(dir);
    MUST(entries != NULL);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

const char *line_of(const char *path, const char *key)
{
    char  line[512] = "";
    bool  found = false;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file))
        found = strncmp(line, key, strlen(key)) == 0;
    if (file)
        fclose(file);
    if (!found)
        return "";
    line[strcspn(line, "\n")] = '\0';
    return text("%s", line + strlen(key) + strspn(line + strlen(key), "\t "));
}

void check_blocks_signals(const char *status)
{
    uint64_t blocked = strtoull(line_of(status, "SigBlk:"), NULL, 16);
    for (int number = 1; number < NSIG; number++) {
        /* 32 and 33 are the C library's own. */
        bool can_be_blocked = number != SIGKILL && number != SIGSTOP && number != 32 && number != 33;
        if (exists(status) && can_be_blocked && !(blocked >> (number - 1) & 1))
            CHECK_INT(number, 0);
    }
}

/* ---- Registries ---------------------------------------------------------- */

gs_config *config_of(const struct setting *settings)
{
    gs_config *cfg = gs_config_new();
    MUST(cfg != NULL);
    for (const struct setting *one = settings; one->key; one++)
        MUST(OK(gs_config_set(cfg, one->group, one->key, one->value, ERR)));
    return cfg;
}

gs_registry *registry_of(const struct setting *settings)
{
    gs_config   *cfg = config_of(settings);
    gs_registry *reg = NULL;
    MUST(OK(gs_registry_open(cfg, &reg, ERR)));
    gs_config_free(cfg);
    MUST(reg != NULL);
    return reg;
}

gs_registry *file_registry(const char *dir)
{
    return registry_of(SETTINGS({ "glance_store", "stores", "file" },
                                { "glance_store", "filesystem_store_datadir", dir }));
}

gs_registry *two_file_stores(const char *fast_dir, const char *cheap_dir)
{
    return registry_of(SETTINGS({ NULL, "enabled_backends", "fast:file, cheap:file" },
                                { "glance_store", "default_backend", "fast" },
                                { "fast", "filesystem_store_datadir", fast_dir },
                                { "cheap", "filesystem_store_datadir", cheap_dir }));
}

gs_store *default_store(const gs_registry *reg)
{
    gs_store *store = gs_registry_get(reg, NULL);
    MUST(store != NULL);
    return store;
}

gs_status try_open(const struct setting *settings)
{
    gs_config   *cfg = gs_config_new();
    gs_registry *reg = NULL;
    gs_status    status = GS_OK;
    MUST(cfg != NULL);
    for (const struct setting *one = settings; one->key && status == GS_OK; one++)
        status = RETURNS(gs_config_set(cfg, one->group, one->key, one->value, ERR));
    if (status == GS_OK)
        status = RETURNS(gs_registry_open(cfg, &reg, ERR));
    CHECK((status == GS_OK) == (reg != NULL));
    gs_registry_free(reg);
    gs_config_free(cfg);
    return status;
}

/* ---- Image data ---------------------------------------------------------- */

uint8_t *new_data(size_t len, enum data_kind kind)
{
    uint8_t *data = calloc(1, len + 1);
    uint64_t state = 88172645463325252u + len;
    MUST(data != NULL);
    for (size_t i = 0; i < len && kind != ZERO_DATA; i++) {
        if (i % 8 == 0) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        bool hole = kind == SPARSE_DATA && i / (128 * KiB) % 4 != 0;
        data[i] = hole ? 0 : (uint8_t)(state >> (i % 8 * 8));
    }
    return data;
}

int64_t source_read(void *user, uint8_t *buf, size_t len)
{
    struct source *source = user;
    size_t         count = source->len - source->at;
    source->calls++;
    if (count > len)
        count = len;
    if (source->piece && count > source->piece)
        count = source->piece;
    if (count)
        memcpy(buf, source->data + source->at, count);
    source->at += count;
    return (int64_t)count;
}

int sink_write(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    struct sink *sink = user;
    sink->calls++;
    CHECK_SIZE(sink->first + sink->len, offset);
    CHECK(len > 0);
    sink->data = realloc(sink->data, sink->len + len);
    MUST(sink->data != NULL);
    if (data)
        memcpy(sink->data + sink->len, data, len);
    else
        memset(sink->data + sink->len, 0, len);
    sink->holes += data ? 0 : len;
    sink->len += len;
    return 0;
}

void sink_free(struct sink *sink)
{
    free(sink->data);
    *sink = (struct sink){ 0 };
}

const char *add_bytes(gs_store *store, const char *id, const void *data, size_t len)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    MUST(OK(gs_add(store, id, len, source_read, &source, NULL, &image, ERR)));
    gs_image_get_info(image, &info);
    const char *uri = text("%s", info.uri);
    gs_image_free(image);
    return uri;
}

void check_image(gs_store *store, const char *uri, const void *data, size_t len)
{
    struct sink sink = { 0 };
    uint64_t    size = 0;
    if (OK(gs_get_size(store, uri, NULL, &size, ERR)))
        CHECK_SIZE(len, size);
    if (OK(gs_get(store, uri, sink_write, &sink, NULL, ERR)))
        CHECK_BYTES(data, len, sink.data, sink.len);
    sink_free(&sink);
}

void check_absent(gs_store *store, const char *uri)
{
    uint64_t size = 4711;
    FAILS(GS_NOT_FOUND, gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_SIZE(4711, size);
}

/* ---- Threads and pipes --------------------------------------------------- */

pthread_t start(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, function, argument) == 0);
    return thread;
}

void join(pthread_t thread)
{
    MUST(pthread_join(thread, NULL) == 0);
}

static void *feed(void *user)
{
    struct feeder *feeder = user;
    size_t         done = 0;
    while (done < feeder->len) {
        ssize_t count = write(feeder->fd, feeder->data + done, feeder->len - done);
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    close(feeder->fd);
    return NULL;
}

void feeder_start(struct feeder *feeder, int fd, const void *data, size_t len)
{
    feeder->fd = fd;
    feeder->data = data;
    feeder->len = len;
    feeder->thread = start(feed, feeder);
}

void feeder_join(struct feeder *feeder)
{
    join(feeder->thread);
}

static void *collect(void *user)
{
    struct drain *drain = user;
    uint8_t       piece[4096];
    for (ssize_t count; (count = read(drain->fd, piece, sizeof piece)) > 0;) {
        drain->data = realloc(drain->data, drain->len + (size_t)count);
        MUST(drain->data != NULL);
        memcpy(drain->data + drain->len, piece, (size_t)count);
        drain->len += (size_t)count;
    }
    return NULL;
}

void drain_start(struct drain *drain, int fd)
{
    *drain = (struct drain){ .fd = fd };
    drain->thread = start(collect, drain);
}

void drain_join(struct drain *drain)
{
    join(drain->thread);
}
