/** What gVisor does in its own way, and what it takes for a container's limits to hold there as well. */
import type { HostConfig } from 'dockerode';

/**
 * Tasks of the host for each process of a container: its address space is held by a few of them.
 * A kernel that is refused one ends with all that it runs, so this is only a last resort.
 */
const HOST_TASKS_PER_PROCESS = 10;

/** gVisor's own name for itself is `runsc`, and an engine's name for it has to have that in it. */
export function isGvisor(runtime: string | undefined): boolean {
  return runtime !== undefined && /runsc|gvisor/i.test(runtime);
}

export function forGvisor(hostConfig: HostConfig, processes: number): HostConfig {
  return {
    ...hostConfig,
    // A file system of its own would be put over an empty /tmp, without a size. The image's /tmp
    // leads to /workspace/tmp, and this mount keeps that from being empty.
    Tmpfs: { ...hostConfig.Tmpfs, '/workspace/tmp/.gvisor': 'ro,noexec,nosuid,nodev,size=4096' },
    // The engine's limit counts tasks of the host; this one gVisor's own. Of a user, which is here
    // the same: the launcher and the command have one each.
    PidsLimit: processes * HOST_TASKS_PER_PROCESS,
    Ulimits: [...(hostConfig.Ulimits ?? []), { Name: 'nproc', Soft: processes - 1, Hard: processes - 1 }],
  };
}

/**
 * The profile's JSON text with ptrace, for the launcher, which refuses it to commands (launcher/trace.c,
 * confine.c).
 */
export function withPtrace(seccompProfile: string): string {
  const { syscalls, ...rest } = JSON.parse(seccompProfile) as { syscalls: unknown[] };
  return JSON.stringify({ ...rest, syscalls: [...syscalls, { names: ['ptrace'], action: 'SCMP_ACT_ALLOW' }] });
}
