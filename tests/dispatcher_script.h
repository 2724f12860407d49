/* dispatcher_script.h - a tiny language for telling a dispatcher events and saying what it must answer. */
#ifndef DISPATCHER_SCRIPT_H
#define DISPATCHER_SCRIPT_H

#include <check.h>

/* Runs the script. NULL when all was as it says; else what was not and in which line, until the next call. */
const char *dispatcher_script_run(const char *script);

/* A test that plays the script. */
#define RULE(name, script)                                                                               \
    START_TEST(name)                                                                                     \
    {                                                                                                    \
        const char *complaint = dispatcher_script_run(script);                                           \
        ck_assert_msg(!complaint, "%s", complaint);                                                      \
    }                                                                                                    \
    END_TEST

/* Six runs of a microsecond bring the average from 200 us to where two jobs fit into a hand. */
#define SHORT_RUNS                                                                                       \
    "submit 101; submit 102; submit 103; submit 104; submit 105; submit 106\n"                           \
    "> start w1\n"                                                                                       \
    "up w1\n"                                                                                            \
    "> run w1 101\n"                                                                                     \
    "done w1 101 ok ran=0.000001\n"                                                                      \
    "> end 101 finished result\n"                                                                        \
    "> run w1 102\n"                                                                                     \
    "done w1 102 ok ran=0.000001\n"                                                                      \
    "> end 102 finished result\n"                                                                        \
    "> run w1 103\n"                                                                                     \
    "done w1 103 ok ran=0.000001\n"                                                                      \
    "> end 103 finished result\n"                                                                        \
    "> run w1 104\n"                                                                                     \
    "done w1 104 ok ran=0.000001\n"                                                                      \
    "> end 104 finished result\n"                                                                        \
    "> run w1 105\n"                                                                                     \
    "done w1 105 ok ran=0.000001\n"                                                                      \
    "> end 105 finished result\n"                                                                        \
    "> run w1 106\n"                                                                                     \
    "done w1 106 ok ran=0.000001\n"                                                                      \
    "> end 106 finished result\n"

#endif
