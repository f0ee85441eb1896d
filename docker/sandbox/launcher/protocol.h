/* Made by `npm run generate` from packages/sandbox/src/launcher-protocol.ts, which explains it. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#define PROTOCOL_VERSION 5
#define START_BYTES 18
#define INSPECT 1
#define NAME_BYTES 255
#define VARIABLE_BYTES 4096
#define FRAME_BYTES 65536
#define WORDS_BYTES 1048576
#define MOST_WORDS 262144
#define EXECUTABLE_BYTES 8388608
#define BUILDER 10001
#define FIRST_RUNNER 20000
#define RUNNERS 40000
#define VERSION "0.2.0"
#define WORKSPACE "/workspace/sessions"
#define SCRATCH "/workspace/tmp"
#define TOOL_VARIABLES "HOME", "TMPDIR", "LANG", "GPR_CONFIG", "GLIBC_TUNABLES"
#define PROGRAM_VARIABLES "HOME", "TMPDIR", "LANG", "PATH"

enum received { START = 'S', VARIABLE = 'V', FILE_SENT = 'F', EXECUTABLE_SENT = 'X', WORD = 'A', HAND_BACK = 'B', GO = 'G' };
enum sent { READY = 'r', OUTPUT = 'o', ERROR_OUTPUT = 'e', EXECUTABLE = 'x', STATUS = 's' };
enum reason { EXITED = 'e', SIGNALLED = 'k', TIME_LIMIT = 't', OUTPUT_LIMIT = 'o', OUT_OF_MEMORY = 'm', NOT_FOUND = 'n' };
enum confinement { TOOL = 't', PROGRAM = 'p' };

#endif
