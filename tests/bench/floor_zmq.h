/* floor_zmq.h - what the floors over ZeroMQ share: a socket without bounds, bound if it pulls. */
#ifndef FLOOR_ZMQ_H
#define FLOOR_ZMQ_H

#include <zmq.h>

#include "floor.h"

static inline void *open_socket(void *context, int type, const char *endpoint)
{
    int none = 0;
    void *socket = zmq_socket(context, type);
    check(socket != NULL, "zmq_socket");
    zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    check((type == ZMQ_PULL ? zmq_bind : zmq_connect)(socket, endpoint) == 0, endpoint);
    return socket;
}

#endif
