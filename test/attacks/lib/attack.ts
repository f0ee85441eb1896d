/** The definition of an attack and the errors that report its success. */
import type { World } from './world.js';

export interface Attack {
  readonly name: string;
  /** What the attack tries, in one sentence. */
  readonly tries: string;
  /** The only architecture of its machine code; elsewhere the attack is skipped, and the table says so. */
  readonly architecture?: NodeJS.Architecture;
  /**
   * Makes the attack. Throws Through if its own check finds the effect; the world checks processes, files,
   * packets, secrets and output.
   *
   * @param token unique to this attack, letters and digits
   */
  readonly attack: (world: World, token: string) => Promise<void>;
}

export interface AttackClass {
  readonly name: string;
  readonly attacks: readonly Attack[];
}

/** The attack had its intended effect. */
export class Through extends Error {
  override readonly name = 'Through';
}

/** Throws Through if the effect occurred. */
export function held(isHeld: boolean, effect: string): void {
  if (!isHeld) throw new Through(effect);
}

/** Throws unless the attack was really made. */
export function made(isMade: boolean, what: string): void {
  if (!isMade) throw new Error(`the attack was not made: ${what}`);
}
