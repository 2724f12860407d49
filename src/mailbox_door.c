/* mailbox_door.c - see mailbox_door.h. A ZeroMQ socket is for one thread at a time: the door's lock hands it on.
 *
 *  1. a door's socket is connected to the opening of its box that `generation` names;
 *  2. a door's lock is held for one send, which never waits for the receiver, and no other lock is taken under it but by a
 *     relay, which takes a tray's, and its house's only if that is free;
 *  3. doors are made a page at a time and stay: who has a box's number finds its door without a lock.
 *
 * libzmq carries the hand-over of a tray from one thread to the next, invisibly to ThreadSanitizer: the annotation tells it
 * so, as does mailbox.c's for the receiver.
 */
#include "mailbox_door.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <zmq.h>

#include "mailbox_context.h"
#include "sanitizer.h"
#include "tray.h"
#include "troupe.h"

#if WITH_TSAN
void __tsan_release(void *address);
#else
#define __tsan_release(address) ((void)(address))
#endif

enum { DOORS_A_PAGE = 64, PAGES = BOX_COUNT / DOORS_A_PAGE };

struct door {
    pthread_mutex_t lock;
    void *socket; /* NULL: closed */
    uint32_t generation;
    door_relay *relay; /* NULL: none */
    void *owner;
};

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct door *) pages[PAGES];

/* NULL: there never was one, as its page has not been made. */
static struct door *find_door(uint16_t box)
{
    struct door *page = atomic_load_explicit(&pages[box / DOORS_A_PAGE], memory_order_acquire);
    return page ? &page[box % DOORS_A_PAGE] : NULL;
}

static struct door *new_page(void)
{
    struct door *page = calloc(DOORS_A_PAGE, sizeof *page);
    for (int i = 0; page && i < DOORS_A_PAGE; i++)
        pthread_mutex_init(&page[i].lock, NULL);
    return page;
}

static struct door *make_door(uint16_t box)
{
    _Atomic(struct door *) *place = &pages[box / DOORS_A_PAGE];
    pthread_mutex_lock(&making);
    if (!atomic_load(place))
        atomic_store(place, new_page());
    pthread_mutex_unlock(&making);
    return find_door(box);
}

int door_open(uint16_t box, uint32_t generation)
{
    void *socket;
    struct door *door = make_door(box);
    if (!door)
        return TROUPE_ENOMEM;
    int rc = mailbox_socket_open(&socket, ZMQ_PUSH, box, generation);
    if (rc)
        return rc;
    pthread_mutex_lock(&door->lock);
    door->socket = socket;
    door->generation = generation;
    door->relay = NULL;
    pthread_mutex_unlock(&door->lock);
    return 0;
}

void door_close(uint16_t box)
{
    struct door *door = find_door(box);
    pthread_mutex_lock(&door->lock);
    void *socket = door->socket;
    door->socket = NULL;
    pthread_mutex_unlock(&door->lock);
    mailbox_socket_close(socket);
}

void door_set_relay(uint16_t box, door_relay *relay, void *owner)
{
    struct door *door = find_door(box);
    pthread_mutex_lock(&door->lock);
    door->relay = relay;
    door->owner = owner;
    pthread_mutex_unlock(&door->lock);
}

static int send_address(void *socket, struct tray *tray)
{
    int rc;
    __tsan_release(tray);
    do
        rc = zmq_send(socket, &tray, sizeof tray, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    return rc < 0 ? mailbox_zmq_status() : 0;
}

int door_send(uint16_t box, uint32_t generation, struct tray *tray, bool relay)
{
    struct door *door = find_door(box);
    if (!door)
        return TROUPE_EDEAD;
    pthread_mutex_lock(&door->lock);
    int rc = TROUPE_EDEAD;
    if (door->socket && door->generation == generation)
        rc = relay && door->relay && door->relay(door->owner, tray) ? DOOR_RELAYED : send_address(door->socket, tray);
    pthread_mutex_unlock(&door->lock);
    return rc;
}
