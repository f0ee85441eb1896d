/** Differences under gVisor, and the options that make limits hold there. */
import type { HostConfig } from 'dockerode';

/** gVisor uses several host tasks for one process. A gVisor kernel that gets no further task ends. */
const HOST_TASKS_PER_PROCESS = 10;

/** gVisor's runtime is called runsc. The engine's name for it must contain `runsc` or `gvisor`. */
export function isGvisor(runtime: string | undefined): boolean {
  return runtime !== undefined && /runsc|gvisor/i.test(runtime);
}

export function forGvisor(hostConfig: HostConfig, processes: number): HostConfig {
  return {
    ...hostConfig,
    // gVisor mounts a tmpfs without a size over an empty /tmp. The image's /tmp is a link to /workspace/tmp, and this
    // mount makes that folder not empty.
    Tmpfs: { ...hostConfig.Tmpfs, '/workspace/tmp/.gvisor': 'ro,noexec,nosuid,nodev,size=4096' },
    // Under gVisor the engine's limit counts host tasks, so nproc limits the processes. It counts for each user: the
    // launcher is one user, the command another.
    PidsLimit: processes * HOST_TASKS_PER_PROCESS,
    Ulimits: [...(hostConfig.Ulimits ?? []), { Name: 'nproc', Soft: processes - 1, Hard: processes - 1 }],
  };
}

/** Adds ptrace to the JSON text. Only the launcher may use it: see launcher/trace.c and confine.c. */
export function withPtrace(seccompProfile: string): string {
  const { syscalls, ...rest } = JSON.parse(seccompProfile) as { syscalls: unknown[] };
  return JSON.stringify({ ...rest, syscalls: [...syscalls, { names: ['ptrace'], action: 'SCMP_ACT_ALLOW' }] });
}
