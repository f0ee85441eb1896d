/** What an attack is, and what it says where it got through. */
import type { World } from './world.js';

export interface Attack {
  readonly name: string;
  /** One sentence: what it tries, and so what must not be seen from outside. */
  readonly tries: string;
  /** The only machine whose code it is written in; on any other it is not made, and the table says so. */
  readonly architecture?: NodeJS.Architecture;
  /**
   * Attacks. Throws Through where its own look at the effect finds it; what every attack is looked
   * at for (processes, files, packets, secrets, `through <token>` in the output) is the world's.
   *
   * @param token of this attack alone, letters and digits
   */
  readonly attack: (world: World, token: string) => Promise<void>;
}

export interface AttackClass {
  readonly name: string;
  readonly attacks: readonly Attack[];
}

/** The attack had the effect that it tried for. */
export class Through extends Error {
  override readonly name = 'Through';
}

/** Throws Through unless the effect was missing. */
export function held(isHeld: boolean, effect: string): void {
  if (!isHeld) throw new Through(effect);
}

/** Throws unless the attack was really made: one that never began proves nothing. */
export function made(isMade: boolean, what: string): void {
  if (!isMade) throw new Error(`the attack was not made: ${what}`);
}
