/** Large results in pieces: shared instead of copied, and never one buffer. */

/** A file that a job handed back. The pieces never change. */
export type BytePieces = readonly Buffer[];

export const byteLength = (pieces: readonly Buffer[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

const SMALLEST_BLOCK_BYTES = 4 * 1024;
const LARGEST_BLOCK_BYTES = 64 * 1024;

/**
 * Collects bytes in blocks. It copies them, since kept chunks would retain whole read buffers, or an object for each
 * byte that came alone.
 */
export class ByteCollector {
  private readonly full: Buffer[] = [];
  private block = Buffer.alloc(0);
  private fill = 0;
  length = 0;

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.fill === this.block.length) this.beginBlock();
      const copied = bytes.copy(this.block, this.fill, at);
      this.fill += copied;
      this.length += copied;
      at += copied;
    }
  }

  /** Call it after the last `add`. */
  pieces(): readonly Buffer[] {
    return this.fill === 0 ? [] : [...this.full, this.block.subarray(0, this.fill)];
  }

  private beginBlock(): void {
    if (this.fill > 0) this.full.push(this.block);
    const bytes = Math.min(Math.max(this.length, SMALLEST_BLOCK_BYTES), LARGEST_BLOCK_BYTES);
    this.block = Buffer.allocUnsafeSlow(bytes);
    this.fill = 0;
  }
}
