/*
 * The command line, checked as gnatprove does: from 14 on as recorded, up to 13 as its
 * documentation and GNAT's own library for command lines have it.
 */
#include "stand-in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef GENERATION
#error "GENERATION is 13 or 14"
#endif

/* From 14 on --checks-as-errors has a value. */
static const bool has_value = GENERATION >= 14;

static void print_help(void)
{
    say(STDOUT_FILENO, "Usage: gnatprove -Pproj [switches] [-cargs switches]\n"
                       "\n"
                       "gnatprove basic switches:\n"
                       " -h, --help            Display this usage information\n"
                       "     --level=n         Set the level of proof (0 = faster to 4 = more powerful)\n"
                       "     --mode=m          Set the mode of GNATprove (m=check, flow, prove, all*)\n"
                       "     --report=r        Set the report mode of GNATprove (r=fail*, all)\n"
                       "\n"
                       "gnatprove advanced switches:\n");
    say(STDOUT_FILENO, has_value ? " --checks-as-errors=c Treat unproved check messages as errors (c=on, off*)\n"
                                   " --function-sandboxing=s\n"
                                   "                      Guard axioms about functions (s=on*, off)\n"
                                 : " --checks-as-errors   Treat unproved check messages as errors\n"
                                   " --no-axiom-guard     Do not guard axioms about functions\n");
}

static _Noreturn void end_with_error(const char *form, const char *word)
{
    char line[1024];
    snprintf(line, sizeof line, form, word);
    say(STDOUT_FILENO, "Try \"gnatprove --help\" for more information.\n");
    say(STDERR_FILENO, line);
    exit(1);
}

/* The recorded order: notes come first, whatever else is wrong. */
static void print_notes(int count, char **words)
{
    for (int i = 1; i < count; i++)
        if (has_value && strcmp(words[i], "--no-axiom-guard") == 0)
            say(STDOUT_FILENO, "Note: switch \"--no-axiom-guard\" is ignored.\n"
                               "Note: use \"--function-sandboxing=off\" instead.\n");
}

static bool is(const char *word, const char *wanted)
{
    return strcmp(word, wanted) == 0;
}

static bool is_known(const char *word)
{
    if (is(word, "--level=0") || is(word, "--no-axiom-guard"))
        return true;
    return has_value ? is(word, "--checks-as-errors=on") || is(word, "--function-sandboxing=off")
                     : is(word, "--checks-as-errors");
}

struct request read_command_line(int count, char **words)
{
    struct request request = {0};
    const char *project = NULL;

    if (count == 2 && is(words[1], "--help")) {
        print_help();
        exit(0);
    }
    print_notes(count, words);
    bool checks_as_errors = false;
    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        if (has_value && is(word, "--checks-as-errors"))
            end_with_error("error: wrong argument \"%s\" for --checks-as-errors, must be one of (on, off)\n",
                           i + 1 < count ? words[i + 1] : "");
        if (is(word, "-P") && i + 1 < count)
            project = words[++i];
        else if (is(word, "--mode=flow"))
            request.flow = true;
        else if (is(word, "--report=all"))
            request.report_all = true;
        else if (!is_known(word))
            end_with_error("gnatprove: unrecognized option '%s'\n", word);
        checks_as_errors = checks_as_errors || strncmp(word, "--checks-as-errors", 18) == 0;
    }
    if (project == NULL || !is(project, "main.gpr"))
        refuse_as("command line", "-P main.gpr is missing");
    /* All recordings were made with it: without it, their statuses would be wrong. */
    if (!checks_as_errors)
        refuse_as("command line", "--checks-as-errors is missing");
    return request;
}
