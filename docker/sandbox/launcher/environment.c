/* The environment of the command. The launcher itself reads no variable. */
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const tool_variables[] = {TOOL_VARIABLES, NULL};
static const char *const program_variables[] = {PROGRAM_VARIABLES, NULL};

/* A tool keeps the variables of its image. A program gets only the guard (guard.c). */
void begin_environment(enum confinement confinement)
{
    if (confinement == PROGRAM && (clearenv() != 0 || setenv("LD_PRELOAD", GUARD, 1) != 0))
        die("environment");
}

static bool is_allowed(enum confinement confinement, const char *assignment, size_t name_length)
{
    const char *const *names = confinement == PROGRAM ? program_variables : tool_variables;
    for (; *names; names++)
        if (strlen(*names) == name_length && !strncmp(*names, assignment, name_length))
            return true;
    return false;
}

/* NAME=value */
void set_variable(enum confinement confinement, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    errno = 0;
    if (!equals || !is_allowed(confinement, assignment, (size_t)(equals - assignment)))
        die("variable");
    char *copy = strdup(assignment);
    if (!copy || putenv(copy) != 0)
        die("putenv");
}
