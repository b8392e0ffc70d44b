/* Several processes at one id. One may take for leftovers of a killed add what
 * another is just storing; yet who is told that it has stored an image has it,
 * whole and alone. */
#include "account.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEN = 2 * UNIT + 5, RIVALS = 3, ROUNDS = 12 };

static struct account account;
static const char    *container;
static struct faults *faults;

struct rival {
    gs_registry *reg;
    const char  *id, *uri;
    uint8_t     *data;
    gs_status    status;
};

static gs_registry *new_registry(const char *manifest)
{
    return spoilt_registry(faults, container, SETTINGS({ "glance_store", "swift_store_manifest", manifest }));
}

/* Each with a store of its own, as in a process of its own. */
static struct rival new_rival(const char *id, const char *manifest)
{
    struct rival rival = { .reg = new_registry(manifest), .id = id, .data = new_data(LEN, RANDOM_DATA) };
    rival.uri = text("swift+http://demo%%3Ademo:demopass@%s/%s/%s", strstr(keystone_through(faults), "//") + 2, container, id);
    return rival;
}

static void free_rival(struct rival *rival)
{
    gs_registry_free(rival->reg);
    free(rival->data);
}

static void *add(void *user)
{
    struct rival *rival = user;
    struct source source = { .data = rival->data, .len = LEN };
    gs_image     *image = NULL;
    check_context("an add");
    rival->status = RETURNS(gs_add(default_store(rival->reg), rival->id, LEN, source_read, &source, NULL, &image, ERR));
    gs_image_free(image);
    return NULL;
}

static void *delete(void *user)
{
    struct rival *rival = user;
    check_context("a delete");
    rival->status = RETURNS(gs_delete(default_store(rival->reg), rival->uri, NULL, ERR));
    return NULL;
}

/* The winner's image is there, or nothing. */
static void check_left(const struct rival *winner, const char *id)
{
    faults_settle(faults);
    if (winner) {
        CHECK_STR(text("%s\n%s-00001\n%s-00002\n%s-00003\n", id, id, id, id), names_in(&account, container));
        check_image(default_store(winner->reg), winner->uri, winner->data, LEN);
        OK(gs_delete(default_store(winner->reg), winner->uri, NULL, ERR));
    }
    CHECK_STR("", names_in(&account, container));
    faults_clear(faults);
}

/* What puts an image of that kind together. */
static const char *manifest_put(const char *id, const char *manifest)
{
    return text("PUT */%s%s", id, strcmp(manifest, "slo") == 0 ? "[?]*" : "");
}

/* Where the other is held while the first comes to its end, and what becomes of both. */
struct meeting { const char *how, *method, *suffix, *at; int turn; const char *first, *other_add, *other_delete; };

/* The other finds no image; then the add that it takes for a killed one comes to its end; then it removes.  Each of both
 * has looked once before. */
static const struct meeting looks_too_early = {
    "one that looks before there is an image, and removes after", "HEAD", "", "answer", 3, "GS_DUPLICATE", "GS_OK", "GS_NOT_FOUND",
};

/* The other finds what it takes for leftovers; then that becomes an image; then it looks again. */
static const struct meeting comes_too_late = {
    "one that finds leftovers, and an image then", "PUT", "-00000", "request", 1, "GS_OK", "GS_DUPLICATE", "GS_NOT_FOUND",
};

static void meet(const struct meeting *meeting, void *(*other_does)(void *), const char *manifest)
{
    const char  *id = new_id();
    struct rival first = new_rival(id, manifest), other = new_rival(id, manifest);
    faults_rule(faults, "%s 1 hold=manifest at=request", manifest_put(id, manifest));
    faults_rule(faults, "%s */%s%s %d hold=other at=%s", meeting->method, id, meeting->suffix, meeting->turn, meeting->at);
    pthread_t adder = start(add, &first);
    faults_await(faults, "manifest");
    pthread_t rival = start(other_does, &other);
    faults_await(faults, "other");
    faults_release(faults, "manifest");
    join(adder);
    faults_release(faults, "other");
    join(rival);
    check_context("%s, %s", meeting->how, manifest);
    CHECK_STR(meeting->first, status_name(first.status));
    CHECK_STR(other_does == delete ? meeting->other_delete : meeting->other_add, status_name(other.status));
    check_left(first.status == GS_OK ? &first : other.status == GS_OK && other_does == add ? &other : NULL, id);
    free_rival(&first);
    free_rival(&other);
}

/* In one store the one knows of the other. */
static void in_one_store(const char *manifest)
{
    const char  *id = new_id();
    struct rival adder = new_rival(id, manifest), deleter = adder, second = adder;
    faults_rule(faults, "%s 1 hold=manifest at=request", manifest_put(id, manifest));
    pthread_t thread = start(add, &adder);
    faults_await(faults, "manifest");
    delete(&deleter);
    add(&second);
    faults_release(faults, "manifest");
    join(thread);
    check_context("a delete and another add in the store that adds, %s", manifest);
    CHECK_STR("GS_NOT_FOUND", status_name(deleter.status));
    CHECK_STR("GS_DUPLICATE", status_name(second.status));
    CHECK_STR("GS_OK", status_name(adder.status));
    check_left(&adder, id);
    free_rival(&adder);
}

/* ---- As it comes ------------------------------------------------------------------------ */

/* In a child. */
static void add_and_tell(struct rival *rival, const char *manifest, unsigned turn)
{
    rival->reg = new_registry(manifest);
    /* Not all at once. */
    usleep(turn * 7919 % 90000);
    add(rival);
    _exit(rival->status == GS_OK ? 0 : 1);
}

static void races(const char *manifest)
{
    int won = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct rival  rivals[RIVALS];
        struct rival *winner = NULL;
        pid_t         children[RIVALS];
        const char   *id = new_id();
        for (int i = 0; i < RIVALS; i++)
            rivals[i] = new_rival(id, manifest);
        fflush(NULL);
        for (int i = 0; i < RIVALS; i++)
            if ((children[i] = fork()) == 0)
                add_and_tell(&rivals[i], manifest, (unsigned)(round * RIVALS + i));
        for (int i = 0; i < RIVALS; i++) {
            int ended = wait_for(children[i]);
            check_context("several processes, round %d, %s", round, manifest);
            CHECK(ended != 0 || !winner);
            if (ended == 0)
                winner = &rivals[i];
        }
        won += winner != NULL;
        check_left(winner, id);
        for (int i = 0; i < RIVALS; i++)
            free_rival(&rivals[i]);
    }
    CHECK(won > 0);
}

int main(void)
{
    static const char *const manifests[] = { "dlo", "slo" };
    account = demo_account();
    container = new_container(&account);
    faults = swift_faults();
    for (size_t i = 0; i < 2; i++) {
        meet(&looks_too_early, add, manifests[i]);
        meet(&looks_too_early, delete, manifests[i]);
        meet(&comes_too_late, add, manifests[i]);
        meet(&comes_too_late, delete, manifests[i]);
        in_one_store(manifests[i]);
        races(manifests[i]);
    }
    faults_stop(faults);
    return check_result();
}
