/**
 * Watches the processes in containers through the host's /proc, every few milliseconds.
 * Under gVisor, /proc does not show a program's processes, so only its output reveals them. Without root, only
 * users, capabilities and priorities are visible.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LOOK_MS = 30;
/**
 * After this many looks, a process outside of every container is not part of one. Only a container's start
 * passes through the host's own cgroup.
 */
const SETTLED_LOOKS = 30;
const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const;
/** The first processes of a container; runc runs from a memory file, which shows as "/". */
const OURS = /^(\/|.*\/launcher|.*\/runc|.*memfd:runc.*)( \(deleted\))?$/;
/** Programs that a build may start: parts of GNAT, GCC and binutils. */
const TOOL =
  /^\/usr\/(bin|lib|libexec)\/(.*\/)?(gpr\w+|gnat\w+|cc1|cc1plus|collect2|lto\S*|([\w]+-linux-gnu-)?(gcc|g\+\+|as|ld|ld\.bfd|ar|ranlib|nm|gnat\w*)(-\d+)?)$/;

export interface Sighting {
  readonly pid: number;
  readonly container: string | undefined;
  /** All names and arguments that it has had. */
  readonly names: Set<string>;
  readonly faults: Set<string>;
  /** The ways in which its priority was raised. */
  readonly precedence: Set<string>;
  exe: string;
  looks: number;
}

export class ProcessWatch {
  private readonly before = new Set(pids());
  private readonly seen = new Map<number, Sighting>();
  private readonly all: Sighting[] = [];
  private readonly timer = setInterval(() => this.look(), LOOK_MS).unref();

  /** Looks once; the watch also does so by itself. */
  look(): void {
    const there = pids();
    for (const pid of there) if (!this.before.has(pid)) this.lookAt(pid);
    const alive = new Set(there);
    for (const pid of this.seen.keys()) if (!alive.has(pid)) this.seen.delete(pid);
  }

  /** All processes so far whose name or arguments contain `token`. */
  sightingsOf(token: string): Sighting[] {
    return this.all.filter(({ names }) => [...names].some((name) => name.includes(token)));
  }

  /** Forbidden properties of the processes of an attack. */
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

  /** Processes in these containers that are neither compilers nor programs. */
  strangers(containers: ReadonlySet<string>): string[] {
    const strange = ({ container, exe }: Sighting) =>
      containers.has(container ?? '') &&
      exe !== '' &&
      !OURS.test(exe) &&
      !TOOL.test(exe) &&
      !exe.startsWith('/workspace/sessions/');
    return this.all.filter(strange).map(describe);
  }

  /** Processes in these containers with raised priority. */
  privileged(containers: ReadonlySet<string>): string[] {
    const isFirst = ({ container, precedence }: Sighting) => containers.has(container ?? '') && precedence.size > 0;
    return this.all.filter(isFirst).map((each) => `${describe(each)}: ${[...each.precedence].join(', ')}`);
  }

  /** Processes that are in one of these containers now. */
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

/** A user, capability or namespace that no program may have. */
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
    // A process whose parent has ended gets another parent.
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

/** A nice value below ours, or a real-time scheduling class. */
function precedenceNow(pid: number): string[] {
  const [nice = 0, policy = 0] = schedulingOf(pid);
  const [ours = 0] = schedulingOf(process.pid);
  return [
    ...(nice < ours ? [`a nice value of ${nice}`] : []),
    ...(policy === 1 || policy === 2 ? ['a real-time class'] : []),
  ];
}

/** Fields 19 and 41 of /proc/<pid>/stat, counted after the name, which may contain any character. */
function schedulingOf(pid: number): number[] {
  const fields = read(pid, 'stat')?.split(') ').at(-1)?.split(' ') ?? [];
  return [fields[16], fields[38]].map((field) => Number(field ?? 0));
}

const describe = ({ pid, exe, names }: Sighting) => `${pid} ${exe} (${[...names].join(' | ')})`;

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** The id of the container of a process, from its cgroup. */
function containerOf(pid: number): string | undefined {
  return /[/-]([0-9a-f]{64})\b/.exec(read(pid, 'cgroup') ?? '')?.[1];
}

function read(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // The process has ended.
  }
}

function linkOf(pid: number, link: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${link}`);
  } catch {
    return undefined; // The process has ended.
  }
}
