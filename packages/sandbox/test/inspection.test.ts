import { describe, expect, it } from '@jest/globals';

import { faultsOf, parseReport, type Expectation } from '../src/inspection.js';
import type { EngineInfo } from '../src/runtime.js';
import { PROGRAM, TOOL } from './profiles.js';

const EXPECTED: Expectation = { profile: PROGRAM, workspaceBytes: 1 << 25, gvisor: false };
const ABLE: EngineInfo = { MemoryLimit: true, SwapLimit: true, PidsLimit: true, CpuCfsQuota: true };

/** The report of a program's container under cgroup v1, with changes; undefined leaves a line out. */
function report(changes: Record<string, string | undefined> = {}) {
  const lines: Record<string, string | undefined> = {
    uid: '20002',
    groups: '0',
    capabilities: '0',
    bounding_set: '0',
    no_new_privileges: '1',
    parent_pid: '1',
    open_files: '1024',
    core_bytes: '0',
    root_read_only: '1',
    workspace_bytes: String(1 << 25),
    workspace_inodes: '8192',
    workspace_own: '1',
    other_writable_mounts: '0',
    memory: '268435456',
    memory_and_swap: '268435456',
    processes: '100',
    cpu: '100000',
    interfaces: '0',
    write_root: '30',
    engine_socket: '2',
    ...Object.fromEntries(
      [
        'socket_internet',
        'socket_netlink',
        'socket_vsock',
        'unshare',
        'mount',
        'ptrace',
        'io_uring',
        'keyctl',
        'bpf',
        'perf',
        'userfaultfd',
        'fork',
      ].map((name) => [name, '1']),
    ),
    exec: '38',
    ...changes,
  };
  const text = Object.entries(lines).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  return parseReport(`${text.join('\n')}\n`);
}

describe('the inspection of a sandbox', () => {
  it('reports nothing for a correct container under cgroup v1 and v2', () => {
    expect(faultsOf(report(), ABLE, EXPECTED)).toEqual([]);
    const v2 = report({ memory_and_swap: undefined, swap_v2: '0', cpu: '100000 100000' });
    expect(faultsOf(v2, ABLE, EXPECTED)).toEqual([]);
  });

  it('trusts the engine for limits that are not visible inside', () => {
    const blind = report({ memory: undefined, memory_and_swap: undefined, processes: undefined, cpu: undefined });
    expect(faultsOf(blind, ABLE, EXPECTED)).toEqual([]);
    expect(faultsOf(blind, { ...ABLE, MemoryLimit: false, PidsLimit: false }, EXPECTED)).toHaveLength(2);
  });

  it('ignores cgroups under gVisor, and requires its own process limit and a locked exec', () => {
    const gvisor = { ...EXPECTED, gvisor: true };
    const said = {
      workspace_inodes: '0',
      memory: '9223372036854775807',
      memory_and_swap: undefined,
      processes: 'max',
      cpu: '-1',
      own_processes: '99',
    };
    expect(faultsOf(report(said), ABLE, gvisor)).toEqual([]);
    expect(faultsOf(report({ ...said, own_processes: '-1' }), ABLE, gvisor)).toEqual([
      expect.stringMatching(/Processes are not limited/),
    ]);
    expect(faultsOf(report({ ...said, exec: '2' }), ABLE, gvisor)).toEqual([expect.stringMatching(/execute files/)]);
    expect(faultsOf(report(said), { ...ABLE, MemoryLimit: false }, gvisor)).toEqual([
      expect.stringMatching(/Memory is not limited/),
    ]);
  });

  it.each([
    ['uid', '0', /does not run as its user/],
    ['groups', '1', /does not run as its user/],
    ['capabilities', '1', /has capabilities/],
    ['bounding_set', '1', /has capabilities/],
    ['no_new_privileges', '0', /gain privileges/],
    ['parent_pid', '7', /first process/],
    ['root_read_only', '0', /root file system can be written/],
    ['workspace_bytes', String(1 << 30), /is not limited.*tmpfs/],
    ['workspace_own', '0', /is not limited.*tmpfs/],
    ['other_writable_mounts', '1', /beside its workspace/],
    ['workspace_inodes', '1000000', /number of files/],
    ['open_files', '-1', /Open files/],
    ['core_bytes', '-1', /core dumps/],
    ['interfaces', '1', /network/],
    ['write_root', '0', /write to the root/],
    ['engine_socket', '0', /engine's socket/],
    ['socket_internet', '0', /internet socket/],
    ['unshare', '0', /namespace/],
    ['ptrace', '0', /trace/],
    ['bpf', '0', /bpf/],
    ['fork', '0', /start processes/],
    ['exec', '2', /execute files/],
    ['memory', 'max', /Memory is not limited/],
    ['memory', '9223372036854771712', /Memory is not limited/],
    ['memory_and_swap', '536870912', /Swap is not limited/],
    ['swap_v2', 'max', /Swap is not limited/],
    ['processes', 'max', /Processes are not limited/],
    ['cpu', '-1', /Processor time/],
    ['cpu', 'max 100000', /Processor time/],
  ])('reports the fault and the fix: %s %s', (name, value, words) => {
    const faults = faultsOf(report({ [name]: value }), ABLE, EXPECTED);
    expect(faults).toEqual([expect.stringMatching(words)]);
    expect(faults[0]).toMatch(/(: |\. )[A-Za-z].*\(program\)$/);
  });

  it('expects the tool user, and allows it to start processes and execute files', () => {
    const tool = { ...EXPECTED, profile: TOOL };
    expect(faultsOf(report({ uid: '10001', fork: '0', exec: '2' }), ABLE, tool)).toEqual([]);
    expect(faultsOf(report(), ABLE, tool)).toEqual([expect.stringMatching(/does not run as its user.*\(tool\)$/)]);
    expect(faultsOf(report({ uid: '10001' }), ABLE, EXPECTED)).toEqual([
      expect.stringMatching(/does not run as its user/),
    ]);
  });

  it('compares memory and processes with the profile', () => {
    const profile = { ...PROGRAM, memoryBytes: 1 << 20, processes: 7 };
    expect(
      faultsOf(report({ memory: '1048576', memory_and_swap: '1048576', processes: '7' }), ABLE, {
        ...EXPECTED,
        profile,
      }),
    ).toEqual([]);
    expect(faultsOf(report(), ABLE, { ...EXPECTED, profile })).toHaveLength(3);
  });

  it('reports faults for an empty report', () => {
    expect(faultsOf(parseReport('nonsense\0\n'), ABLE, EXPECTED).length).toBeGreaterThan(15);
  });
});
