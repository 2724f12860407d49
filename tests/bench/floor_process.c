/* floor_process.c - the bare way of a job to another process and back: ZeroMQ over ipc, and nothing done there.
 *
 * Prints the seconds of a round trip, p50 and p99, and how many letters a second come back when WINDOW are on their way.
 *
 *   floor_process TRIPS COUNT WINDOW
 */
#include <sys/wait.h>
#include <unistd.h>

#include "floor_zmq.h"

enum { SIZE = 64 };

static char there[64], back[64];

/* Sends back what comes, until a letter that says that it was the last. */
static int echo(void)
{
    char letter[SIZE] = "";
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_PULL, there), *out = open_socket(context, ZMQ_PUSH, back);
    while (letter[0] == 0) {
        check(zmq_recv(in, letter, SIZE, 0) == SIZE, "zmq_recv");
        check(zmq_send(out, letter, SIZE, 0) == SIZE, "zmq_send");
    }
    zmq_close(in);
    int forever = -1;
    zmq_setsockopt(out, ZMQ_LINGER, &forever, sizeof forever);
    zmq_close(out);
    zmq_ctx_term(context);
    return 0;
}

static void time_trips(void *out, void *in, int trips)
{
    char letter[SIZE] = "";
    double *took = new_trips(trips);
    for (int i = 0; i < trips; i++) {
        double begin = seconds();
        check(zmq_send(out, letter, SIZE, 0) == SIZE && zmq_recv(in, letter, SIZE, 0) == SIZE, "a round trip");
        took[i] = seconds() - begin;
    }
    print_trips(took, trips);
}

static void time_window(void *out, void *in, int count, int window)
{
    char letter[SIZE] = "";
    double begin = seconds();
    for (int sent = 0, got = 0; got < count; got++) {
        for (; sent < count && sent - got < window; sent++)
            check(zmq_send(out, letter, SIZE, 0) == SIZE, "zmq_send");
        check(zmq_recv(in, letter, SIZE, 0) == SIZE, "zmq_recv");
    }
    printf(" %.0f\n", count / (seconds() - begin));
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    snprintf(there, sizeof there, "ipc:///tmp/floor-process-%ld-there", (long)getpid());
    snprintf(back, sizeof back, "ipc:///tmp/floor-process-%ld-back", (long)getpid());
    pid_t child = fork(); /* before there is anything of ZeroMQ */
    if (child == 0)
        return echo();
    char letter[SIZE] = "", last[SIZE] = "x";
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_PULL, back), *out = open_socket(context, ZMQ_PUSH, there);
    check(zmq_send(out, letter, SIZE, 0) == SIZE && zmq_recv(in, letter, SIZE, 0) == SIZE, "the first letter");
    time_trips(out, in, atoi(argv[1]));
    time_window(out, in, atoi(argv[2]), atoi(argv[3]));
    check(zmq_send(out, last, SIZE, 0) == SIZE && zmq_recv(in, last, SIZE, 0) == SIZE, "the last letter");
    zmq_close(in);
    zmq_close(out);
    zmq_ctx_term(context);
    bool good = waitpid(child, NULL, 0) == child;
    unlink(there + sizeof "ipc://" - 1); /* libzmq leaves what it was bound to */
    unlink(back + sizeof "ipc://" - 1);
    return good ? 0 : 1;
}
