/* vm_stream.c - what a running job sends its owner before it ends: see vm_stream.h. */
#include "vm_stream.h"

#include "vm_task.h"

enum { WINDOW_DEFAULT = 64 };

static void set_window(struct vm_run *run, uint32_t window)
{
    run->window = window == RUN_WINDOW_OPEN ? UINT64_MAX : window ? window : WINDOW_DEFAULT;
}

void vm_stream_init(struct vm_run *run)
{
    const struct header *h = message_header(run->letter);
    run->unwanted = h->flags & (FLAG_DISCARD | FLAG_BATCH);
    set_window(run, h->slot);
}

void vm_stream_wake(struct vm_run *run)
{
    if (vm_task_waits_for(run->task, run))
        vm_task_wake(run->task, vm_tasks_state(vm_task_scheduler(run->task)), 0);
}

bool vm_stream_has_room(const struct vm_run *run)
{
    return run->unwanted || run->sent - run->taken < run->window;
}

void vm_stream_send(struct vm_run *run, struct message **letter, bool sync)
{
    struct header *h = message_header(*letter);
    h->code = run_attempt(message_header(run->letter)->from);
    h->u.number = (int64_t)++run->sent;
    if (sync) {
        h->flags = FLAG_SYNC;
        run->synced = run->sent;
    }
    vm_run_say(run, letter, MAIL_EMIT);
}

void vm_stream_tell_progress(struct vm_run *run)
{
    if (!run->progress)
        return;
    message_header(run->progress)->flags = FLAG_PROGRESS;
    vm_run_say(run, &run->progress, MAIL_EMIT);
}

static void apply(struct vm_run *run, const struct header *h)
{
    bool this_run = h->code == run_attempt(message_header(run->letter)->from);
    uint64_t number = (uint64_t)h->u.number;
    if (h->kind == MAIL_WINDOW) {
        set_window(run, (uint32_t)number);
        run->unwanted |= (h->flags & FLAG_DISCARD) != 0;
        if (run->unwanted)
            run->synced = 0;
    } else if (h->kind == MAIL_TAKEN && this_run && number > run->taken && number <= run->sent) {
        run->taken = number;
    } else if (h->kind == MAIL_RESUME && this_run && number == run->synced) {
        run->synced = 0;
        run->stopping |= (h->flags & FLAG_STOPPED) != 0;
    }
    vm_stream_wake(run);
}

void vm_stream_told(struct vm_jobs *jobs, const struct message *letter)
{
    const struct header *h = message_header(letter);
    struct vm_run *run = h->id ? vm_run_find(jobs, h->id) : vm_run_first(jobs);
    for (; run; run = h->id ? NULL : run->next)
        apply(run, h);
}
