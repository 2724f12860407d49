/* mailbox_door.h - a box's door: the one socket through which everybody tells the box of trays. It is shared, so that a
 * way to a box takes no descriptor: a program with thousands of boxes has two for each. Any thread.
 */
#ifndef MAILBOX_DOOR_H
#define MAILBOX_DOOR_H

#include <stdbool.h>
#include <stdint.h>

struct tray;

/* Opens the door of that opening of the box, whose own socket is bound. 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
int door_open(uint16_t box, uint32_t generation);

/* Nothing comes through any more. */
void door_close(uint16_t box);

/* See mailbox_set_relay. When this returns, nobody is inside the relay that was set before. */
typedef bool door_relay(void *owner, struct tray *tray);
void door_set_relay(uint16_t box, door_relay *relay, void *owner);

enum { DOOR_RELAYED = 1 };

/* Sends the tray's address. 0; TROUPE_EDEAD: that opening of the box is gone; TROUPE_ENOMEM, TROUPE_ELIMIT. With `relay`,
 * DOOR_RELAYED: the box's relay has taken what was in the tray, and its address was not sent. */
int door_send(uint16_t box, uint32_t generation, struct tray *tray, bool relay);

#endif
