/* mailbox_route.c - houses and the boxes of the bridges to them.
 *
 *     free --mailbox_claim_house--> taken --mailbox_release_house--> free
 *
 * Invariants:
 *  1. in the program's own process, bridges[n] is the box of the bridge to house n, 0 when there is none: box 0 is the
 *     node's, and never a bridge's;
 *  2. in a worker process `own` is not 0, and bridges is not used: all that is not at home goes up.
 */
#include "mailbox_route.h"

#include <stdatomic.h>

#include "address.h"
#include "tray.h"
#include "troupe.h"

enum { HOUSE_COUNT = 1 << 15 };

static _Atomic uint16_t own, uplink_box;
static _Atomic uint16_t bridges[HOUSE_COUNT];
static _Atomic uint32_t claims;
static atomic_bool killed[HOUSE_COUNT];

uint16_t mailbox_house(void)
{
    return atomic_load_explicit(&own, memory_order_relaxed);
}

void mailbox_be_house(uint16_t house, uint16_t uplink)
{
    atomic_store(&uplink_box, uplink);
    atomic_store(&own, house);
}

int mailbox_claim_house(uint16_t bridge)
{
    for (int i = 0; i < HOUSE_COUNT; i++) {
        uint16_t house = (uint16_t)((atomic_fetch_add(&claims, 1) + 1) % HOUSE_COUNT), none = 0;
        if (house != 0 && atomic_compare_exchange_strong(&bridges[house], &none, bridge)) {
            atomic_store(&killed[house], false);
            return house;
        }
    }
    return TROUPE_ELIMIT;
}

void mailbox_release_house(uint16_t house)
{
    atomic_store(&bridges[house], 0);
}

void mailbox_mark_killed(uint64_t vm)
{
    if (address_node(vm) == mailbox_house())
        box_mark_killed(address_box(vm));
    else
        atomic_store(&killed[address_node(vm) % HOUSE_COUNT], true);
}

bool mailbox_is_killed(uint64_t vm)
{
    if (address_node(vm) == mailbox_house())
        return box_is_killed(address_box(vm));
    return atomic_load(&killed[address_node(vm) % HOUSE_COUNT]);
}

int mailbox_route(uint64_t to)
{
    uint16_t house = address_node(to), here = mailbox_house();
    if (house == here)
        return address_box(to);
    uint16_t box = here ? atomic_load(&uplink_box) : atomic_load_explicit(&bridges[house], memory_order_acquire);
    return box ? box : TROUPE_EDEAD;
}
