import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { instanceFolder, removeFolder } from './instance.js';
import { kill, processesWith } from './processes.js';

/** One run of `npm test`: all that it makes bears its id, so that what it leaves can be found. */
export class TestRun {
  /** Of its instance, its queues and its containers. */
  readonly name: string;
  /** In the environment of everything that it starts, and of what that starts. */
  readonly mark: { readonly RUN_ID: string; readonly NAMESPACES_FILE: string };
  /** For the results of jest; not in the instance's folder, which is gone when the last tests look. */
  readonly resultsFolder: string;
  /** Where the tests write down the namespaces that they use, a line each, for the last test to look for. */
  readonly namespacesFile: string;

  constructor(readonly id: string) {
    this.name = `test-${id}`;
    this.resultsFolder = `${instanceFolder(this.name)}.results`;
    this.namespacesFile = join(this.resultsFolder, 'namespaces');
    this.mark = { RUN_ID: id, NAMESPACES_FILE: this.namespacesFile };
  }

  /** Ends the processes and removes the folders that are left of it. */
  async remove(): Promise<void> {
    await Promise.all(processesWith(`RUN_ID=${this.id}`).map(kill));
    const temporary = readdirSync(tmpdir()).filter((name) => name.startsWith(`code-widgets-${this.id}`));
    const folders = [...temporary.map((name) => join(tmpdir(), name)), this.resultsFolder, instanceFolder(this.name)];
    folders.forEach(removeFolder);
  }
}

/** The run whose instance has this name, if it is one of a test. */
export function testRunOf(name: string): TestRun | undefined {
  const id = /^test-(\w+)$/.exec(name)?.[1];
  return id === undefined ? undefined : new TestRun(id);
}
