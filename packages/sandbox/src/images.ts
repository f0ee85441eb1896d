/** Which images the names stand for. A name may be given to another image at any time. */
import { IMAGE_KNOWN_MS } from './limits.js';
import { EngineRefused, SandboxUnavailable, type Runtime } from './runtime.js';

interface Known {
  id: string;
  /** When the engine was asked. */
  askedMs: number;
}

export class Images {
  private readonly ids = new Map<string, Known>();

  constructor(private readonly runtime: Pick<Runtime, 'imageId'>) {}

  /**
   * The id of the image that has this name, or had it a few seconds ago.
   * @throws {SandboxUnavailable} engine out of reach or no such image, and what to do about it.
   */
  async known(name: string): Promise<string> {
    const known = this.ids.get(name);
    return known !== undefined && performance.now() - known.askedMs < IMAGE_KNOWN_MS ? known.id : this.current(name);
  }

  /**
   * The id of the image that has this name now; `known` takes it from here on.
   * @throws as `known`.
   */
  async current(name: string): Promise<string> {
    const askedMs = performance.now();
    const id = await this.ask(name);
    const known = this.ids.get(name);
    // Answers may come in another order.
    if (known === undefined || known.askedMs < askedMs) this.ids.set(name, { id, askedMs });
    return id;
  }

  private async ask(name: string): Promise<string> {
    try {
      return await this.runtime.imageId(name);
    } catch (error) {
      if (!(error instanceof EngineRefused && error.status === 404)) throw error;
      throw new SandboxUnavailable(`There is no image ${name}. Build the images as docker/sandbox/Dockerfile says.`, {
        cause: error,
      });
    }
  }
}
