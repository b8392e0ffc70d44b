/* A thread loads the library, uses it a little or a lot, unloads it and exits;
 * twenty times over. Without "nodelete" the process crashes at the thread's
 * exit after the minimal use already. Not linked with the library.
 *   dlopen <library> */
#include <glance_store.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 20 };

static const char *library;
static char        dir[] = "/tmp/gs-test-XXXXXX";

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "failed: %s: %s\n", what, dlerror());
    _exit(1);
}

static void find(void *handle, const char *name, void *function)
{
    void *symbol = dlsym(handle, name);
    must(symbol != NULL, name);
    memcpy(function, &symbol, sizeof symbol);
}

static void *load(void)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    must(handle != NULL, library);
    return handle;
}

static void *only_version(void *user)
{
    const char *(*version)(void);
    void *handle = load();
    find(handle, "gs_version", &version);
    must(strchr(version(), '.') != NULL, "gs_version");
    must(dlclose(handle) == 0, "dlclose");
    return user;
}

static int64_t read_abc(void *user, uint8_t *buf, size_t len)
{
    int *calls = user;
    if ((*calls)++ > 0)
        return 0;
    must(len >= 3, "room in the buffer");
    memcpy(buf, "abc", 3);
    return 3;
}

static void *add_and_delete(void *user)
{
    gs_config *(*config_new)(void);
    gs_status (*config_set)(gs_config *, const char *, const char *, const char *, gs_error **);
    void (*config_free)(gs_config *);
    gs_status (*registry_open)(const gs_config *, gs_registry **, gs_error **);
    void (*registry_free)(gs_registry *);
    gs_store *(*registry_get)(const gs_registry *, const char *);
    gs_status (*add)(gs_store *, const char *, uint64_t, gs_read_fn, void *, const gs_opts *, gs_image **, gs_error **);
    void (*image_get_info)(const gs_image *, gs_image_info *);
    void (*image_free)(gs_image *);
    gs_status (*delete)(gs_store *, const char *, const gs_opts *, gs_error **);
    void *handle = load();
    find(handle, "gs_config_new", &config_new);
    find(handle, "gs_config_set", &config_set);
    find(handle, "gs_config_free", &config_free);
    find(handle, "gs_registry_open", &registry_open);
    find(handle, "gs_registry_free", &registry_free);
    find(handle, "gs_registry_get", &registry_get);
    find(handle, "gs_add", &add);
    find(handle, "gs_image_get_info", &image_get_info);
    find(handle, "gs_image_free", &image_free);
    find(handle, "gs_delete", &delete);

    gs_config    *cfg = config_new();
    gs_registry  *reg = NULL;
    gs_image     *image = NULL;
    gs_image_info info = GS_IMAGE_INFO_INIT;
    gs_opts       opts = GS_OPTS_INIT;
    int           calls = 0;
    opts.hash_name = "sha512";
    must(config_set(cfg, "glance_store", "stores", "file", NULL) == GS_OK, "gs_config_set");
    must(config_set(cfg, "glance_store", "filesystem_store_datadir", dir, NULL) == GS_OK, "gs_config_set");
    must(registry_open(cfg, &reg, NULL) == GS_OK, "gs_registry_open");
    config_free(cfg);
    gs_store *store = registry_get(reg, NULL);
    must(add(store, "image", 3, read_abc, &calls, &opts, &image, NULL) == GS_OK, "gs_add");
    image_get_info(image, &info);
    must(delete(store, info.uri, NULL, NULL) == GS_OK, "gs_delete");
    image_free(image);
    registry_free(reg);
    must(dlclose(handle) == 0, "dlclose");
    return user;
}

static int rounds_in_child(const char *name, void *(*function)(void *))
{
    int   status;
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        alarm(120);
        for (int i = 0; i < ROUNDS; i++) {
            pthread_t thread;
            must(pthread_create(&thread, NULL, function, NULL) == 0, "pthread_create");
            must(pthread_join(thread, NULL) == 0, "pthread_join");
        }
        exit(0);
    }
    must(waitpid(child, &status, 0) == child, "waitpid");
    if (status == 0)
        return 0;
    fprintf(stderr, "%s: expected exit 0, got %s %d\n", name, WIFSIGNALED(status) ? "signal" : "exit",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return 1;
}

int main(int argc, char **argv)
{
    must(argc == 2, "usage: dlopen <library>");
    library = argv[1];
    must(mkdtemp(dir) != NULL, "mkdtemp");
    int failures = rounds_in_child("gs_version in a thread", only_version);
    failures += rounds_in_child("gs_add in a thread", add_and_delete);
    must(rmdir(dir) == 0, "the directory is empty again");
    return failures;
}
