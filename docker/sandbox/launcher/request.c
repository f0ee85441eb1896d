/*
 * Receives the request: START, then files, words and others in any order, then GO. Files are written to the workspace
 * as they arrive, so no file is in memory as a whole.
 */
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void refuse(const char *what)
{
    errno = 0;
    die(what);
}

/* Accepts only the builder for a tool, and only a runner for a program. */
static void check_user(enum confinement confinement, uid_t user)
{
    bool is_tool = confinement == TOOL && user == BUILDER;
    bool is_program = confinement == PROGRAM && user >= FIRST_RUNNER && user < FIRST_RUNNER + RUNNERS;
    if (!is_tool && !is_program)
        refuse("confinement and user");
}

static void receive_start(struct request *request, uint32_t length)
{
    unsigned char payload[START_BYTES];
    if (length != sizeof payload || request->confinement != 0)
        refuse("START");
    receive_bytes(payload, sizeof payload);
    request->confinement = payload[0];
    request->user = decode_u32(payload + 1);
    check_user(request->confinement, request->user);
    request->time_limit_ms = decode_u32(payload + 5);
    request->output_limit_bytes = decode_u32(payload + 9);
    request->room_bytes = decode_u32(payload + 13);
    request->inspect = payload[17] & INSPECT;
    make_workspace(request->confinement, request->user);
    begin_environment(request->confinement);
}

static void receive_variable(const struct request *request, uint32_t length)
{
    char assignment[VARIABLE_BYTES + 1];
    if (length > VARIABLE_BYTES)
        refuse("length of a variable");
    receive_bytes(assignment, length);
    assignment[length] = '\0';
    if (strlen(assignment) != length)
        refuse("variable with a NUL");
    set_variable(request->confinement, assignment);
}

static void receive_name(char *name, size_t length)
{
    if (length == 0 || length > NAME_BYTES)
        refuse("length of a file name");
    receive_bytes(name, length);
    name[length] = '\0';
    if (strlen(name) != length || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        refuse("file name");
}

/* Payload: length of the name (1 byte), name, contents. */
static void receive_named_file(uint32_t length, bool executable)
{
    unsigned char name_length;
    char name[NAME_BYTES + 1];
    if (length < 1)
        refuse("length of a file");
    receive_bytes(&name_length, 1);
    length -= 1;
    if (length < name_length || length - name_length > FILE_BYTES)
        refuse("length of a file");
    receive_name(name, name_length);
    receive_file(name, length - name_length, executable);
}

static void receive_word(struct request *request, uint32_t length, size_t *room)
{
    if (length >= *room || request->word_count == MOST_WORDS)
        refuse("length of the command");
    *room -= length + 1;
    char *word = malloc(length + 1);
    if (!word)
        die("malloc");
    receive_bytes(word, length);
    word[length] = '\0';
    if (strlen(word) != length)
        refuse("word with a NUL");
    request->words[request->word_count++] = word;
}

void receive_request(struct request *request)
{
    size_t room = WORDS_BYTES;
    /* Zero pages take no memory until they are written. */
    request->words = calloc(MOST_WORDS + 1, sizeof *request->words);
    if (!request->words)
        die("calloc");
    for (;;) {
        unsigned char header[5];
        receive_bytes(header, sizeof header);
        uint32_t length = decode_u32(header + 1);
        if (request->confinement == 0 && header[0] != START)
            refuse("frame before START");
        switch (header[0]) {
        case START:
            receive_start(request, length);
            break;
        case VARIABLE:
            receive_variable(request, length);
            break;
        case FILE_SENT:
        case EXECUTABLE_SENT:
            receive_named_file(length, header[0] == EXECUTABLE_SENT);
            break;
        case WORD:
            receive_word(request, length, &room);
            break;
        case HAND_BACK:
            receive_name(request->hand_back, length);
            break;
        case GO:
            if (length != 0 || request->word_count == 0)
                refuse("GO");
            return;
        default:
            refuse("type of a frame");
        }
    }
}
