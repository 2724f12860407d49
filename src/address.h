/* address.h - the one integer that names a house, a letterbox in it, and who listens there.
 *
 *     node 15 bits | box 16 bits | task 32 bits       never negative as a Lua integer
 *
 * Box 0 is the house's node; task 0 is the vm's own ear.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t address_make(uint16_t node, uint16_t box, uint32_t task)
{
    return (uint64_t)(node & 0x7fffu) << 48 | (uint64_t)box << 32 | task;
}

static inline uint16_t address_node(uint64_t address)
{
    return (uint16_t)(address >> 48 & 0x7fffu);
}

static inline uint16_t address_box(uint64_t address)
{
    return (uint16_t)(address >> 32);
}

static inline uint32_t address_task(uint64_t address)
{
    return (uint32_t)address;
}

/* True when the address is that one, or that one is box 0 of the worker process it is in: all of that process. */
static inline bool address_belongs(uint64_t address, uint64_t to)
{
    bool whole = address_node(to) != 0 && address_box(to) == 0;
    return whole ? address_node(address) == address_node(to) : address == to;
}

#endif
