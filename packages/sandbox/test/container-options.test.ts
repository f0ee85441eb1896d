import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  containerOptions,
  LIFETIME_LABEL,
  NAMESPACE_LABEL,
  specOf,
  warmSpec,
  workspaceBytes,
} from '../src/container-options.js';
import type { Profile } from '../src/job.js';
import { LAUNCHER_FILES_BYTES, USUAL_FILES_BYTES } from '../src/limits.js';
import { jobOf, PROGRAM, SHARING, TOOL } from './profiles.js';

const confining = { seccompProfile: '{"defaultAction":"SCMP_ACT_ERRNO"}', namespace: 'here' };
const options = (profile: Profile) => containerOptions(specOf(jobOf(profile)), confining);
const hostConfig = (profile: Profile) => options(profile).HostConfig ?? {};
const profiles = [TOOL, PROGRAM, SHARING].map((profile) => [profile.name, profile] as const);

describe('the container of any job', () => {
  it.each(profiles)('is isolated: %s', (_, profile) => {
    expect(hostConfig(profile)).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: ['SETPCAP', 'SETUID', 'SETGID'],
      SecurityOpt: ['no-new-privileges', `seccomp=${confining.seccompProfile}`],
      NetworkMode: 'none',
      NanoCpus: 1e9,
      LogConfig: { Type: 'none' },
    });
    expect(options(profile)).toMatchObject({ NetworkDisabled: true, StdinOnce: true });
  });

  it.each(profiles)('has the process and memory limits of its profile, without swap: %s', (_, profile) => {
    const { memoryBytes, processes } = profile;
    expect(hostConfig(profile)).toMatchObject({ Memory: memoryBytes, MemorySwap: memoryBytes, PidsLimit: processes });
    expect(hostConfig({ ...profile, processes: 20 }).PidsLimit).toBe(20);
  });

  it('has labels for its namespace and the maximum time of its job', () => {
    const { Labels } = options(PROGRAM);
    expect(Labels?.[NAMESPACE_LABEL]).toBe('here');
    expect(Number(Labels?.[LIFETIME_LABEL])).toBeGreaterThan(20);
  });

  it('has private shared memory only if its profile asks for it', () => {
    expect(hostConfig(SHARING)).toMatchObject({ IpcMode: 'private', ShmSize: 1024 * 1024 });
    for (const profile of [TOOL, PROGRAM]) {
      expect(hostConfig(profile).IpcMode).toBe('none');
      expect(hostConfig(profile)).not.toHaveProperty('ShmSize');
    }
  });

  it('has the image of its profile', () => {
    expect(options(PROGRAM).Image).toBe('program');
    expect(options(TOOL).Image).toBe('tools');
  });
});

describe.each([
  ['tool', TOOL],
  ['program', PROGRAM],
] as const)('the workspace size of a %s', (_, profile) => {
  /** What the command may write, plus the launcher's own files. */
  const ownBytes = profile.writableBytes + LAUNCHER_FILES_BYTES;
  const bytesOf = (size: number) => {
    const files = [
      { basename: 'a', contents: 'é' },
      { basename: 'main', contents: 'not sent' },
    ];
    return workspaceBytes(
      jobOf(profile, { files, copyIn: { basename: 'main', pieces: [Buffer.alloc(1), Buffer.alloc(size - 1)] } }),
    );
  };

  it('covers the writable bytes and the sent files, in whole pages', () => {
    expect(bytesOf(USUAL_FILES_BYTES + 1)).toBe(ownBytes + USUAL_FILES_BYTES + 2 * 4096);
  });

  it('is the same for all usual jobs, so that warm containers fit them', () => {
    expect(bytesOf(4097)).toBe(ownBytes + USUAL_FILES_BYTES);
    expect(warmSpec(profile).workspaceBytes).toBe(bytesOf(4097));
  });
});

describe('a warm container', () => {
  it('fits the longest job of its profile, and lives longer than a cold one', () => {
    const lifetimeS = (spec: ReturnType<typeof warmSpec>) =>
      Number(containerOptions(spec, confining).Labels?.[LIFETIME_LABEL]);
    expect(warmSpec(TOOL)).toMatchObject({ profile: TOOL, jobMs: TOOL.longestJobMs });
    const made = { ...warmSpec(TOOL, 60_000), waitMs: 0 };
    expect(lifetimeS(warmSpec(TOOL, 60_000))).toBeGreaterThanOrEqual(lifetimeS(made) + 60);
  });
});

describe('the seccomp profile', () => {
  interface Group {
    comment: string;
    names: string[];
    action: string;
    args?: { index: number; value: number; op: string }[];
  }
  const profile = JSON.parse(
    readFileSync(new URL('../../../docker/sandbox/seccomp.json', import.meta.url), 'utf8'),
  ) as {
    defaultAction: string;
    syscalls: Group[];
  };
  const groupsOf = (name: string) => profile.syscalls.filter(({ names }) => names.includes(name));

  it('refuses unlisted calls, gives a reason per group, and lists nothing twice', () => {
    expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(profile.syscalls.every(({ comment }) => comment.length > 0)).toBe(true);
    const names = profile.syscalls.flatMap((group) => group.names);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    'ptrace',
    'process_vm_readv',
    'process_vm_writev',
    'userfaultfd',
    'io_uring_setup',
    'mq_open',
    'keyctl',
    'add_key',
    'mount',
    'umount2',
    'pivot_root',
    'chroot',
    'unshare',
    'setns',
    'bpf',
    'perf_event_open',
    'personality',
    'shmget',
    'semget',
    'msgget',
    'kexec_load',
    'init_module',
    'open_by_handle_at',
    'name_to_handle_at',
    'mknod',
    'mknodat',
    'setxattr',
    'vmsplice',
    'pidfd_getfd',
    'syslog',
    'quotactl',
    'reboot',
    'swapon',
  ])('does not list %s', (name) => {
    expect(groupsOf(name)).toEqual([]);
  });

  it.each(['socket', 'socketpair'])('allows %s only for Unix sockets', (name) => {
    expect(groupsOf(name)).toMatchObject([
      { action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] },
    ]);
  });

  it('allows clone without new namespaces, and leaves clone3, whose flags are hidden, to the launcher', () => {
    expect(groupsOf('clone')).toMatchObject([{ args: [{ index: 0, value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ' }] }]);
    expect(groupsOf('clone3')).toMatchObject([{ action: 'SCMP_ACT_ALLOW' }]);
  });
});
