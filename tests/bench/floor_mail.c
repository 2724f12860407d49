/* floor_mail.c - the bare way of a job's mail over ZeroMQ: four hops, and nothing done at any of them.
 *
 * The submitter pushes to a thread in the middle, this one to a worker, which pushes back the same way. Each has one
 * socket to pull from, as a mailbox has. Prints the seconds of a round trip, p50 and p99, and how many a second make
 * it when WINDOW are in flight.
 *
 *   floor_mail TRIPS COUNT WINDOW
 */
#include <pthread.h>

#include "floor_zmq.h"

enum { SIZE = 64, WORKERS = 2 };
enum { TO_WORKER, TO_OWNER, END }; /* a letter's first byte */

static void *context;
static const char *const owner_box = "inproc://owner", *const middle_box = "inproc://middle";
static const char *const worker_boxes[WORKERS] = {"inproc://worker0", "inproc://worker1"};

static void post(void *socket, const char *letter)
{
    check(zmq_send(socket, letter, SIZE, 0) == SIZE, "zmq_send");
}

static void receive(void *socket, char *letter)
{
    check(zmq_recv(socket, letter, SIZE, 0) == SIZE, "zmq_recv");
}

static void *stand_between(void *pull)
{
    char letter[SIZE];
    void *owner = open_socket(context, ZMQ_PUSH, owner_box), *workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = open_socket(context, ZMQ_PUSH, worker_boxes[i]);
    for (unsigned turn = 0;;) {
        receive(pull, letter);
        if (letter[0] == TO_OWNER) {
            post(owner, letter);
            continue;
        }
        if (letter[0] == END)
            break;
        letter[0] = TO_OWNER;
        post(workers[turn++ % WORKERS], letter);
    }
    for (int i = 0; i < WORKERS; i++) {
        post(workers[i], letter);
        zmq_close(workers[i]);
    }
    zmq_close(owner);
    zmq_close(pull);
    return NULL;
}

static void *work(void *pull)
{
    char letter[SIZE];
    void *middle = open_socket(context, ZMQ_PUSH, middle_box);
    for (;;) {
        receive(pull, letter);
        if (letter[0] == END)
            break;
        post(middle, letter);
    }
    zmq_close(middle);
    zmq_close(pull);
    return NULL;
}

static void measure_trips(void *middle, void *own, long count)
{
    char letter[SIZE] = {0};
    double *trips = new_trips(count);
    for (long i = 0; i < count; i++) {
        double begin = seconds();
        letter[0] = TO_WORKER;
        post(middle, letter);
        receive(own, letter);
        trips[i] = seconds() - begin;
    }
    print_trips(trips, count);
}

static void measure_rate(void *middle, void *own, long count, long window)
{
    char letter[SIZE] = {0};
    long taken = 0;
    double begin = seconds();
    for (long i = 0; i < count; i++) {
        letter[0] = TO_WORKER;
        post(middle, letter);
        if (i + 1 - taken >= window) {
            receive(own, letter);
            taken++;
        }
    }
    for (; taken < count; taken++)
        receive(own, letter);
    printf(" %.0f\n", (double)count / (seconds() - begin));
}

int main(int argc, char **argv)
{
    pthread_t threads[1 + WORKERS];
    check(argc == 4, "TRIPS COUNT WINDOW expected");
    context = zmq_ctx_new();
    void *own = open_socket(context, ZMQ_PULL, owner_box), *middle_pull = open_socket(context, ZMQ_PULL, middle_box);
    for (int i = 0; i < WORKERS; i++)
        check(pthread_create(&threads[1 + i], NULL, work, open_socket(context, ZMQ_PULL, worker_boxes[i])) == 0, "pthread_create");
    check(pthread_create(&threads[0], NULL, stand_between, middle_pull) == 0, "pthread_create");
    void *middle = open_socket(context, ZMQ_PUSH, middle_box);
    measure_trips(middle, own, atol(argv[1]));
    measure_rate(middle, own, atol(argv[2]), atol(argv[3]));
    char letter[SIZE] = {END};
    post(middle, letter);
    for (int i = 0; i <= WORKERS; i++)
        pthread_join(threads[i], NULL);
    zmq_close(middle);
    zmq_close(own);
    zmq_ctx_term(context);
    return 0;
}
