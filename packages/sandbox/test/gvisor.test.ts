import { describe, expect, it } from '@jest/globals';
import type { HostConfig } from 'dockerode';
import { containerOptions, warmSpec } from '../src/container-options.js';
import { isGvisor, withPtrace } from '../src/gvisor.js';
import { PROGRAM } from './profiles.js';

const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] };

function hostConfig(runtime?: string): HostConfig {
  const confining = {
    seccompProfile: JSON.stringify(profile),
    namespace: 'here',
    ...(runtime !== undefined && { runtime }),
  };
  return containerOptions(warmSpec(PROGRAM), confining).HostConfig ?? {};
}

describe('gVisor', () => {
  it.each(['runsc', 'runsc-kvm', 'io.containerd.runsc.v1', 'gVisor'])(
    'is recognized by its runtime name: %s',
    (name) => {
      expect(isGvisor(name)).toBe(true);
    },
  );

  it.each(['runc', 'crun', undefined])('is not assumed for the runtime %s', (name) => {
    expect(isGvisor(name)).toBe(false);
  });

  it('limits processes itself, with room for the host tasks that it needs', () => {
    expect(hostConfig('runsc').Ulimits).toContainEqual({ Name: 'nproc', Soft: 99, Hard: 99 });
    expect(hostConfig('runsc').PidsLimit).toBe(1000);
    expect(hostConfig('runc').PidsLimit).toBe(100);
  });

  it('allows only ptrace beyond the seccomp profile', () => {
    const ptrace = { names: ['ptrace'], action: 'SCMP_ACT_ALLOW' };
    expect(JSON.parse(withPtrace(JSON.stringify(profile)))).toEqual({
      ...profile,
      syscalls: [...profile.syscalls, ptrace],
    });
  });

  it('keeps all other options of a container', () => {
    const usual = hostConfig();
    const inAnotherWay = ['PidsLimit', 'Ulimits'];
    const others = Object.fromEntries(Object.entries(usual).filter(([name]) => !inAnotherWay.includes(name)));
    expect(hostConfig('runsc')).toMatchObject({ ...others, Runtime: 'runsc' });
    expect(hostConfig('runsc').Ulimits).toEqual(expect.arrayContaining(usual.Ulimits ?? []));
  });
});
