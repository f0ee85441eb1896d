/** Checks the limits of a container from inside, because an engine that cannot apply a limit only logs a warning. */
import type { Profile } from './job.js';
import { BUILDER, FIRST_RUNNER, RUNNERS } from './launcher-protocol.js';
import { INODES, OPEN_FILES } from './limits.js';
import type { EngineInfo } from './runtime.js';

/** Output of launcher/inspect.c. A value that cannot be seen from inside is missing. */
export type Report = ReadonlyMap<string, string>;

export interface Expectation {
  profile: Profile;
  workspaceBytes: number;
  /** gVisor limits processes by a ulimit, and inodes not at all. It shows its own cgroups, but the host's apply. */
  gvisor: boolean;
}

const PAGE_BYTES = 4096;

export function parseReport(text: string): Report {
  const lines = text.split('\n').map((line) => /^([a-z_0-9]+) ([a-z0-9 -]+)$/.exec(line));
  return new Map(lines.flatMap((line) => (line ? [[line[1] ?? '', line[2] ?? ''] as const] : [])));
}

/** Errors of a seccomp profile. Any other one, such as EFAULT, comes from the kernel behind it. */
const REFUSED = ['1' /* EPERM */, '38' /* ENOSYS */];
const NOT_THERE = ['2' /* ENOENT */, '13' /* EACCES */, '30' /* EROFS */];

const TRIES: Readonly<Record<string, string>> = {
  socket_internet: 'open an internet socket',
  socket_netlink: 'open a netlink socket',
  socket_vsock: 'open a socket to the machine below',
  unshare: 'make a namespace',
  mount: 'mount a file system',
  ptrace: 'trace processes',
  io_uring: 'use io_uring',
  keyctl: 'use keyrings',
  bpf: 'use bpf',
  perf: 'use performance counters',
  userfaultfd: 'use userfaultfd',
};
const PROFILE = 'Let the engine use the seccomp profile that SECCOMP_PROFILE names; runsc does with --oci-seccomp.';
const CGROUPS = 'Boot the machine with that cgroup controller, and give it to the engine.';

/** Describes each fault in a sentence that says what to do; empty if there is none. */
export function faultsOf(
  report: Report,
  engine: EngineInfo,
  { profile, workspaceBytes, gvisor }: Expectation,
): string[] {
  const { name: profileName, confinement, memoryBytes: memory, processes } = profile;
  const isProgram = confinement === 'program';
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string) => void (holds || faults.push(`${fault} (${profileName})`));
  const is = (name: string, value: number | string) => report.get(name) === String(value);
  const atMost = (name: string, value: number) =>
    Number(report.get(name) ?? NaN) <= value && Number(report.get(name)) >= 0;
  /** Checks a cgroup limit: by its file, or by what the engine says where the file cannot be seen. */
  const limited = (name: string, ability: boolean | undefined, holds: (value: string) => boolean) => {
    const value = gvisor ? undefined : report.get(name);
    return value === undefined ? ability !== false : holds(value);
  };

  const user = Number(report.get('uid'));
  const isUser = isProgram ? user >= FIRST_RUNNER && user < FIRST_RUNNER + RUNNERS : user === BUILDER;
  demand(isUser && is('groups', 0), 'A command does not run as its user: build the images from docker/sandbox.');
  demand(
    is('capabilities', 0) && is('bounding_set', 0),
    'A command has capabilities: build the images from docker/sandbox.',
  );
  demand(is('no_new_privileges', 1), 'A command can gain privileges: use an engine that knows no-new-privileges.');
  demand(
    is('parent_pid', 1),
    'The launcher is not the first process of its container: leave the images their entry point, and the engine without its own init.',
  );
  demand(
    is('root_read_only', 1),
    'The root file system can be written to: use an engine that has read-only containers.',
  );
  demand(
    is('workspace_own', 1) && atMost('workspace_bytes', workspaceBytes),
    'What a command writes is not limited: use an engine that has tmpfs with a size.',
  );
  demand(
    is('other_writable_mounts', 0),
    'A command can write to a file system beside its workspace: mount nothing into the containers, and use a runtime that mounts none itself, runc say.',
  );
  demand(
    gvisor || atMost('workspace_inodes', INODES),
    'The number of files is not limited: use an engine that has tmpfs with nr_inodes.',
  );
  demand(
    atMost('open_files', OPEN_FILES) && is('core_bytes', 0),
    'Open files or core dumps are not limited: use an engine that sets ulimits.',
  );
  demand(is('interfaces', 0), 'There is a network in a container: use an engine that has containers without one.');
  demand(
    NOT_THERE.includes(report.get('write_root') ?? ''),
    'A command can write to the root file system: use an engine that has read-only containers.',
  );
  demand(
    NOT_THERE.includes(report.get('engine_socket') ?? ''),
    "A command sees the engine's socket: mount nothing into the containers.",
  );
  for (const [name, what] of Object.entries(TRIES))
    demand(REFUSED.includes(report.get(name) ?? ''), `A command can ${what}. ${PROFILE}`);
  if (isProgram) {
    demand(REFUSED.includes(report.get('fork') ?? ''), `A program can start processes. ${PROFILE}`);
    demand(is('exec', ENOSYS), 'A program can execute files: use Linux 5.9 or newer, or gVisor.');
  }

  // The kernel rounds to pages.
  const isMemory = (value: string) => Math.abs(Number(value) - memory) < PAGE_BYTES;
  const withoutSwap = (value: string) => value === '0' || isMemory(value);
  demand(limited('memory', engine.MemoryLimit, isMemory), `Memory is not limited. ${CGROUPS}`);
  demand(
    limited('swap_v2', engine.SwapLimit, withoutSwap) && limited('memory_and_swap', engine.SwapLimit, withoutSwap),
    `Swap is not limited. ${CGROUPS}`,
  );
  demand(!gvisor || atMost('own_processes', processes), 'Processes are not limited: use an engine that sets ulimits.');
  demand(
    limited('processes', engine.PidsLimit, (value) => Number(value) === processes),
    `Processes are not limited. ${CGROUPS}`,
  );
  demand(
    limited('cpu', engine.CpuCfsQuota, (value) => Number(value.split(' ')[0]) > 0),
    `Processor time is not limited. ${CGROUPS}`,
  );
  return faults;
}

/** The kernel's answer to an exec after the launcher has closed the seccomp listener (confine.c). */
const ENOSYS = 38;
