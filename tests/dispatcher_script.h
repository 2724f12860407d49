/* dispatcher_script.h - a tiny language for telling a dispatcher events and saying what it must answer. */
#ifndef DISPATCHER_SCRIPT_H
#define DISPATCHER_SCRIPT_H

/* Runs the script. NULL when all was as it says; else what was not and in which line, until the next call. */
const char *dispatcher_script_run(const char *script);

#endif
