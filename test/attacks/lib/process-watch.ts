/**
 * The host's view of what runs in containers: /proc, looked through every few milliseconds. Under
 * gVisor the processes of a program are its own kernel's and not in the host's /proc; there, what
 * comes out of the container is all that can be seen of them. Without root, the programs and
 * namespaces of processes are hidden, and only users, capabilities and priorities are seen.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LOOK_MS = 30;
/**
 * A process that is in no container by then is none of a container's: only its start passes through the
 * host's own group.
 */
const SETTLED_LOOKS = 30;
const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const;
/** What a container begins with, before it is the program; runc is a file of memory, which shows as "/". */
const OURS = /^(\/|.*\/launcher|.*\/runc|.*memfd:runc.*)( \(deleted\))?$/;
/** What a build starts; each of them is a part of GNAT, GCC or binutils. */
const TOOL =
  /^\/usr\/(bin|lib|libexec)\/(.*\/)?(gpr\w+|gnat\w+|cc1|cc1plus|collect2|lto\S*|([\w]+-linux-gnu-)?(gcc|g\+\+|as|ld|ld\.bfd|ar|ranlib|nm|gnat\w*)(-\d+)?)$/;

export interface Sighting {
  readonly pid: number;
  readonly container: string | undefined;
  /** All that it has called itself, and its arguments. */
  readonly names: Set<string>;
  readonly faults: Set<string>;
  /** By what it has gone before other processes. */
  readonly precedence: Set<string>;
  exe: string;
  looks: number;
}

export class ProcessWatch {
  private readonly before = new Set(pids());
  private readonly seen = new Map<number, Sighting>();
  private readonly all: Sighting[] = [];
  private readonly timer = setInterval(() => this.look(), LOOK_MS).unref();

  /** Looks once; the watch does so by itself as well. */
  look(): void {
    const there = pids();
    for (const pid of there) if (!this.before.has(pid)) this.lookAt(pid);
    const alive = new Set(there);
    for (const pid of this.seen.keys()) if (!alive.has(pid)) this.seen.delete(pid);
  }

  /** Everything seen so far that bears `token` in its name or arguments. */
  sightingsOf(token: string): Sighting[] {
    return this.all.filter(({ names }) => [...names].some((name) => name.includes(token)));
  }

  /** What the processes of an attack should not have been, each in words. */
  faultsOf(token: string): string[] {
    const marked = this.sightingsOf(token);
    const containers = new Set(marked.map(({ container }) => container));
    return [...containers].flatMap((container) => {
      if (container === undefined) return ['a process outside of every container'];
      const inside = this.all.filter((each) => each.container === container && each.exe !== '' && !OURS.test(each.exe));
      const programs = inside.filter(({ exe }) => !TOOL.test(exe));
      const faults = programs.flatMap((each) => [...each.faults]);
      if (programs.length > 1)
        faults.push(`${programs.length} processes in one container: ${programs.map(describe).join('; ')}`);
      return faults;
    });
  }

  /** What was started in these containers that is neither a part of the compilers nor a program. */
  strangers(containers: ReadonlySet<string>): string[] {
    const strange = ({ container, exe }: Sighting) =>
      containers.has(container ?? '') &&
      exe !== '' &&
      !OURS.test(exe) &&
      !TOOL.test(exe) &&
      !exe.startsWith('/workspace/sessions/');
    return this.all.filter(strange).map(describe);
  }

  /** What in these containers was let go before other processes of the host. */
  privileged(containers: ReadonlySet<string>): string[] {
    const isFirst = ({ container, precedence }: Sighting) => containers.has(container ?? '') && precedence.size > 0;
    return this.all.filter(isFirst).map((each) => `${describe(each)}: ${[...each.precedence].join(', ')}`);
  }

  /** Processes that are in a container of these now. */
  stillIn(containers: ReadonlySet<string>): number[] {
    return pids().filter((pid) => containers.has(containerOf(pid) ?? ''));
  }

  close(): void {
    clearInterval(this.timer);
  }

  private lookAt(pid: number): void {
    let sighting = this.seen.get(pid);
    if (sighting?.container === undefined && (sighting?.looks ?? 0) < SETTLED_LOOKS) {
      const container = containerOf(pid);
      if (sighting === undefined || container !== undefined) sighting = this.begin(pid, container, sighting);
    }
    if (sighting === undefined) return;
    sighting.looks++;
    if (sighting.container === undefined && sighting.looks > SETTLED_LOOKS) return;
    sighting.exe = linkOf(pid, 'exe') ?? sighting.exe;
    for (const file of ['comm', 'cmdline']) sighting.names.add((read(pid, file) ?? '').replaceAll('\0', ' ').trim());
    if (sighting.container === undefined) return;
    for (const each of precedenceNow(pid)) sighting.precedence.add(each);
    if (!OURS.test(sighting.exe)) for (const fault of faultsNow(pid)) sighting.faults.add(fault);
  }

  private begin(pid: number, container: string | undefined, earlier: Sighting | undefined): Sighting {
    const sighting = {
      pid,
      container,
      names: new Set<string>(),
      faults: new Set<string>(),
      precedence: new Set<string>(),
      exe: '',
      looks: 0,
    };
    this.seen.set(pid, sighting);
    if (earlier !== undefined) this.all.splice(this.all.indexOf(earlier), 1);
    this.all.push(sighting);
    return sighting;
  }
}

/** A user, a capability or a namespace that no program has. */
function faultsNow(pid: number): string[] {
  const status = read(pid, 'status') ?? '';
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
  if (field('State').startsWith('Z') || status === '') return [];
  const faults = [];
  if (field('Uid').split(/\s+/).includes('0')) faults.push('a process of user 0');
  if (!/^0*$/.test(field('CapEff')) || !/^0*$/.test(field('CapPrm')))
    faults.push(`a process with capabilities ${field('CapEff')}`);
  const parent = Number(field('PPid'));
  for (const name of NAMESPACES) {
    const [own, parents] = [linkOf(pid, `ns/${name}`), linkOf(parent, `ns/${name}`)];
    // A process whose parent is gone in between has the next one's.
    if (
      own &&
      parents &&
      own !== parents &&
      Number(/^PPid:\s*(\d+)/m.exec(read(pid, 'status') ?? '')?.[1]) === parent
    ) {
      faults.push(`a namespace of its own (${name})`);
    }
  }
  return faults;
}

/** A nice value under ours, or a class of scheduling that is of no time-sharing. */
function precedenceNow(pid: number): string[] {
  const [nice = 0, policy = 0] = schedulingOf(pid);
  const [ours = 0] = schedulingOf(process.pid);
  return [
    ...(nice < ours ? [`a nice value of ${nice}`] : []),
    ...(policy === 1 || policy === 2 ? ['a real-time class'] : []),
  ];
}

/** Fields 19 and 41 of /proc/<pid>/stat, counted behind the name, which may hold anything. */
function schedulingOf(pid: number): number[] {
  const fields = read(pid, 'stat')?.split(') ').at(-1)?.split(' ') ?? [];
  return [fields[16], fields[38]].map((field) => Number(field ?? 0));
}

const describe = ({ pid, exe, names }: Sighting) => `${pid} ${exe} (${[...names].join(' | ')})`;

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** The id of the container that a process is in, by its control group. */
function containerOf(pid: number): string | undefined {
  return /[/-]([0-9a-f]{64})\b/.exec(read(pid, 'cgroup') ?? '')?.[1];
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // It has ended.
  }
}

function linkOf(pid: number, link: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${link}`);
  } catch {
    return undefined; // It has ended.
  }
}
