import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { containerOptions, LIFETIME_LABEL, NAMESPACE_LABEL, shapeOf, waitingShape, workspaceBytes } from '../src/container-options.js';
import type { LauncherRequest, StepKind } from '../src/launcher-request.js';
import { CONTAINER_LIMITS, USUAL_PROGRAM_BYTES, LAUNCHER_FILES_BYTES } from '../src/limits.js';

const images = { build: 'tools', prove: 'tools', run: 'program' };
const context = { images, seccompProfile: '{"defaultAction":"SCMP_ACT_ERRNO"}', namespace: 'here', limits: CONTAINER_LIMITS };

function request(kind: StepKind): LauncherRequest {
  return { kind, timeLimitMs: 10_000, outputLimitBytes: 1, command: ['x'], files: [] };
}

const options = (kind: StepKind) => containerOptions(shapeOf(request(kind), CONTAINER_LIMITS), context);
const hostConfig = (kind: StepKind) => options(kind).HostConfig ?? {};

describe('the container of every step', () => {
  it.each<StepKind>(['build', 'run', 'prove'])('keeps what is in it from getting out: %s', (kind) => {
    expect(hostConfig(kind)).toMatchObject({
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: ['SETPCAP', 'SETUID', 'SETGID'],
      SecurityOpt: ['no-new-privileges', `seccomp=${context.seccompProfile}`],
      NetworkMode: 'none',
      PidsLimit: 100,
      NanoCpus: 1e9,
      LogConfig: { Type: 'none' },
    });
    expect(options(kind)).toMatchObject({ NetworkDisabled: true, StdinOnce: true });
  });

  it.each<StepKind>(['build', 'run', 'prove'])('cannot swap its way around the memory limit: %s', (kind) => {
    const { Memory, MemorySwap } = hostConfig(kind);
    expect(Memory).toBe(kind === 'prove' ? CONTAINER_LIMITS.proveMemoryBytes : CONTAINER_LIMITS.memoryBytes);
    expect(MemorySwap).toBe(Memory);
  });

  it('bears its namespace and how long its step may take at most', () => {
    const { Labels } = options('run');
    expect(Labels?.[NAMESPACE_LABEL]).toBe('here');
    expect(Number(Labels?.[LIFETIME_LABEL])).toBeGreaterThan(20);
  });

  it('has shared memory of its own for a proof, and none otherwise', () => {
    expect(hostConfig('prove').IpcMode).toBe('private');
    expect(hostConfig('build').IpcMode).toBe('none');
    expect(hostConfig('run').IpcMode).toBe('none');
  });

  it('has the image of its kind', () => {
    expect(options('run').Image).toBe('program');
    expect(options('prove').Image).toBe('tools');
  });
});

describe('the space of a program', () => {
  /** What it may write, and the launcher's own files. */
  const programFilesBytes = CONTAINER_LIMITS.programFilesBytes + LAUNCHER_FILES_BYTES;
  const bytesOf = (size: number) => {
    const files = [{ basename: 'a', contents: 'é' }, { basename: 'main', contents: 'not sent' }];
    return workspaceBytes({ ...request('run'), files, executable: { basename: 'main', pieces: [Buffer.alloc(1), Buffer.alloc(size - 1)] } }, CONTAINER_LIMITS);
  };

  it('is what it may write on top of what is sent to it, in whole pages', () => {
    expect(bytesOf(USUAL_PROGRAM_BYTES + 1)).toBe(programFilesBytes + USUAL_PROGRAM_BYTES + 2 * 4096);
  });

  it('is the same for all usual programs, so that a container can wait for them', () => {
    expect(bytesOf(4097)).toBe(programFilesBytes + USUAL_PROGRAM_BYTES);
    expect(waitingShape('run', 1, CONTAINER_LIMITS).workspaceBytes).toBe(bytesOf(4097));
  });
});

describe('the seccomp profile', () => {
  interface Group {
    comment: string;
    names: string[];
    action: string;
    args?: { index: number; value: number; op: string }[];
  }
  const profile = JSON.parse(readFileSync(new URL('../../../docker/sandbox/seccomp.json', import.meta.url), 'utf8')) as {
    defaultAction: string;
    syscalls: Group[];
  };
  const groupsOf = (name: string) => profile.syscalls.filter(({ names }) => names.includes(name));

  it('refuses what it does not name, says why for each group, and names nothing twice', () => {
    expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
    expect(profile.syscalls.every(({ comment }) => comment.length > 0)).toBe(true);
    const names = profile.syscalls.flatMap((group) => group.names);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(['ptrace', 'process_vm_readv', 'process_vm_writev', 'userfaultfd', 'io_uring_setup', 'mq_open', 'keyctl', 'add_key',
    'mount', 'umount2', 'pivot_root', 'chroot', 'unshare', 'setns', 'bpf', 'perf_event_open', 'personality', 'shmget', 'semget',
    'msgget', 'kexec_load', 'init_module', 'open_by_handle_at', 'name_to_handle_at', 'mknod', 'mknodat', 'setxattr', 'vmsplice',
    'pidfd_getfd', 'syslog', 'quotactl', 'reboot', 'swapon'])('does not name %s', (name) => {
    expect(groupsOf(name)).toEqual([]);
  });

  it.each(['socket', 'socketpair'])('allows %s for Unix sockets alone', (name) => {
    expect(groupsOf(name)).toMatchObject([{ action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] }]);
  });

  it('allows clone in no new namespace; clone3, whose flags it cannot see, is left to the launcher to refuse', () => {
    expect(groupsOf('clone')).toMatchObject([{ args: [{ index: 0, value: 0x7e020000, op: 'SCMP_CMP_MASKED_EQ' }] }]);
    expect(groupsOf('clone3')).toMatchObject([{ action: 'SCMP_ACT_ALLOW' }]);
  });
});
