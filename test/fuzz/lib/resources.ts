/** Resident memory and open files of processes, as the kernel counts them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Held {
  readonly mebibytes: number;
  readonly files: number;
}

export function heldBy(pid: number): Held {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return { mebibytes: Number(kibibytes) / 1024, files: readdirSync(`/proc/${pid}/fd`).length };
}

/** The memory of a process by the number of inputs so far. */
export class MemoryHistory {
  private readonly samples: { share: number; mebibytes: number }[] = [];

  constructor(private readonly pid: number) {}

  sample(share: number): void {
    this.samples.push({ share, mebibytes: heldBy(this.pid).mebibytes });
  }

  /** The minimum in a part of the run, without garbage; NaN if the run failed earlier. */
  least(from: number, to: number): number {
    const samples = this.samples.filter(({ share }) => share >= from && share <= to).map(({ mebibytes }) => mebibytes);
    return samples.length > 0 ? Math.min(...samples) : NaN;
  }

  most(): number {
    return Math.max(...this.samples.map(({ mebibytes }) => mebibytes));
  }
}
