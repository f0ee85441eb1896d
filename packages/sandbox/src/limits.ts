/** All limits of the sandbox. Those of a profile or a job are set by the worker. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** /etc/passwd and /etc/group of a program, in its workspace. */
export const LAUNCHER_FILES_BYTES = 8 * KIB;
/** Files and folders in a workspace. Each takes kernel memory even if it is empty. */
export const INODES = 8192;
/** Of one process. */
export const OPEN_FILES = 1024;
export const CPUS = 1;
/** Size of /dev/shm, in a profile that has it. */
export const SHARED_MEMORY_BYTES = MIB;

/**
 * The largest executable. Each task of a worker holds one in memory. Examples need 16 to 60 KiB; an Ada program with
 * twenty library packages 245 KiB; C++ with <regex>, threads and debug information 2 MiB.
 */
export const EXECUTABLE_BYTES = 8 * MIB;
/** All words of a command, each with its NUL. The kernel's limit is 2 MiB with the environment. */
export const COMMAND_BYTES = MIB;
export const COMMAND_WORDS = 256 * KIB;
/** Payload of a frame that the launcher sends. */
export const LAUNCHER_FRAME_BYTES = 64 * KIB;
/** How much of the launcher's stderr is kept for the log. */
export const DIAGNOSTICS_BYTES = 4 * KIB;

/** Limits of the job that inspects a container before a worker serves. */
export const INSPECTION_MS = 10_000;
export const INSPECTION_BYTES = 16 * KIB;
/** Timeout of one call of the engine. */
export const ENGINE_CALL_MS = 15_000;
/** Time for the request, the last output and the executable, on top of the command's time limit. */
export const STEP_SLACK_MS = 10_000;
/** Grace period for output that was sent before the deadline but not read yet. */
export const LAST_WORDS_MS = 2_000;
/** Maximum time from a stream's end until the engine knows that the container has ended. */
export const END_KNOWN_MS = 5_000;
/** Time for a worker to inspect its ended container. After it the container is a leftover. */
export const EXITED_GRACE_MS = 10_000;
/** Waits before each removal of a container whose creation was not answered. */
export const MAY_STILL_COME_MS = [0, 500, 2_000] as const;
export const REMOVAL_RETRIES_MS = [100, 500, 2_000, 5_000, 10_000] as const;

/** Room for sources and executable in a warm container. */
export const USUAL_FILES_BYTES = 512 * KIB;
/** How long a container stays warm. */
export const POOL_WAIT_MS = 120_000;
export const POOL_REVIEW_MS = 10_000;
/** Timeout for the launcher's first frame. */
export const READY_MS = 10_000;
/** How long the pool waits for idle time before it makes a container. */
export const IDLE_WAIT_MS = 1_000;
/** From a job's end until its task has sent its last message or started the next job. */
export const AFTERMATH_MS = 80;
/** How long a finished container waits for idle time before its removal. At most RETIRED_MOST containers wait. */
export const RETIREMENT_MS = 1_000;
export const RETIRED_MOST = 8;
export const POOL_RETRY_MS = 2_000;

/** A build larger than maxBytes / CACHE_SHARE is not cached. */
export const CACHE_SHARE = 8;
/** After an eviction at most this fraction of maxBytes is used. */
export const CACHE_SLACK = 0.9;
/** Age at which an unfinished file counts as abandoned. */
export const UNFINISHED_MS = 600_000;
/** How long a worker caches the id of an image. */
export const IMAGE_KNOWN_MS = 10_000;
