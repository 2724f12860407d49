/* bridge_player.h - a process in the place of a worker process, which does what a test of bridges wants. */
#ifndef BRIDGE_PLAYER_H
#define BRIDGE_PLAYER_H

#include <stdint.h>

#include "message.h"

enum { POOL = 3, TAG = 0x10001, MANY = 1000 };

/* A letter of that pool and worker. */
struct message *bridge_letter(enum message_kind kind, uint64_t id, int64_t number);

/* The whole life of the process in that role; its exit status. */
int bridge_play(const char *role);

#endif
