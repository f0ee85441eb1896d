/** Maps names of images to ids. A name can move to another image at any time. */
import { IMAGE_KNOWN_MS } from './limits.js';
import { EngineRefused, SandboxUnavailable, type Runtime } from './runtime.js';

interface Known {
  id: string;
  askedMs: number;
}

export class Images {
  private readonly ids = new Map<string, Known>();

  constructor(private readonly runtime: Pick<Runtime, 'imageId'>) {}

  /**
   * The image's id, at most IMAGE_KNOWN_MS old.
   * @throws {SandboxUnavailable} the engine is unavailable, or there is no such image; the message says what to do.
   */
  async known(name: string): Promise<string> {
    const known = this.ids.get(name);
    return known !== undefined && performance.now() - known.askedMs < IMAGE_KNOWN_MS ? known.id : this.current(name);
  }

  /** The image's id now, which `known` returns from here on. Throws as `known`. */
  async current(name: string): Promise<string> {
    const askedMs = performance.now();
    const id = await this.ask(name);
    const known = this.ids.get(name);
    // Answers may arrive out of order.
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
