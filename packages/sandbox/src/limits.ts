/** Every limit of the sandbox, with its unit. Those of a profile or a job are the worker's. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** The launcher's own files in a program's workspace: the tables of users and groups. */
export const LAUNCHER_FILES_BYTES = 8 * KIB;
/** Files and folders in a workspace: each takes kernel memory even when it is empty. */
export const INODES = 8192;
/** Open files of a process. */
export const OPEN_FILES = 1024;
/** Processors. */
export const CPUS = 1;
/** The /dev/shm of a profile that has one. */
export const SHARED_MEMORY_BYTES = MIB;

/**
 * What a job may hand back, and so what may be sent to the next. Each
 * task of a worker holds one in memory. Examples need 16 to 60 KiB, an Ada program with twenty
 * packages of the library 245 KiB, C++ with <regex>, threads and debug information 2 MiB.
 */
export const EXECUTABLE_BYTES = 8 * MIB;
/** All words of a command together, each with its end; the kernel takes 2 MiB with the environment. */
export const COMMAND_BYTES = MIB;
export const COMMAND_WORDS = 256 * KIB;
/** Largest payload of a frame that the launcher sends. */
export const LAUNCHER_FRAME_BYTES = 64 * KIB;
/** The launcher's own diagnostics that are kept for the log. */
export const DIAGNOSTICS_BYTES = 4 * KIB;

/** Of the look that a worker takes at its sandbox before it serves. */
export const INSPECTION_MS = 10_000;
export const INSPECTION_BYTES = 16 * KIB;
/** One call of the engine; longer, and it counts as unreachable. */
export const ENGINE_CALL_MS = 15_000;
/**
 * What a step may take beyond its command's time: the request on its way in, the last output and
 * the executable on their way out. After it the container is removed without asking the launcher.
 */
export const STEP_SLACK_MS = 10_000;
/** Grace period for output that was sent before the deadline but not read yet. */
export const LAST_WORDS_MS = 2_000;
/** Between the end of a container's stream and the engine's knowing that it has ended. */
export const END_KNOWN_MS = 5_000;
/** A container that has ended this long ago has no worker that still wants to look at it. */
export const EXITED_GRACE_MS = 10_000;
/** Waits before each look for a container whose making was not answered. */
export const MAY_STILL_COME_MS = [0, 500, 2_000] as const;
/** Waits between the attempts to remove a container. */
export const REMOVAL_RETRIES_MS = [100, 500, 2_000, 5_000, 10_000] as const;

/** What may be sent to a container that was warm: sources and an executable. */
export const USUAL_FILES_BYTES = 512 * KIB;
/** How long a container waits for its one request before a newer one takes its place. */
export const POOL_WAIT_MS = 120_000;
/** Between two looks at those that wait. */
export const POOL_REVIEW_MS = 10_000;
/** From a container's start to its launcher's first word. */
export const READY_MS = 10_000;
/** How long steps under way have the processors before a container is made beside them. */
export const IDLE_WAIT_MS = 1_000;
/** From a step's end to when its task has said its last word, or the next step has begun. */
export const AFTERMATH_MS = 80;
/** How long a container that has done its step waits at most for its removal, and how many do. */
export const RETIREMENT_MS = 1_000;
export const RETIRED_MOST = 8;
/** After a container that could not be made. */
export const POOL_RETRY_MS = 2_000;

/** A build that takes more than this part of its cache is not kept. */
export const CACHE_SHARE = 8;
/** What is left of a full cache after room has been made. */
export const CACHE_SLACK = 0.9;
/** A file that has been written for so long has no writer any more. */
export const UNFINISHED_MS = 600_000;
/** How long a worker takes an image's name to mean what it meant. */
export const IMAGE_KNOWN_MS = 10_000;
